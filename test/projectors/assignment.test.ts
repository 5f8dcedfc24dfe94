import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { preferredOwners } from "../../src/projectors/runtime/assignment.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";

const worker = fc
  .tuple(fc.integer({ min: 1, max: 65_535 }), fc.integer({ min: 0, max: 2 ** 31 }))
  .map(([pid, salt]) => `host.${pid}.${salt.toString(16)}`);
const workers = fc.uniqueArray(worker, { minLength: 1, maxLength: 12 });
const partitions = fc.integer({ min: 1, max: 256 });

function moved(
  before: ReadonlyMap<PartitionId, string>,
  after: ReadonlyMap<PartitionId, string>,
): number {
  return [...before].filter(([partition, owner]) => after.get(partition) !== owner).length;
}

describe("preferred owners", () => {
  it("[LE7] are one for each partition, and none has more than its share", () => {
    fc.assert(
      fc.property(partitions, workers, (count, live) => {
        const owners = preferredOwners(count, live);
        expect(owners.size).toBe(count);
        const load = new Map<string, number>();
        for (const owner of owners.values()) load.set(owner, (load.get(owner) ?? 0) + 1);
        expect(Math.max(...load.values())).toBeLessThanOrEqual(Math.ceil(count / live.length));
        for (const owner of load.keys()) expect(live).toContain(owner);
      }),
    );
  });

  it("[LE7] are the same for whoever asks", () => {
    fc.assert(
      fc.property(partitions, workers, (count, live) => {
        const [mine, theirs] = [preferredOwners(count, live), preferredOwners(count, [...live])];
        expect([...mine]).toEqual([...theirs]);
      }),
    );
  });

  it.each([2, 3, 4, 8])("[LE7] hardly move when one of %i workers goes or comes", (size) => {
    const count = 64;
    let total = 0;
    const rounds = 40;
    for (let round = 0; round < rounds; round++) {
      const live = Array.from(
        { length: size },
        (_, i) => `host.${round * 97 + i}.${round + i * 31}`,
      );
      const without = live.filter((_, i) => i !== round % size);
      const owners = preferredOwners(count, live);
      total += moved(owners, preferredOwners(count, without));
    }
    // What the leaver had must move; the cap moves some more in turn.
    const share = count / size;
    expect(total / rounds).toBeGreaterThanOrEqual(share * 0.8);
    expect(total / rounds).toBeLessThanOrEqual(share * 2);
  });

  it("[LE7] of nobody are none", () => {
    expect(preferredOwners(16, []).size).toBe(0);
  });
});
