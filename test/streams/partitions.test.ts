/** Stored layout: when one of these fails, LAYOUT_VERSION goes up and old data needs a rebuild. */
import { describe, expect, it } from "vitest";

import type { RoomId } from "../../src/protocol/ids.ts";
import { LAYOUT_VERSION, partitionOf, partitionTags } from "../../src/streams/partitions.ts";

const SLOTS = 16_384;

/** CRC-16/XMODEM by long division over bits: another way than the code under test takes. */
function slotOf(tag: string): number {
  let register = 0n;
  for (const byte of Buffer.from(tag)) register = (register << 8n) | BigInt(byte);
  register <<= 16n;
  for (let bit = BigInt(tag.length * 8 + 15); bit >= 16n; bit--) {
    if ((register >> bit) & 1n) register ^= 0x11021n << (bit - 16n);
  }
  return Number(register) % SLOTS;
}

const ROOMS = [
  ["general", 0, 3, 11, 59, 763],
  ["ubuntu", 0, 3, 11, 43, 619],
  ["a", 0, 3, 3, 51, 435],
  ["Z9", 0, 3, 3, 19, 339],
  ["dm.0123456789abcdef", 0, 1, 13, 29, 157],
] as const;
const SIXTEEN = "8yc mws pt6 4x6 8ha eoi 4mt 4i4 265 22u c0h 6zp gio 5f 6o2 6kr";

describe("partitions", () => {
  it("[IN2] are given to rooms by frozen vectors", () => {
    expect(LAYOUT_VERSION).toBe(2);
    for (const [room, ...expected] of ROOMS) {
      const got = [1, 4, 16, 64, 1_024].map((p) => partitionOf(room as RoomId, p));
      expect([room, ...got]).toEqual([room, ...expected]);
    }
  });

  it("[IN2] share the rooms evenly", () => {
    const counts = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 16_000; i++) counts[partitionOf(`room-${i}` as RoomId, 16)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });

  it("[IN2] have frozen tags", () => {
    expect(partitionTags(1)).toEqual(["fjl"]);
    expect(partitionTags(4)).toEqual(["5nw", "h85", "7l1", "b3k"]);
    expect(partitionTags(16).join(" ")).toBe(SIXTEEN);
  });

  it("the slot of the check string is the one that the Redis Cluster specification gives", () => {
    expect(slotOf("123456789")).toBe(0x31c3);
  });

  it.each([1, 2, 3, 7, 16, 64, 100])(
    "[IN2] %i of them spread over 1 to P masters with at most one more on any",
    (partitions) => {
      const slots = partitionTags(partitions).map(slotOf);
      expect(new Set(slots).size).toBe(partitions);
      for (let masters = 1; masters <= partitions; masters++) {
        const counts = Array.from({ length: masters }, () => 0);
        // As redis-cli --cluster create splits: equal ranges, the rest spread over them.
        for (const slot of slots) counts[Math.floor(((slot + 0.5) * masters) / SLOTS)]!++;
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
    },
  );

  it("[IN2] can be as many as the largest deployment has", () => {
    const tags = partitionTags(1_024);
    expect(new Set(tags).size).toBe(1_024);
    expect(tags.every((tag) => tag !== undefined)).toBe(true);
  });
});
