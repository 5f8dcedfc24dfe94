/** How far the users' lists are behind the outboxes of all partitions, as Redis has it. */
import { pipeline, type Redis } from "../redis/connect.ts";
import { positionMs } from "../redis/position.ts";
import { array, asInteger, readEntries } from "../redis/replies.ts";
import type { Keys } from "./keys.ts";
import type { PartitionId } from "./partitions.ts";

export interface OutboxReport {
  readonly partition: PartitionId;
  /** Given to a keeper of lists or not: what is done is deleted. */
  readonly changes: number;
  /** How long the oldest of them has waited, by the store's clock; 0 without one. */
  readonly lagMs: number;
}

/** One round trip, however many partitions there are. Rejects when Redis is away. */
export async function reportOutboxes(redis: Redis, keys: Keys): Promise<OutboxReport[]> {
  const partitions = [...keys.all()];
  const [time, ...replies] = await pipeline(redis, [
    ["TIME"],
    ...partitions.flatMap((partition) => [
      ["XLEN", keys.outbox(partition)],
      ["XRANGE", keys.outbox(partition), "-", "+", "COUNT", 1],
    ]),
  ]);
  const [seconds, micros] = array(time);
  const nowMs = asInteger(seconds) * 1_000 + Math.floor(asInteger(micros) / 1_000);
  return partitions.map((partition, i) => {
    const [oldest] = readEntries(replies[2 * i + 1]);
    const lagMs = oldest ? Math.max(0, nowMs - positionMs(oldest.id)) : 0;
    return { partition, changes: asInteger(replies[2 * i]), lagMs };
  });
}
