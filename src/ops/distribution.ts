/**
 * A histogram in plain numbers, for paths where an observation may cost a few
 * nanoseconds and no allocation; metrics.ts publishes it.
 */
export class Distribution {
  /** Upper bounds of the buckets, rising; what is above the last is counted too. */
  readonly bounds: readonly number[];
  /** One for each bound and one for the rest; not cumulative. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  note(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    (counts[bucket] as number)++;
    this.sum += value;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}

/** From a round trip on a unix socket to a command that timed out, in seconds. */
export const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 5,
] as const;
/** Commands of a batch; the last bound is the largest batch there is, times two. */
export const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 400] as const;

/** A count for each name of a closed set, from 0: what never happened is published too. */
export function countsOf<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
}
