/**
 * Which worker should own which partition: rendezvous hashing with a cap, so
 * that all workers agree without talking, the load is even, and a worker that
 * comes or goes moves few partitions.
 */
import type { PartitionId } from "../../streams/partitions.ts";

export function preferredOwners(
  partitions: number,
  workers: readonly string[],
): ReadonlyMap<PartitionId, string> {
  const cap = Math.ceil(partitions / Math.max(1, workers.length));
  const load = new Map<string, number>();
  const owners = new Map<PartitionId, string>();
  for (let p = 0; p < partitions; p++) {
    let best: string | null = null;
    let bestWeight = -1;
    for (const worker of workers) {
      if ((load.get(worker) ?? 0) >= cap) continue;
      const weight = hash(`${worker}/${p}`);
      if (weight > bestWeight) [best, bestWeight] = [worker, weight];
    }
    if (best === null) continue;
    owners.set(p as PartitionId, best);
    load.set(best, (load.get(best) ?? 0) + 1);
  }
  return owners;
}

/** FNV-1a with a finaliser: spreads short similar texts well enough. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
