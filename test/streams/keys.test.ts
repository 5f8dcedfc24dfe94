import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { DeviceId, RoomId, UserId } from "../../src/protocol/ids.ts";
import { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";

const PARTITION = 0 as PartitionId;
const user = fc.string({ unit: fc.constantFrom("a", ":", "{", "}", "é", "device"), minLength: 1 });
const device = fc.string({ unit: fc.constantFrom("a", "-", "_", "9"), minLength: 1 });

describe("keys", () => {
  it("[IN2] of a partition carry its tag, so that one script may touch them all", () => {
    const keys = new Keys(4);
    const room = "r" as RoomId;
    const tags = [...keys.all()].map((p) => {
      const all = [
        keys.events(p),
        keys.log(p),
        keys.lease(p),
        keys.checkpoint(p),
        keys.bell(p),
        keys.dead(p),
        keys.conversation(p, room),
        keys.room(p, room),
        keys.members(p, room),
        keys.device(p, "}{u" as UserId, "d" as DeviceId),
        keys.outbox(p),
      ];
      expect(new Set(all).size).toBe(all.length);
      const tagged = new Set(all.map((key) => key.slice(key.indexOf("{") + 1, key.indexOf("}"))));
      expect(tagged.size).toBe(1);
      return [...tagged][0];
    });
    expect(new Set(tags).size).toBe(4);
  });

  it("[IN3] never give two devices of two users one window", () => {
    const keys = new Keys(1);
    fc.assert(
      fc.property(user, device, user, device, (u1, d1, u2, d2) => {
        const one = keys.device(PARTITION, u1 as UserId, d1 as DeviceId);
        const other = keys.device(PARTITION, u2 as UserId, d2 as DeviceId);
        expect(one === other).toBe(u1 === u2 && d1 === d2);
      }),
    );
  });

  it("[PR9] of a namespace are all apart from those of another", () => {
    const [here, there] = [new Keys(1), new Keys(1, "rebuild:")];
    expect(there.events(PARTITION)).toBe(`rebuild:${here.events(PARTITION)}`);
    for (const [a, b] of [
      [here.config(), there.config()],
      [here.workers(), there.workers()],
      [here.ticket("t"), there.ticket("t")],
    ]) {
      expect(a).not.toBe(b);
    }
  });

  it("refuse a partition that does not exist", () => {
    expect(() => new Keys(4).events(4 as PartitionId)).toThrow(RangeError);
  });
});
