/** One row of the metric table: what a metric is, before it has a value. */
export type MetricType = "counter" | "gauge" | "histogram";
export type MetricRole = "edge" | "projector";

export interface MetricRow {
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  /** Of its value; of what is counted, for a counter. */
  readonly unit: string;
  readonly roles: readonly MetricRole[];
}

export const EDGE = ["edge"] as const;
export const PROJECTOR = ["projector"] as const;
export const BOTH = ["edge", "projector"] as const;

type Told<R extends readonly MetricRole[]> = readonly [
  type: MetricType,
  unit: string,
  roles: R,
  help: string,
];

/** One row; labels last, because few have some. */
export function row<const L extends readonly string[] = readonly []>(
  [type, unit, roles, help]: Told<readonly MetricRole[]>,
  labels?: L,
): MetricRow & { readonly labels: L } {
  return { type, unit, roles, help, labels: labels ?? ([] as unknown as L) };
}
