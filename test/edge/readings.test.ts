/** Positions on their way into the log. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GATHER_MS, Readings, WAITING_MAX } from "../../src/edge/readings.ts";
import type { FactSender } from "../../src/ingest/ingest.ts";
import { formatCursor, originCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { Epoch, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { FACT_USERS_MAX, type Fact } from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";

const at = (seq: number): Cursor => formatCursor(1 as Epoch, seq as Seq, 1_000 + seq, 0);
const ann = "ann" as UserId;
const room = "den" as RoomId;

/** Takes facts and lets the test say what becomes of them. */
class Lanes {
  readonly calls: { facts: readonly Fact[]; sender: FactSender }[] = [];

  submitFacts(_partition: number, facts: readonly Fact[], sender: FactSender): void {
    this.calls.push({ facts, sender });
  }
}

let lanes: Lanes;
let readings: Readings;
const read = (user: UserId, through: Cursor, more: { private?: boolean } = {}) =>
  readings.take(room, { user, through, ...more });
beforeEach(() => {
  vi.useFakeTimers();
  lanes = new Lanes();
  readings = new Readings(lanes, new Keys(1));
});
afterEach(() => {
  readings.stop();
  vi.useRealTimers();
});

describe("positions of readers", () => {
  it("[UN4] leave together, only the furthest of each person and room", () => {
    for (const seq of [3, 9, 5]) expect(read(ann, at(seq))).toBeNull();
    read("ben" as UserId, at(4));
    readings.take("attic" as RoomId, { user: ann, through: at(2) });
    expect(lanes.calls).toEqual([]);
    vi.advanceTimersByTime(GATHER_MS);
    expect(lanes.calls.map(({ facts }) => facts)).toEqual([
      [
        {
          type: "reading",
          room,
          marks: [
            { user: ann, through: at(9) },
            { user: "ben", through: at(4) },
          ],
        },
        { type: "reading", room: "attic", marks: [{ user: ann, through: at(2) }] },
      ],
    ]);
    vi.advanceTimersByTime(10 * GATHER_MS);
    expect(lanes.calls).toHaveLength(1);
  });

  it("[UN4] are said again when they did not get into the log, or nobody knows", () => {
    read(ann, at(3));
    vi.advanceTimersByTime(GATHER_MS);
    lanes.calls[0]?.sender.doubtful();
    read(ann, at(2));
    vi.advanceTimersByTime(GATHER_MS);
    expect(lanes.calls[1]?.facts).toEqual(lanes.calls[0]?.facts);
    lanes.calls[1]?.sender.refused();
    vi.advanceTimersByTime(GATHER_MS);
    lanes.calls[2]?.sender.appended();
    vi.advanceTimersByTime(GATHER_MS);
    expect(lanes.calls).toHaveLength(3);
  });

  it("[UN4] wait within bounds, and go in facts within bounds", () => {
    for (let i = 0; i < WAITING_MAX; i++) {
      expect(read(`user ${i}` as UserId, at(1))).toBeNull();
    }
    expect(read("late" as UserId, at(1))).toBe("busy");
    expect(read("user 7" as UserId, at(2))).toBeNull();
    vi.advanceTimersByTime(GATHER_MS);
    const sizes = lanes.calls.flatMap(({ facts }) =>
      facts.map((fact) => (fact.type === "reading" ? fact.marks.length : 0)),
    );
    expect(Math.max(...sizes)).toBe(FACT_USERS_MAX);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(WAITING_MAX);
    expect(read("late" as UserId, at(1))).toBeNull();
  });

  it("[UN4] are forgotten when their reader goes back", () => {
    read(ann, at(9));
    read("ben" as UserId, at(4));
    readings.drop(ann, room);
    readings.take("attic" as RoomId, { user: ann, through: at(2) });
    readings.drop(ann, "attic" as RoomId);
    vi.advanceTimersByTime(GATHER_MS);
    expect(lanes.calls.map(({ facts }) => facts)).toEqual([
      [{ type: "reading", room, marks: [{ user: "ben", through: at(4) }] }],
    ]);
  });

  it("[UN4] are taken back on their way too, when their reader goes back", () => {
    read(ann, at(9));
    read("ben" as UserId, at(4));
    vi.advanceTimersByTime(GATHER_MS);
    readings.drop(ann, room);
    // It may not have been packed yet, and would stand behind the command.
    const origin = { user: ann, through: originCursor(1 as Epoch) };
    expect(lanes.calls[0]?.facts).toMatchObject([{ marks: [origin, { through: at(4) }] }]);
    lanes.calls[0]?.sender.doubtful();
    vi.advanceTimersByTime(GATHER_MS);
    expect(lanes.calls[1]?.facts).toEqual([
      { type: "reading", room, marks: [{ user: "ben", through: at(4) }] },
    ]);
    lanes.calls[1]?.sender.appended();
    readings.drop("ben" as UserId, room);
    expect(lanes.calls[1]?.facts).toMatchObject([{ marks: [{ through: at(4) }] }]);
  });

  it("[UN9] that are private take no public ones with them, and wait beside them", () => {
    const hidden = { private: true };
    read(ann, at(5));
    read(ann, at(9), hidden);
    read(ann, at(7), hidden);
    read(ann, at(4));
    vi.advanceTimersByTime(GATHER_MS);
    const marks = [
      { user: ann, through: at(5) },
      { user: ann, through: at(9), private: true },
    ];
    expect(lanes.calls.map(({ facts }) => facts)).toEqual([[{ type: "reading", room, marks }]]);
    lanes.calls[0]?.sender.doubtful();
    vi.advanceTimersByTime(GATHER_MS);
    expect(lanes.calls[1]?.facts).toEqual(lanes.calls[0]?.facts);
    readings.drop(ann, room);
    const origin = { user: ann, through: originCursor(1 as Epoch) };
    expect(lanes.calls[1]?.facts).toMatchObject([{ marks: [origin, origin] }]);
    read(ann, at(9), hidden);
    readings.drop(ann, room);
    vi.advanceTimersByTime(GATHER_MS);
    expect(lanes.calls).toHaveLength(2);
  });

  it("[UN9] that are private count towards the bound", () => {
    for (let i = 0; i < WAITING_MAX - 1; i++) read(`user ${i}` as UserId, at(1));
    expect(read("user 7" as UserId, at(2), { private: true })).toBeNull();
    expect(read("user 8" as UserId, at(2), { private: true })).toBe("busy");
  });

  it("[UN4] that no server gave out are not taken", () => {
    expect(read(ann, "nonsense" as Cursor)).toBe("invalid");
  });
});
