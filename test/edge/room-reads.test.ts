/** Reads of rooms: how many at once, and what becomes of those that fail. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EdgeTally } from "../../src/edge/edge-tally.ts";
import type { Attendee } from "../../src/edge/presence-views.ts";
import { Receipts } from "../../src/edge/receipts.ts";
import type { RoomReadings } from "../../src/edge/room-list.ts";
import { ROOM_READS_AT_ONCE, ROOM_RETRY_MS, RoomReads } from "../../src/edge/room-reads.ts";
import { createLog } from "../../src/ops/log.ts";
import { decodeServerFrame, type Encoded } from "../../src/protocol/codec.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";

const log = createLog({ level: "silent", format: "json", name: "test" });
const roomsOf = (count: number): RoomId[] =>
  Array.from({ length: count }, (_, i) => `room-${i}` as RoomId);

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());
const turn = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1);

interface Asked {
  readonly room: RoomId;
  readonly answer: () => void;
  readonly fail: () => void;
}

function newReads() {
  const asked: Asked[] = [];
  const unwanted = new Set<RoomId>();
  const reads = new RoomReads({
    read: (room) =>
      new Promise((resolve, reject) => {
        asked.push({ room, answer: resolve, fail: () => reject(new Error("away")) });
      }),
    isWanted: (room) => !unwanted.has(room),
    log,
  });
  return { reads, asked, unwanted };
}

describe("rooms that are to be read", () => {
  it("[UN6] are read some at once, each once however often it is wanted meanwhile", async () => {
    const { reads, asked } = newReads();
    const rooms = roomsOf(ROOM_READS_AT_ONCE + 1);
    for (const room of [...rooms, ...rooms]) reads.want(room);
    await turn();
    expect(asked.map(({ room }) => room)).toEqual(rooms.slice(0, ROOM_READS_AT_ONCE));
    asked[3]?.answer();
    await turn();
    expect(asked.map(({ room }) => room)).toEqual(rooms);
    for (const { answer } of asked) answer();
    await turn();
    expect(asked).toHaveLength(rooms.length);
  });

  it("[UN6] are read once more when they are wanted during a read", async () => {
    const { reads, asked } = newReads();
    reads.want("one" as RoomId);
    await turn();
    for (let i = 0; i < 3; i++) reads.want("one" as RoomId);
    await turn();
    expect(asked).toHaveLength(1);
    asked[0]?.answer();
    await turn();
    expect(asked).toHaveLength(2);
  });

  it("[UN6] are read again after a pause when it failed, while somebody wants them", async () => {
    const { reads, asked, unwanted } = newReads();
    for (const room of roomsOf(3)) reads.want(room);
    await turn();
    for (const { fail } of asked.splice(0)) fail();
    reads.want("late" as RoomId);
    await vi.advanceTimersByTimeAsync(ROOM_RETRY_MS - 10);
    expect(asked).toEqual([]);
    unwanted.add("room-1" as RoomId);
    await vi.advanceTimersByTimeAsync(20);
    expect(asked.map(({ room }) => room).sort()).toEqual(["late", "room-0", "room-2"]);
    for (const { fail } of asked.splice(0)) fail();
    reads.stop();
    await vi.advanceTimersByTimeAsync(2 * ROOM_RETRY_MS);
    expect(asked).toEqual([]);
  });
});

describe("receipts after missed bells", () => {
  function newReceipts() {
    const answers: (RoomReadings | Error)[] = [];
    const published: unknown[] = [];
    const sent: unknown[] = [];
    const audience = new Set<Attendee>();
    let reads = 0;
    const readings = async (): Promise<RoomReadings> => {
      reads++;
      const answer = answers.shift();
      if (!answer || answer instanceof Error) throw answer ?? new Error("asked once more");
      return answer;
    };
    const receipts = new Receipts({
      rooms: { readings },
      audiences: {
        audience: () => audience,
        attended: () => (audience.size > 0 ? ["general" as RoomId] : []),
      },
      publish: (_, data) => published.push(decodeServerFrame(data)),
      tally: new EdgeTally(),
      log,
    });
    const attendee = (): Attendee => ({
      user: "ann" as UserId,
      encoding: "json",
      begin: () => undefined,
      send: (data: Encoded) => sent.push(decodeServerFrame(data)),
    });
    return { receipts, answers, published, sent, audience, attendee, reads: () => reads };
  }
  const marks = (through: number): RoomReadings => ({
    marks: [{ user: "ben" as UserId, through: through as Seq }],
  });
  const frame = (through: number): object => ({ type: "receipts", whole: true, ...marks(through) });

  it("[UN6] come whole to all who attend, also when the first read fails", async () => {
    const { receipts, answers, published, audience, attendee } = newReceipts();
    audience.add(attendee());
    answers.push(new Error("away"), new Error("away"), marks(7));
    receipts.missed(null);
    await vi.advanceTimersByTimeAsync(ROOM_RETRY_MS + 10);
    expect(published).toEqual([]);
    await vi.advanceTimersByTimeAsync(ROOM_RETRY_MS + 10);
    expect(published).toMatchObject([frame(7)]);
    receipts.stop();
  });

  it("[UN6] come to who has just come when the first read fails, and are read for nobody", async () => {
    const { receipts, answers, published, sent, audience, attendee, reads } = newReceipts();
    const one = attendee();
    audience.add(one);
    answers.push(new Error("away"), marks(3), new Error("away"));
    receipts.attended("general" as RoomId, one);
    await vi.advanceTimersByTimeAsync(ROOM_RETRY_MS + 10);
    expect(sent).toMatchObject([frame(3)]);
    expect(published).toEqual([]);
    receipts.missed(null);
    await turn();
    audience.clear();
    await vi.advanceTimersByTimeAsync(3 * ROOM_RETRY_MS);
    expect(reads()).toBe(3);
    receipts.stop();
  });
});
