/** Which projector has which partition, and how far it has projected it, as Redis knows it. */
import { pipeline, type Redis } from "../../src/redis/connect.ts";
import { array, asTextOrNull } from "../../src/redis/replies.ts";
import type { Keys } from "../../src/streams/keys.ts";

const POLL_MS = 50;
const BALANCE_MS_MAX = 60_000;

export interface PartitionOwner {
  /** Process of the worker whose lease it is; null before the first. */
  readonly pid: number | null;
  readonly checkpoint: string;
}

/** In the order of the partitions. A lease that has run out still names its last owner. */
export async function partitionOwners(redis: Redis, keys: Keys): Promise<PartitionOwner[]> {
  const reads = [...keys.all()].flatMap((partition) => [
    ["HMGET", keys.lease(partition), "owner"],
    ["HMGET", keys.checkpoint(partition), "id"],
  ]);
  const texts = (await pipeline(redis, reads)).map((reply) => asTextOrNull(array(reply)[0]));
  return Array.from({ length: keys.partitions }, (_, p) => ({
    pid: pidOf(texts[2 * p] ?? null),
    checkpoint: texts[2 * p + 1] ?? "0-0",
  }));
}

/** A worker is called host.pid.random, and a host may have dots in its name. */
function pidOf(worker: string | null): number | null {
  const pid = Number(worker?.split(".").at(-2));
  return Number.isInteger(pid) ? pid : null;
}

/**
 * Waits until these processes have all partitions among them, as evenly as they
 * can be shared. Returns how many each has.
 */
export async function untilBalanced(
  redis: Redis,
  keys: Keys,
  pids: readonly number[],
): Promise<number[]> {
  const most = Math.ceil(keys.partitions / pids.length);
  const deadline = performance.now() + BALANCE_MS_MAX;
  while (performance.now() < deadline) {
    const owners = await partitionOwners(redis, keys);
    const counts = pids.map((pid) => owners.filter((owner) => owner.pid === pid).length);
    const owned = counts.reduce((sum, count) => sum + count, 0);
    if (owned === keys.partitions && Math.max(...counts) <= most) return counts;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`the projectors have not shared ${keys.partitions} partitions evenly`);
}
