/** How the search for the highest rate judges what it has measured. */
import { describe, expect, it } from "vitest";

import type { Completeness, LoadReport, Percentiles } from "../../bench/load/plan.ts";
import { halfWay, judge, type Verdict } from "../../bench/scenarios/limit.ts";

const NOTHING_WRONG: Completeness = {
  sent: 100,
  delivered: 400,
  lost: 0,
  doubled: 0,
  reordered: 0,
  disagreed: 0,
  refused: 0,
  closed: 0,
  unfinished: false,
};

function verdict(p99: number, wrong: Partial<Completeness> = {}): Verdict {
  const latencyMs: Percentiles = { samples: 400, p50: 1, p99, p999: p99, max: p99 };
  const report: LoadReport = {
    completeness: { ...NOTHING_WRONG, ...wrong },
    messages: 100,
    latencyMs,
    latenessMs: latencyMs,
    cpuShare: 0.5,
    frames: 1,
  };
  return judge({ report });
}

describe("a rate", () => {
  it("holds up to a p99 of 100 ms, and no further", () => {
    expect(verdict(100)).toBe("held");
    expect(verdict(100.001)).toBe("late");
  });

  it("is past the limit when the engine said so, whatever is missing then", () => {
    expect(verdict(10, { refused: 1, lost: 40 })).toBe("putOff");
    expect(verdict(10, { closed: 1, lost: 40 })).toBe("putOff");
    expect(verdict(10, { unfinished: true, lost: 40 })).toBe("unfinished");
  });

  it.each([{ lost: 1 }, { doubled: 1 }, { reordered: 1 }, { doubled: 1, refused: 1 }])(
    "is broken with %j",
    (wrong) => {
      expect(verdict(10, wrong)).toBe("broken");
    },
  );
});

describe("the last step", () => {
  const tried = (messagesPerSec: number, verdict: Verdict) => ({ messagesPerSec, verdict });

  it("lies half-way between the last that held and the first that did not", () => {
    expect(halfWay([tried(6_000, "held"), tried(8_000, "held"), tried(10_000, "late")])).toBe(
      9_000,
    );
  });

  it("is left out where nothing held, and where nothing failed", () => {
    expect(halfWay([tried(6_000, "late")])).toBeNull();
    expect(halfWay([tried(6_000, "held"), tried(8_000, "held")])).toBeNull();
    expect(halfWay([])).toBeNull();
  });
});
