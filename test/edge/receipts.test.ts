/** What is told to the reader, and in which order: the counts come when the test says so. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { EdgeTally } from "../../src/edge/edge-tally.ts";
import { COUNTS_RETRY_MS, OwnCounts } from "../../src/edge/own-counts.ts";
import { Receipts, TELL_MS, TELL_READERS_MS } from "../../src/edge/receipts.ts";
import type { Attendee } from "../../src/edge/presence-views.ts";
import type { RoomReadings, Unread } from "../../src/edge/room-list.ts";
import { createLog } from "../../src/ops/log.ts";
import { decodeServerFrame } from "../../src/protocol/codec.ts";
import type { ServerFrame } from "../../src/protocol/frames.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import type { Bell, BellEntry, MovedMark } from "../../src/streams/bell.ts";
import type { Position } from "../../src/redis/position.ts";

const ROOM = "general" as RoomId;
afterEach(() => void vi.useRealTimers());

function newReceipts(attended = false) {
  const told: ServerFrame[] = [];
  const published: ServerFrame[] = [];
  const room = { receiptsOn: true, reads: 0, readers: null as number | null };
  const readings = (): Promise<RoomReadings> => {
    room.reads++;
    const { readers } = room;
    if (readers !== null) {
      const steps = room.receiptsOn ? [{ through: 3 as Seq, readers }] : [];
      return Promise.resolve({ steps });
    }
    const mark = { user: "ann" as UserId, through: 3 as Seq };
    return Promise.resolve({ marks: room.receiptsOn ? [mark] : [] });
  };
  const asked: { answer: (unread: Unread) => void; fail: (error: Error) => void }[] = [];
  const unread = (): Promise<Unread> => new Promise((answer, fail) => asked.push({ answer, fail }));
  const online = { here: true };
  const tally = new EdgeTally();
  const log = createLog({ level: "silent", format: "json", name: "test" });
  const audience = new Set(attended ? [BEN] : []);
  const receipts = new Receipts({
    rooms: { readings },
    audiences: {
      audience: () => audience,
      attended: () => (attended ? [ROOM] : []),
    },
    publish: (_, data) => void published.push(decodeServerFrame(data)),
    tally,
    log,
  });
  const devices = {
    tell: (_: UserId, frame: ServerFrame) => told.push(frame) > 0,
    has: () => online.here,
  };
  const counts = new OwnCounts({ rooms: { unread }, devices, tally, log });
  const hear = (more: Partial<Bell>): void => {
    const [from, to] = ["1-0" as Position, "2-0" as Position];
    const bell: Bell = { from, to, outcomes: [], entries: [], rooms: [], ...more };
    receipts.hear(bell);
    counts.hear(bell);
  };
  const moved = (through: number, atHead: boolean, seen: number | null = null): void => {
    const told = seen as MovedMark["told"];
    hear({ marks: [{ room: ROOM, user: "ann" as UserId, through: through as Seq, atHead, told }] });
  };
  const answer = async (through: number, unread: number, head: number): Promise<void> => {
    asked.shift()?.answer({ through: through as Seq, unread, mentions: 0, head: head as Seq });
    await new Promise((resolve) => setImmediate(resolve));
  };
  const fail = async (): Promise<void> => {
    asked.shift()?.fail(new Error("away"));
    await vi.advanceTimersByTimeAsync(0);
  };
  return { receipts, counts, online, room, told, published, asked, hear, moved, answer, fail };
}
const BEN: Attendee = {
  user: "ben" as UserId,
  encoding: "binary",
  begin: () => undefined,
  send: () => undefined,
};
const frame = (through: number, unread: number, head: number): object => {
  return { type: "unread", room: "general", through, unread, mentions: 0, head };
};

it("[UN5] counts that were read before a move are not told after it", async () => {
  const { told, moved, answer } = newReceipts();
  moved(5, false);
  moved(9, true);
  expect(told).toEqual([frame(9, 0, 9)]);
  await answer(5, 4, 9);
  moved(3, false);
  moved(4, false);
  await answer(3, 6, 9);
  expect(told).toEqual([frame(9, 0, 9)]);
  await answer(4, 5, 9);
  expect(told.slice(1)).toEqual([frame(4, 5, 9)]);
});

it("[UN5] counts of a move that is still the newest are told as of what was read", async () => {
  const { told, asked, moved, answer } = newReceipts();
  moved(5, false);
  await answer(6, 3, 10);
  moved(7, false);
  await answer(7, 2, 10);
  expect(told).toEqual([frame(6, 3, 10), frame(7, 2, 10)]);
  expect(asked).toEqual([]);
});

it("[UN5] counts that could not be read are read again after a pause, for as long as they are wanted", async () => {
  vi.useFakeTimers();
  const { counts, online, told, asked, moved, fail } = newReceipts();
  const pause = (): Promise<unknown> => vi.advanceTimersByTimeAsync(COUNTS_RETRY_MS);
  moved(5, false);
  await fail();
  moved(6, false);
  expect(asked).toEqual([]);
  await pause();
  expect(asked).toHaveLength(1);
  asked[0]?.answer({ through: 6 as Seq, unread: 3, mentions: 0, head: 9 as Seq });
  await pause();
  expect(told).toEqual([frame(6, 3, 9)]);
  asked.length = 0;
  // Read to the end meanwhile, gone, or stopped.
  moved(7, false);
  moved(9, true);
  await fail();
  await pause();
  moved(4, false);
  await fail();
  online.here = false;
  await pause();
  online.here = true;
  moved(5, false);
  await fail();
  counts.stop();
  await pause();
  expect(asked).toEqual([]);
  expect(told.slice(1)).toEqual([frame(9, 0, 9)]);
});

it("[UN9] a private move is told to the reader and to nobody else, a public one as far as others see", async () => {
  vi.useFakeTimers();
  const { told, published, moved } = newReceipts(true);
  moved(9, true);
  await vi.advanceTimersByTimeAsync(2 * TELL_MS);
  expect(told).toEqual([frame(9, 0, 9)]);
  expect(published).toEqual([]);
  moved(9, true, 5);
  await vi.advanceTimersByTimeAsync(2 * TELL_MS);
  const marks = [{ user: "ann", through: 5 }];
  expect(published).toEqual([{ type: "receipts", room: ROOM, whole: false, marks }]);
});

it("[UN10] what waits to be told is not told after receipts were switched off, nor after missed bells", async () => {
  vi.useFakeTimers();
  const { receipts, room, published, hear, moved } = newReceipts(true);
  const whole = (marks: object[]): object => ({ type: "receipts", room: ROOM, whole: true, marks });
  moved(5, false, 5);
  room.receiptsOn = false;
  hear({ switched: [ROOM] });
  await vi.advanceTimersByTimeAsync(2 * TELL_MS);
  expect(published).toEqual([whole([])]);
  moved(6, false, 6);
  receipts.missed(null);
  await vi.advanceTimersByTimeAsync(2 * TELL_MS);
  expect(published.slice(1)).toEqual([whole([])]);
  room.receiptsOn = true;
  hear({ switched: [ROOM] });
  await vi.advanceTimersByTimeAsync(2 * TELL_MS);
  expect(published.slice(2)).toEqual([whole([{ user: "ann", through: 3 }])]);
  receipts.stop();
});

it("[UN10] a switch in a room that nobody here attends has nothing read", () => {
  const { room, hear } = newReceipts(false);
  hear({ switched: [ROOM] });
  expect(room.reads).toBe(0);
});

describe("a large room", () => {
  const entries = [{ room: ROOM } as BellEntry];
  const readers = (count: number): object => {
    return { type: "readers", room: ROOM, steps: [{ through: 3, readers: count }] };
  };
  const later = (): Promise<unknown> => vi.advanceTimersByTimeAsync(2 * TELL_READERS_MS);

  async function newLarge() {
    vi.useFakeTimers();
    const large = newReceipts(true);
    large.room.readers = 501;
    large.receipts.attended(ROOM, BEN);
    await later();
    return large;
  }

  it("[UN8] is told of again after entries: who says something, comes or leaves counts too", async () => {
    const { room, published, hear } = await newLarge();
    expect(room.reads).toBe(1);
    hear({ entries });
    await later();
    // Not all may have been told the same before.
    expect(published).toEqual([readers(501)]);
    room.readers = 502;
    for (let i = 0; i < 5; i++) hear({ entries });
    await later();
    hear({ rooms: [ROOM] });
    await later();
    expect(published.slice(1)).toEqual([readers(502)]);
    expect(room.reads).toBe(4);
  });

  it("[UN8] in which receipts are off is not read after entries", async () => {
    const { room, published, hear } = await newLarge();
    room.receiptsOn = false;
    hear({ switched: [ROOM] });
    await later();
    expect(published).toEqual([{ type: "readers", room: ROOM, steps: [] }]);
    const { reads } = room;
    hear({ entries });
    await later();
    expect(room.reads).toBe(reads);
  });

  it("[UN8] is told of as it is after somebody has come who was told other counts", async () => {
    const { room, receipts, published, hear } = await newLarge();
    hear({ entries });
    await later();
    room.readers = 502;
    receipts.attended(ROOM, BEN);
    await later();
    room.readers = 501;
    hear({ entries });
    await later();
    expect(published).toEqual([readers(501), readers(501)]);
  });

  it("[UN8] that is one no more is told whole, not only what has moved", async () => {
    const { room, published, moved } = await newLarge();
    room.readers = null;
    moved(9, true, 9);
    await later();
    const marks = [{ user: "ann", through: 3 }];
    expect(published).toEqual([{ type: "receipts", room: ROOM, whole: true, marks }]);
    moved(9, true, 9);
    await later();
    expect(published.slice(1)).toMatchObject([{ whole: false }]);
  });
});
