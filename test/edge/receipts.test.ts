/** What is told to the reader, and in which order: the counts come when the test says so. */
import { expect, it } from "vitest";
import { EdgeTally } from "../../src/edge/edge-tally.ts";
import { Receipts } from "../../src/edge/receipts.ts";
import type { RoomList, Unread } from "../../src/edge/room-list.ts";
import { createLog } from "../../src/ops/log.ts";
import type { ServerFrame } from "../../src/protocol/frames.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import type { MovedMark } from "../../src/streams/bell.ts";
import type { Position } from "../../src/redis/position.ts";

function newReceipts() {
  const told: ServerFrame[] = [];
  const asked: ((unread: Unread) => void)[] = [];
  const unread = (): Promise<Unread> => new Promise((answer) => asked.push(answer));
  const receipts = new Receipts({
    rooms: { unread } as Pick<RoomList, "unread"> as RoomList,
    host: {
      tell: (_, frame) => told.push(frame) > 0,
      has: () => true,
      audience: () => new Set(),
      attended: () => [],
    },
    publish: () => undefined,
    tally: new EdgeTally(),
    log: createLog({ level: "silent", format: "json", name: "test" }),
  });
  const moved = (through: number, atHead: boolean): void => {
    const about = { room: "general" as RoomId, user: "ann" as UserId, shown: false };
    const mark: MovedMark = { ...about, through: through as Seq, atHead };
    const [from, to] = ["1-0" as Position, "2-0" as Position];
    receipts.hear({ from, to, outcomes: [], entries: [], rooms: [], marks: [mark] });
  };
  const answer = async (through: number, unread: number, head: number): Promise<void> => {
    asked.shift()?.({ through: through as Seq, unread, mentions: 0, head: head as Seq });
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { told, asked, moved, answer };
}
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
