import { describe, expect, it } from "vitest";

import { Pace } from "../../src/ops/pace.ts";

const BOUNDS = { busyAt: 400, restMinMs: 1, fullAt: 8_000, restMaxMs: 5 } as const;

/** The rest after `ms` of a steady rate, looked at once a millisecond. */
function restAt(perSecond: number, ms = 2_000): number {
  const pace = new Pace(BOUNDS, 0);
  let rest = 0;
  for (let now = 1; now <= ms; now++) {
    pace.note(perSecond / 1_000);
    rest = pace.restMs(now);
  }
  return rest;
}

describe("pace", () => {
  it.each([
    [0, 0],
    [399, 0],
    [401, 1],
    [4_200, 3],
    [8_000, 5],
    [50_000, 5],
  ])("[OP51] at %i messages a second rests %i ms", (perSecond, restMs) => {
    expect(restAt(perSecond)).toBeCloseTo(restMs, 1);
  });

  it("[OP51] never rests less as the rate grows", () => {
    const rests = Array.from({ length: 100 }, (_, i) => restAt(i * 100));
    expect(rests).toEqual([...rests].sort((a, b) => a - b));
  });

  it("[OP51] is quick to rise and quick to fall back to blocking", () => {
    const pace = new Pace(BOUNDS, 0);
    let now = 0;
    const run = (perSecond: number, ms: number): number => {
      for (const end = now + ms; now < end;) {
        pace.note(perSecond / 1_000);
        pace.restMs(++now);
      }
      return pace.restMs(++now);
    };
    expect(run(10_000, 100)).toBeGreaterThan(0);
    run(10_000, 1_000);
    expect(run(0, 1_000)).toBe(0);
  });

  it("[OP51] asked twice in one moment neither forgets nor divides by nothing", () => {
    const pace = new Pace(BOUNDS, 5);
    pace.note(100);
    expect(pace.restMs(5)).toBe(0);
    expect(pace.restMs(25)).toBeGreaterThan(0);
    expect(Number.isFinite(pace.perSecond)).toBe(true);
  });
});
