import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { comparePositions, halves, ORIGIN, positionMs } from "../../src/redis/position.ts";
import type { Position } from "../../src/redis/position.ts";

const at = (ms: number, n: number): Position => `${ms}-${n}` as Position;
const half = fc.integer({ min: 0, max: 2 ** 47 });

describe("positions", () => {
  it("[IN1] order by number, not by text", () => {
    expect(comparePositions(at(5, 10), at(5, 9))).toBeGreaterThan(0);
    expect(comparePositions(at(9, 0), at(10, 0))).toBeLessThan(0);
    expect(comparePositions(ORIGIN, at(0, 1))).toBeLessThan(0);
    expect(comparePositions(at(7, 7), at(7, 7))).toBe(0);
  });

  it("[IN1] order as pairs of integers do", () => {
    fc.assert(
      fc.property(half, half, half, half, (aMs, aN, bMs, bN) => {
        const big = (ms: number, n: number): bigint => (BigInt(ms) << 64n) + BigInt(n);
        const [a, b] = [big(aMs, aN), big(bMs, bN)];
        const sign = a < b ? -1 : a > b ? 1 : 0;
        expect(Math.sign(comparePositions(at(aMs, aN), at(bMs, bN)))).toBe(sign);
      }),
    );
  });

  it("[IN1] say when their entry was appended", () => {
    expect(positionMs(at(1_700_000_000_000, 4_096))).toBe(1_700_000_000_000);
    expect(halves(at(1_700_000_000_000, 4_096))).toEqual([1_700_000_000_000, 4_096]);
  });
});
