/** How far the projections of each partition are behind its log, as Redis has it. */
import { pipeline, type Redis } from "../redis/connect.ts";
import { ORIGIN, positionMs, type Position } from "../redis/position.ts";
import { array, asInteger, asTextOrNull, readEntries } from "../redis/replies.ts";
import { CORE_GROUP, type Keys } from "./keys.ts";
import type { PartitionId } from "./partitions.ts";

export interface PartitionReport {
  readonly partition: PartitionId;
  readonly group: string;
  /** The group's checkpoint. */
  readonly appliedTo: Position;
  /** Commands in the log that the group has not applied. */
  readonly lagCommands: number;
  /** How long the oldest of them has waited, by the store's clock. */
  readonly lagMs: number;
  readonly logEntries: number;
  readonly deadLetters: number;
}

/** Two round trips, however many partitions there are. Rejects when Redis is away. */
export async function reportPartitions(redis: Redis, keys: Keys): Promise<PartitionReport[]> {
  const partitions = [...keys.all()];
  const [time, ...replies] = await pipeline(redis, [
    ["TIME"],
    ...partitions.flatMap((partition) => [
      ["HGET", keys.log(partition), "commands"],
      ["HMGET", keys.checkpoint(partition), "id", "commands"],
      ["XLEN", keys.events(partition)],
      ["XLEN", keys.dead(partition)],
    ]),
  ]);
  const [seconds, micros] = array(time);
  const nowMs = asInteger(seconds) * 1_000 + Math.floor(asInteger(micros) / 1_000);
  const found = partitions.map((partition, i) => {
    const [appended, checkpoint, length, dead] = replies.slice(4 * i, 4 * i + 4);
    const [id, applied] = array(checkpoint);
    const lagCommands = countOf(appended) - countOf(applied);
    return {
      partition,
      group: CORE_GROUP,
      // The two counts are not read at one instant.
      lagCommands: Math.max(0, lagCommands),
      appliedTo: (asTextOrNull(id) ?? ORIGIN) as Position,
      logEntries: countOf(length),
      deadLetters: countOf(dead),
    };
  });
  const behind = found.filter(({ lagCommands }) => lagCommands > 0);
  const oldest = await oldestAfter(redis, keys, behind);
  return found.map((report) => {
    const sinceMs = oldest.get(report.partition) ?? nowMs;
    return { ...report, lagMs: Math.max(0, nowMs - sinceMs) };
  });
}

/** When the first log entry after each checkpoint was appended; XINFO's own lag is wrong after trimming. */
async function oldestAfter(
  redis: Redis,
  keys: Keys,
  behind: readonly { readonly partition: PartitionId; readonly appliedTo: Position }[],
): Promise<ReadonlyMap<PartitionId, number>> {
  if (behind.length === 0) return new Map();
  const replies = await pipeline(
    redis,
    behind.map(({ partition, appliedTo }) => [
      "XRANGE",
      keys.events(partition),
      `(${appliedTo}`,
      "+",
      "COUNT",
      1,
    ]),
  );
  return new Map(
    behind.flatMap(({ partition }, i) => {
      const [next] = readEntries(replies[i]);
      return next ? [[partition, positionMs(next.id)]] : [];
    }),
  );
}

function countOf(reply: unknown): number {
  return reply === null || reply === undefined ? 0 : asInteger(reply);
}
