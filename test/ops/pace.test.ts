import { describe, expect, it } from "vitest";

import { Pace, restOf } from "../../src/ops/pace.ts";

const BOUNDS = { busyAt: 400, minMs: 1, fullAt: 8_000, maxMs: 5 } as const;

/** The pace after `ms` of a steady rate, looked at once a millisecond. */
function paceAt(perSecond: number, ms = 2_000): number {
  const pace = new Pace(BOUNDS, 0);
  let paceMs = 0;
  for (let now = 1; now <= ms; now++) {
    pace.note(perSecond / 1_000);
    paceMs = pace.paceMs(now);
  }
  return paceMs;
}

describe("pace", () => {
  it.each([
    [0, 0],
    [399, 0],
    [401, 1],
    [4_200, 3],
    [8_000, 5],
    [50_000, 5],
  ])("[OP51] at %i messages a second is %i ms", (perSecond, paceMs) => {
    expect(paceAt(perSecond)).toBeCloseTo(paceMs, 1);
  });

  it("[OP51] is never quicker as the rate grows", () => {
    const paces = Array.from({ length: 100 }, (_, i) => paceAt(i * 100));
    expect(paces).toEqual([...paces].sort((a, b) => a - b));
  });

  it("[OP51] leaves less to rest the longer a tick took", () => {
    expect([restOf(5, 0), restOf(5, 2), restOf(5, 5), restOf(5, 9)]).toEqual([5, 3, 0, 0]);
  });

  it("[OP51] is quick to rise and quick to fall back to blocking", () => {
    const pace = new Pace(BOUNDS, 0);
    let now = 0;
    const run = (perSecond: number, ms: number): number => {
      for (const end = now + ms; now < end;) {
        pace.note(perSecond / 1_000);
        pace.paceMs(++now);
      }
      return pace.paceMs(++now);
    };
    expect(run(10_000, 100)).toBeGreaterThan(0);
    run(10_000, 1_000);
    expect(run(0, 1_000)).toBe(0);
  });

  it("[OP51] asked twice in one moment neither forgets nor divides by nothing", () => {
    const pace = new Pace(BOUNDS, 5);
    pace.note(100);
    expect(pace.paceMs(5)).toBe(0);
    expect(pace.paceMs(25)).toBeGreaterThan(0);
    expect(Number.isFinite(pace.perSecond)).toBe(true);
  });
});
