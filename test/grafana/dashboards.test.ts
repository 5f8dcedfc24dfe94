/**
 * Dashboards, alerts and metrics name the same things, and what is committed is
 * what the generator makes. `npx vitest run test/grafana/dashboards.test.ts -u`
 * writes it anew.
 */
import { readFileSync, readdirSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { DASHBOARDS, panelsOf } from "../../grafana/generate/all.ts";
import { dashboardJson, descriptionOf } from "../../grafana/generate/dashboard.ts";
import { readme } from "../../grafana/generate/readme.ts";
import { METRICS } from "../../src/ops/metric-table.ts";
import { metricsIn } from "./metric-names.ts";

const ALERTS = readFileSync("grafana/alerts/millrace.yaml", "utf8");
const everyPanel = DASHBOARDS.flatMap(panelsOf);
const expressions = everyPanel.flatMap(({ queries }) => queries.map(({ expr }) => expr));

describe("dashboards", () => {
  it.each(DASHBOARDS.map((dashboard) => [dashboard.name, dashboard] as const))(
    "[OB4] %s is committed as it is generated",
    async (name, dashboard) => {
      const path = `../../grafana/dashboards/${name}.json`;
      await expect(dashboardJson(dashboard)).toMatchFileSnapshot(path);
    },
  );

  it("[OB4] there are no others", () => {
    const names = DASHBOARDS.map(({ name }) => `${name}.json`);
    expect(readdirSync("grafana/dashboards").sort()).toEqual(names.sort());
  });

  it("[OB5] the README has one line per panel", async () => {
    const text = readme();
    await expect(text).toMatchFileSnapshot("../../grafana/README.md");
    for (const { title } of everyPanel) expect(text).toContain(`| ${title} |`);
  });

  it("[OB5] every panel says what it shows and what to do", () => {
    for (const panel of everyPanel) {
      expect(panel.shows, panel.title).toMatch(/^[A-Z“`].{10,}\.$/);
      expect(panel.act.length, panel.title).toBeGreaterThan(15);
      expect(panel.red === "never" || descriptionOf(panel).includes("When red: ")).toBe(true);
    }
  });

  it("titles are told apart within a dashboard", () => {
    for (const dashboard of DASHBOARDS) {
      const titles = panelsOf(dashboard).map(({ title }) => title);
      expect(new Set(titles).size, dashboard.name).toBe(titles.length);
    }
  });
});

describe("names", () => {
  const asked = new Set([...expressions, ALERTS].flatMap(metricsIn));

  it("[OB3] every metric that dashboards and alerts ask for exists", () => {
    const ours = [...asked].filter((name) => !name.startsWith("k6_"));
    expect(ours.filter((name) => !(name in METRICS))).toEqual([]);
    expect(ours.length).toBeGreaterThan(50);
  });

  it("[OB3] every metric that exists is on a dashboard", () => {
    const shown = new Set(expressions.flatMap(metricsIn));
    expect(Object.keys(METRICS).filter((name) => !shown.has(name))).toEqual([]);
  });

  it("[OB3] the k6 dashboard asks for what the scenarios measure", () => {
    const source = readFileSync("bench/k6/measures.ts", "utf8");
    const measured = [...source.matchAll(/new (?:Trend|Counter)\("(\w+)"/g)].map(
      ([, name]) => name,
    );
    const known = [...measured, "vus", "checks"];
    const suffix = /^k6_(\w+?)_?(p50|p95|p99|max|total|rate)?$/;
    const k6 = [...asked].filter((name) => name.startsWith("k6_"));
    const bases = k6.map((name) => suffix.exec(name)?.[1]);
    expect(bases.filter((name) => !known.includes(name))).toEqual([]);
    expect(measured.filter((name) => !bases.includes(name))).toEqual([]);
  });

  it("finds names in expressions, histograms by their base", () => {
    const expr =
      'histogram_quantile(0.9, sum by (le) (rate(millrace_x_seconds_bucket{a="process_b"}[1m]))) / up';
    expect(metricsIn(expr)).toEqual(["millrace_x_seconds", "process_b"]);
  });

  it("[OB1] a metric's name tells type and unit, and no label names a user or a room", () => {
    for (const [name, { type, unit, labels, help }] of Object.entries(METRICS)) {
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      if (unit === "seconds") expect(name).toMatch(/_seconds(_total)?$/);
      if (unit === "bytes") expect(name).toMatch(/_bytes(_total)?$/);
      expect(labels.filter((label) => /user|room|device|token/.test(label))).toEqual([]);
      expect(help, name).toMatch(/\.$/);
    }
  });
});
