/** What a panel is, before Grafana's JSON is made of it. */

/** Grafana's names of units. */
export type Unit =
  | "short"
  | "s"
  | "bytes"
  | "Bps"
  | "reqps"
  | "percentunit"
  | "bool_yes_no"
  | "ops";

export interface Query {
  readonly expr: string;
  /** With `{{label}}` for labels of the result. */
  readonly legend: string;
}

/** When a panel turns red; `never` for figures that explain others. */
export type Red = { readonly above: number } | { readonly below: number } | "never";

export interface Panel {
  readonly title: string;
  /** `figure` shows the newest value alone. */
  readonly kind: "lines" | "figure";
  readonly unit: Unit;
  readonly queries: readonly Query[];
  readonly red: Red;
  /** One sentence: what is seen. */
  readonly shows: string;
  /** What to do when it is red, or what to read it together with. */
  readonly act: string;
}

export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface DashboardSource {
  /** File name and the end of its uid. */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly sections: readonly Section[];
}

/** Of a counter, over the window that Grafana finds fit for the resolution. */
export const RATE = "[$__rate_interval]";

/** `sum by (…) (rate(metric[…]))`; `by` may be empty. */
export function rate(metric: string, by = ""): string {
  const grouping = by === "" ? "" : ` by (${by})`;
  return `sum${grouping} (rate(${metric}${RATE}))`;
}

/** Quantiles of a histogram, one query each. */
export function quantiles(
  histogram: string,
  qs: readonly number[],
  { where = "", by = "" }: { where?: string; by?: string } = {},
): Query[] {
  const grouping = by === "" ? "le" : `le, ${by}`;
  const names =
    by === ""
      ? ""
      : ` ${by
          .split(", ")
          .map((label) => `{{${label}}}`)
          .join(" ")}`;
  return qs.map((q) => ({
    expr: `histogram_quantile(${q}, sum by (${grouping}) (rate(${histogram}_bucket${where}${RATE})))`,
    legend: `p${q * 100}${names}`,
  }));
}
