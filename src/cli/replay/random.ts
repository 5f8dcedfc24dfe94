/** Repeatable chance: the same seed gives the same numbers on every machine (mulberry32). */
export type Random = () => number;

export const SEED_MAX = 2 ** 32 - 1;

/** Numbers from 0 up to 1, 1 itself excluded. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0 up to `below`, itself excluded. */
export function randomBelow(random: Random, below: number): number {
  return Math.floor(random() * below);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  if (from.length === 0) throw new RangeError("there is nothing to pick from");
  return from[randomBelow(random, from.length)] as T;
}
