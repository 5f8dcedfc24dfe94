/** What projectors have made of a log that `fillLog` filled. */
import { decodeEntry } from "../../src/protocol/codec.ts";
import { pipeline, type Redis } from "../../src/redis/connect.ts";
import { asTextOrNull, readEntries } from "../../src/redis/replies.ts";
import { readConversationEntry } from "../../src/streams/conversation.ts";
import type { Keys } from "../../src/streams/keys.ts";
import { filledRoom } from "./log-filler.ts";

const ROOMS_AT_ONCE = 50;

export interface StoredRooms {
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly entries: number;
  /** Of the encoded entries, as clients get them. */
  readonly payloadBytes: number;
}

/** Commands that all partitions together have been projected to. */
export async function appliedCommands(redis: Redis, keys: Keys): Promise<number> {
  const reads = [...keys.all()].map((partition) => [
    "HGET",
    keys.checkpoint(partition),
    "commands",
  ]);
  const counts = (await pipeline(redis, reads)).map((reply) => Number(asTextOrNull(reply) ?? 0));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Every entry of every room: seq from 1 without a hole, each command once and in its sender's order. */
export async function checkStoredRooms(
  redis: Redis,
  keys: Keys,
  expected: { readonly rooms: number; readonly entriesPerRoom: number },
): Promise<StoredRooms> {
  const { rooms, entriesPerRoom } = expected;
  const sum = { lost: 0, doubled: 0, reordered: 0, entries: 0, payloadBytes: 0 };
  for (let r = 0; r < rooms; r += ROOMS_AT_ONCE) {
    const some = Array.from({ length: Math.min(ROOMS_AT_ONCE, rooms - r) }, (_, i) => r + i);
    const reads = some.map((room) => {
      const name = filledRoom(room);
      return ["XRANGE", keys.conversation(keys.partitionOf(name), name), "-", "+"];
    });
    for (const reply of await pipeline(redis, reads)) {
      const found = checkRoom(reply, entriesPerRoom);
      for (const name of Object.keys(sum) as (keyof StoredRooms)[]) sum[name] += found[name];
    }
  }
  return sum;
}

/** `reply` to an XRANGE over the whole conversation. */
export function checkRoom(reply: unknown, expected: number): StoredRooms {
  let [doubled, reordered, payloadBytes] = [0, 0, 0];
  const seen = new Set<string>();
  const newest = new Map<string, number>();
  const entries = readEntries(reply);
  entries.forEach(({ id, fields }, i) => {
    const { payload } = readConversationEntry(id, fields);
    const { seq, by, k } = decodeEntry(payload);
    payloadBytes += payload.length;
    if (seen.has(`${k} ${by}`)) doubled++;
    else if (seq !== i + 1 || k <= (newest.get(by) ?? 0)) reordered++;
    seen.add(`${k} ${by}`);
    newest.set(by, k);
  });
  const lost = expected - seen.size;
  return { lost, doubled, reordered, entries: entries.length, payloadBytes };
}
