/** A benchmark that cannot notice a loss proves nothing: its bookkeeping is tested like the engine. */
import { describe, expect, it } from "vitest";

import { EntriesReader, isEntriesFrame } from "../../bench/load/entries-frame.ts";
import { Ledger } from "../../bench/load/ledger.ts";
import { Samples } from "../../bench/load/percentiles.ts";
import { SendFrame } from "../../bench/load/send-frame.ts";
import { decodeClientFrame, encodeEntry, joinEntries } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { CommandNumber, DeviceId, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";

const ROOM = "r000007" as RoomId;

function textOf(sender: number, n: number, atUs: number): string {
  const frame = decodeClientFrame(new SendFrame(ROOM, sender).stamp(n + 2, n, atUs));
  return frame.type === "send" ? frame.text : "";
}

function entry(seq: number, text: string): Uint8Array {
  return encodeEntry({
    seq: seq as Seq,
    cursor: `1.${seq}.loyw3v28-35s` as Cursor,
    at: 1_700_000_000_000,
    by: "u1" as UserId,
    device: "bench" as DeviceId,
    k: 300 as CommandNumber,
    event: { type: "message.sent", text },
  });
}

describe("the generator's frames", () => {
  it("are what the protocol's own codec reads, with texts of 64 bytes", () => {
    const frame = new SendFrame(ROOM, 3).stamp(70_000, 69_998, 123_456_789);
    expect(decodeClientFrame(frame)).toMatchObject({ type: "send", room: ROOM, k: 70_000 });
    expect(Buffer.byteLength(textOf(3, 1, 2))).toBe(64);
  });

  it.each([1, 127, 128, 255, 256, 65_536])("come back in entries, from seq %i on", (seq) => {
    const texts = [textOf(3, 41, 999_999_999_999), textOf(2, 0, 7)];
    const entries = texts.map((text, i) => entry(seq + i, text));
    const frame = Buffer.from(joinEntries(ROOM, entries));
    const seen: object[] = [];
    expect(isEntriesFrame(frame)).toBe(true);
    new EntriesReader().read(frame, (each) => seen.push({ ...each }));
    expect(seen).toEqual([
      { seq, sender: 3, n: 41, atUs: 999_999_999_999 },
      { seq: seq + 1, sender: 2, n: 0, atUs: 7 },
    ]);
  });

  it("are refused when they are cut short", () => {
    const frame = Buffer.from(joinEntries(ROOM, [entry(1, textOf(0, 0, 0))]));
    const cut = frame.subarray(0, 20);
    expect(() => new EntriesReader().read(cut, () => undefined)).toThrow("cut short");
  });
});

describe("the ledger", () => {
  /** One room of two; sender 0 has sent three messages. */
  function ledger(): Ledger {
    const made = new Ledger(1, 2);
    for (const receiver of [0, 1]) made.startAt(receiver, 5);
    for (let n = 0; n < 3; n++) made.sent(0);
    return made;
  }
  function outcome(arrivals: readonly (readonly [receiver: number, n: number, seq: number])[]) {
    const made = ledger();
    for (const [receiver, n, seq] of arrivals) made.arrived(receiver, 0, n, seq);
    const { lost, doubled, reordered, delivered } = made.completeness();
    return { lost, doubled, reordered, delivered };
  }
  const first = [0, 1, 2].map((n) => [0, n, 5 + n] as const);
  const second = [0, 1, 2].map((n) => [1, n, 5 + n] as const);

  it("has nothing to say when everything came once and in order", () => {
    expect(outcome([...first, ...second])).toEqual({
      lost: 0,
      doubled: 0,
      reordered: 0,
      delivered: 6,
    });
  });

  it("counts what did not come, at the end and in the middle", () => {
    expect(outcome([...first]).lost).toBe(3);
    expect(outcome([...first, [1, 0, 5], [1, 2, 7]])).toMatchObject({ lost: 1, doubled: 0 });
  });

  it("counts what came twice", () => {
    expect(outcome([...first, ...second, [1, 2, 8]])).toMatchObject({ lost: 0, doubled: 1 });
  });

  it("counts what came in another order", () => {
    const { lost, doubled, reordered } = outcome([...first, [1, 1, 5], [1, 0, 6], [1, 2, 7]]);
    expect({ lost, doubled, reordered }).toEqual({ lost: 0, doubled: 0, reordered: 1 });
  });

  it("counts a seq that does not follow the one before it", () => {
    expect(outcome([...first, [1, 0, 5], [1, 1, 7], [1, 2, 8]]).reordered).toBe(1);
  });

  it("refuses a message from another room", () => {
    const made = new Ledger(2, 2);
    expect(() => made.arrived(0, 2, 0, null)).toThrow("another room");
  });
});

describe("percentiles", () => {
  it("are those of all samples, also past the size that was expected", () => {
    const samples = new Samples(1);
    for (let i = 2_000; i >= 1; i--) samples.add(i);
    expect(samples.percentiles()).toEqual({
      samples: 2_000,
      p50: 1_000,
      p99: 1_980,
      p999: 1_998,
      max: 2_000,
    });
  });
});
