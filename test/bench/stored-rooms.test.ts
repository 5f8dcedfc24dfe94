/** What the scenarios without sockets count as lost, doubled and reordered. */
import { describe, expect, it } from "vitest";

import { checkRoom } from "../../bench/load/stored-rooms.ts";
import { TailLedger } from "../../bench/load/tail-ledger.ts";
import { entryOf, FIRST } from "../../bench/load/tail-writer.ts";
import { encodeEntry } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { CommandNumber, DeviceId, Seq, UserId } from "../../src/protocol/ids.ts";
import type { RoomTail } from "../../src/edge/room-tails.ts";
import type { Position } from "../../src/redis/position.ts";

type Stored = readonly [seq: number, by: string, k: number];

/** A conversation, as XRANGE returns it. */
function reply(entries: readonly Stored[]): unknown {
  return entries.map(([seq, by, k], i) => {
    const payload = encodeEntry({
      seq: seq as Seq,
      cursor: `1.${seq}.a-1` as Cursor,
      at: 1,
      by: by as UserId,
      device: "bench" as DeviceId,
      k: k as CommandNumber,
      event: { type: "message.sent", text: "hello" },
    });
    const fields = ["n", String(seq), "p", "0-0", "d", payload].map((field) => Buffer.from(field));
    return [Buffer.from(`${i + 1}-0`), fields];
  });
}

function faultsOf(...entries: Stored[]): object {
  const { lost, doubled, reordered } = checkRoom(reply(entries), 3);
  return { lost, doubled, reordered };
}

describe("the check of a stored room", () => {
  it("has nothing to say when each command is there once and in order", () => {
    const none = { lost: 0, doubled: 0, reordered: 0 };
    expect(faultsOf([1, "a", 1], [2, "b", 1], [3, "a", 2])).toEqual(none);
  });

  it.each([
    [
      "a loss",
      { lost: 1 },
      [
        [1, "a", 1],
        [2, "a", 2],
      ],
    ],
    [
      "a copy",
      { lost: 0, doubled: 1 },
      [
        [1, "a", 1],
        [2, "a", 2],
        [3, "a", 3],
        [4, "a", 2],
      ],
    ],
    [
      "a hole",
      { reordered: 1 },
      [
        [1, "a", 1],
        [2, "a", 2],
        [4, "a", 3],
      ],
    ],
    [
      "another order",
      { lost: 0, reordered: 1 },
      [
        [1, "a", 2],
        [2, "a", 1],
        [3, "a", 3],
      ],
    ],
  ] as const)("finds %s", (_what, found, entries) => {
    expect(faultsOf(...entries)).toMatchObject(found);
  });
});

describe("the ledger of the tail reader", () => {
  function report(...seqs: number[]): object {
    const ledger = new TailLedger(2);
    for (const seq of seqs) {
      const head = { position: `${seq}-0` as Position, seq: seq as Seq };
      ledger.publish({} as RoomTail, [entryOf(1, head, FIRST.position).payload]);
    }
    const { delivered, doubled, reordered } = ledger.report();
    return { delivered, doubled, reordered };
  }

  it("expects the seqs after the first entry, one by one", () => {
    expect(report(2, 3, 4)).toEqual({ delivered: 3, doubled: 0, reordered: 0 });
  });

  it("finds what came twice and what came too early", () => {
    expect(report(2, 3, 3)).toEqual({ delivered: 3, doubled: 1, reordered: 0 });
    expect(report(2, 4)).toEqual({ delivered: 2, doubled: 0, reordered: 1 });
  });
});
