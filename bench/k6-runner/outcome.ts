/** What a run came to: k6's summary, reduced to what this repository measures. */
import type { Sizes, ScenarioName } from "../k6/plan.ts";

/** In ms. */
export interface Timing {
  readonly name: string;
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}
export interface Verdict {
  readonly metric: string;
  readonly threshold: string;
  readonly held: boolean;
}
export interface Check {
  readonly name: string;
  readonly passes: number;
  readonly fails: number;
}

export interface Outcome {
  readonly scenario: ScenarioName;
  readonly sizes: Sizes;
  readonly timings: readonly Timing[];
  /** Counters, without their `chat_`. */
  readonly counts: Readonly<Record<string, number>>;
  readonly checks: readonly Check[];
  readonly verdicts: readonly Verdict[];
  /** Resident MiB of each process of a private engine, before and after the run. */
  readonly memory: readonly {
    readonly name: string;
    readonly before: number;
    readonly after: number;
  }[];
}

/** The part of k6's summary that is read here. */
interface Summary {
  readonly root_group: { readonly checks: readonly Check[] };
  readonly metrics: Readonly<
    Record<
      string,
      {
        readonly type: string;
        readonly values: Readonly<Record<string, number>>;
        readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>;
      }
    >
  >;
}

const OURS = "chat_";

/** `text` is what the scenario's `handleSummary` wrote. */
export function readOutcome(
  text: string,
  run: Pick<Outcome, "scenario" | "sizes" | "memory">,
): Outcome {
  const summary = JSON.parse(text) as Summary;
  const metrics = Object.entries(summary.metrics).sort(([a], [b]) => a.localeCompare(b));
  const ours = metrics
    .filter(([name]) => name.startsWith(OURS))
    .map(([name, metric]) => ({ name: name.slice(OURS.length), ...metric }));
  const of = (type: string): typeof ours => ours.filter((metric) => metric.type === type);
  return {
    ...run,
    timings: of("trend").map(({ name, values }) => timing(name, values)),
    counts: Object.fromEntries(
      of("counter").map(({ name, values }) => [name, values["count"] ?? 0]),
    ),
    checks: summary.root_group.checks.map(({ name, passes, fails }) => ({ name, passes, fails })),
    verdicts: metrics.flatMap(([metric, { thresholds }]) =>
      Object.entries(thresholds ?? {}).map(([threshold, { ok }]) => ({
        metric,
        threshold,
        held: ok,
      })),
    ),
  };
}

function timing(name: string, values: Readonly<Record<string, number>>): Timing {
  const of = (stat: string): number => values[stat] ?? 0;
  return {
    name: name.replace(/_ms\b/, ""),
    count: of("count"),
    p50: of("med"),
    p95: of("p(95)"),
    p99: of("p(99)"),
    max: of("max"),
  };
}
