/** Plots of results that scenarios could have written. */
import { describe, expect, it } from "vitest";

import { svgOf } from "../../bench/report/plots/chart.ts";
import { figuresOf } from "../../bench/report/plots/figures.ts";
import { asResult, type Result } from "../../bench/report/results.ts";
import {
  measured,
  measuredPeer,
  ratesResult,
  resultsOf,
  resultWith,
} from "../capacity/sample-results.ts";

const rates = ratesResult();
const modes = ["direct", "bell"].flatMap((mode) => [10, 1_000].map((rooms) => ({ mode, rooms })));
const samples: readonly Result[] = [
  {
    ...rates,
    cases: rates.cases.map((each) => ({
      ...(each as object),
      socketIo: measuredPeer("socket.io", 300),
      pubSub: null,
    })),
  },
  resultWith(
    "rooms",
    modes.map((each) => ({ ...each, measured: measured(300) })),
  ),
  resultWith(
    "pace",
    [100, 1_000].map((messagesPerSec) => ({
      messagesPerSec,
      rests: [
        { name: "edge 1", restMs: 0, messagesPerSec },
        { name: "projector 1", restMs: 4, messagesPerSec },
      ],
      measured: measured(messagesPerSec),
    })),
  ),
  resultWith("tail-curve", [
    ...modes.map((each) => ({ ...each, redisUsPerMessage: each.rooms, lost: 0 })),
    { mode: "direct", rooms: 50_000, why: "not measured" },
  ]),
  resultWith(
    "scale",
    [1, 2, 4].map((projectors) => ({
      messagesPerSec: 1_000,
      projectors,
      measured: measured(1_000, { projectors }),
    })),
  ),
  resultWith("storm", [
    {
      report: {
        openedMs: { p50: 900, p99: 1_800, p999: 1_900, max: 2_000 },
        caughtUpMs: { p50: 2_000, p99: 4_000, p999: 4_400, max: 4_500 },
      },
    },
  ]),
];

describe("the plots", () => {
  const figures = figuresOf(resultsOf(...samples));

  it("are all there when every scenario was measured", () => {
    expect(figures.map(({ name }) => name)).toEqual([
      "latency-over-load",
      "latency-of-peers",
      "cpu-over-load",
      "cpu-by-role",
      "cpu-over-rooms",
      "pace-over-load",
      "xread-curve",
      "projectors",
      "storm",
    ]);
  });

  it.each(figures.map((figure) => [figure.name, figure] as const))(
    "%s is one SVG with its units, its source and its own background",
    (_, figure) => {
      const svg = svgOf(figure);
      expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*<\/svg>\n$/);
      expect(svg.match(/<svg/g)).toHaveLength(1);
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      expect(svg).toMatch(/<rect [^>]*fill="#ffffff"/);
      for (const text of [figure.title, figure.x.label, figure.y.label, figure.source]) {
        expect(svg).toContain(text);
      }
      for (const { name } of figure.series) expect(svg).toContain(name.replace("'", "&#39;"));
    },
  );

  it("are the same bytes for the same results", () => {
    const again = figuresOf(resultsOf(...samples));
    expect(again.map(svgOf)).toEqual(figures.map(svgOf));
  });

  it("name their file, date and commit", () => {
    expect(figures[0]?.source).toContain("2030-01-02-rates.json · 2030-01-02");
    expect(figures[0]?.source).toContain("0123456789ab");
  });

  it("leave out systems and cases that were not measured, or were past their limit", () => {
    const names = figures
      .find(({ name }) => name === "cpu-over-load")
      ?.series.map((each) => each.name);
    expect(names).toHaveLength(3);
    const curve = figures.find(({ name }) => name === "xread-curve");
    expect(curve?.series.map(({ points }) => points.length)).toEqual([2, 2]);
    const engine = measured(100) as { report: { completeness: object } };
    const refused = { ...engine.report.completeness, refused: 5 };
    const past = { ...engine, report: { ...engine.report, completeness: refused } };
    const only = resultWith("rates", [{ messagesPerSec: 100, engine: past }]);
    expect(figuresOf(resultsOf(only)).map(({ name }) => name)).not.toContain("cpu-over-load");
  });

  it("are not drawn from what lost a message", () => {
    expect(figuresOf(resultsOf({ ...rates, faults: ["lost 1"] }))).toEqual([]);
  });
});

describe("results", () => {
  it("are told from other files in their folder", () => {
    expect(asResult("k6-soak.json", { scenario: "soak" })).toBeNull();
    expect(asResult("a.json", [])).toBeNull();
    expect(asResult("rates.json", { ...rates })).toMatchObject({ file: "rates.json" });
  });
});
