/** All dashboards, in the order in which to look at them, and the README that goes with them. */
import { edges } from "./edges.ts";
import { k6 } from "./k6.ts";
import { overview } from "./overview.ts";
import type { DashboardSource, Panel, Red } from "./panel.ts";
import { people } from "./people.ts";
import { projectors } from "./projectors.ts";
import { redis } from "./redis.ts";
import { rooms } from "./rooms.ts";

export const DASHBOARDS: readonly DashboardSource[] = [
  overview,
  edges,
  projectors,
  rooms,
  people,
  redis,
  k6,
];

export function panelsOf(dashboard: DashboardSource): readonly Panel[] {
  return dashboard.sections.flatMap(({ panels }) => panels);
}

/** One line per panel, a table per dashboard. */
export function panelTables(): string {
  return DASHBOARDS.map((dashboard) => {
    const rows = panelsOf(dashboard).map(
      ({ title, red, shows, act }) => `| ${title} | ${shows} | ${limitOf(red)} | ${act} |`,
    );
    return [
      `### ${dashboard.title}`,
      "",
      dashboard.about,
      "",
      "| panel | shows | red | what to do, or to read it with |",
      "| --- | --- | --- | --- |",
      ...rows,
    ].join("\n");
  }).join("\n\n");
}

function limitOf(red: Red): string {
  if (red === "never") return "never";
  const [word, limit] = "above" in red ? ["from", red.above] : ["below", red.below];
  return `${word} ${limit.toLocaleString("en-US")}`;
}
