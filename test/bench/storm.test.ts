/** What the reconnect storm checks its entries with notices every way in which they can be wrong. */
import { describe, expect, it } from "vitest";

import { CatchUpLedger } from "../../bench/load/catch-up-ledger.ts";
import { EntriesReader, isPageFrame, roomOf } from "../../bench/load/entries-frame.ts";
import { SendFrame } from "../../bench/load/send-frame.ts";
import { decodeClientFrame, encodeEntry, joinResumed } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { ResumeStatus } from "../../src/protocol/frames.ts";
import type { CommandNumber, DeviceId, Epoch, RoomId } from "../../src/protocol/ids.ts";
import type { Seq, UserId } from "../../src/protocol/ids.ts";

const ROOM = "r000041" as RoomId;

/** A page with messages 0, 1, … of a writer, from seq 12 on. */
function page(count: number, head: { status?: ResumeStatus; more?: boolean } = {}): Buffer {
  const entries = Array.from({ length: count }, (_, n) => {
    const frame = decodeClientFrame(new SendFrame(ROOM, 3).stamp(n + 1, n, 0));
    const text = frame.type === "send" ? frame.text : "";
    return encodeEntry({
      seq: (12 + n) as Seq,
      cursor: `1.${12 + n}.loyw3v28-35s` as Cursor,
      at: 1_700_000_000_000,
      by: "writer3" as UserId,
      device: "bench" as DeviceId,
      k: (n + 1) as CommandNumber,
      event: { type: "message.sent", text },
    });
  });
  const { status = "ok", more = false } = head;
  const about = { room: ROOM, status, epoch: 1 as Epoch, head: 70_000 as Seq, more };
  return Buffer.from(joinResumed(about, entries));
}

describe("pages of a resume", () => {
  it.each([0, 1, 15, 16, 200])("of %i entries are read", (count) => {
    const frame = page(count, { more: true });
    const seen: [number, number][] = [];
    const found = new EntriesReader().readPage(frame, ({ seq, n }) => seen.push([seq, n]));
    expect(isPageFrame(frame)).toBe(true);
    expect(roomOf(frame)).toBe(ROOM);
    expect(found).toEqual({ continues: true, more: true });
    expect(seen).toEqual(Array.from({ length: count }, (_, n) => [12 + n, n]));
  });

  it.each(["gap", "reset", "snapshot", "refused"] as const)("do not continue with %s", (status) => {
    let entries = 0;
    const found = new EntriesReader().readPage(page(2, { status }), () => entries++);
    expect({ ...found, entries }).toEqual({ continues: false, more: false, entries: 0 });
  });
});

describe("the ledger of a catch-up", () => {
  /** One follower that stood before seq 12 and missed three messages. */
  function totals(...arrivals: (readonly [seq: number, n: number])[]): object {
    const ledger = new CatchUpLedger(1);
    ledger.startAt(0, 12);
    for (const [seq, n] of arrivals) ledger.arrived(0, seq, n);
    const { lost, doubled, reordered } = ledger.totals(3);
    return { lost, doubled, reordered, whole: ledger.has(0, 3) };
  }
  const all = [
    [12, 0],
    [13, 1],
    [14, 2],
  ] as const;

  it("has nothing to say when everything came once and in order", () => {
    expect(totals(...all)).toEqual({ lost: 0, doubled: 0, reordered: 0, whole: true });
  });

  it("counts what did not come, at the end and in the middle", () => {
    expect(totals(all[0])).toEqual({ lost: 2, doubled: 0, reordered: 0, whole: false });
    expect(totals(all[0], all[2])).toEqual({ lost: 1, doubled: 0, reordered: 0, whole: false });
    expect(totals()).toMatchObject({ lost: 3, whole: false });
  });

  it("counts what came twice, and what the follower had before", () => {
    expect(totals(...all, all[2])).toMatchObject({ lost: 0, doubled: 1 });
    expect(totals([11, -1], ...all)).toMatchObject({ lost: 0, doubled: 1 });
  });

  it("counts what came in another order", () => {
    expect(totals(all[0], all[2], all[1])).toMatchObject({ lost: 0, reordered: 1, whole: true });
  });

  it("counts another message in the place of the one that belongs there", () => {
    expect(totals([12, 1], [13, 0], [14, 2])).toMatchObject({ lost: 0, reordered: 2 });
  });
});
