/** Options of k6 for scenarios in which each VU does one thing, once. */
import type { Options } from "k6/options";

import { DRAIN_MS_MAX } from "./crowd.ts";
import type { Thresholds } from "./measures.ts";
import type { Plan } from "./plan.ts";
import { rampMs } from "./stage.ts";

/** Setting up, and whatever is slow on a busy machine. */
const SPARE_SEC = 90;

/** What the summary has of each trend. */
export const TREND_STATS = ["count", "min", "med", "p(95)", "p(99)", "max"];

export function secondsMax(plan: Plan, sockets: number): number {
  const around = (rampMs(sockets) + DRAIN_MS_MAX) / 1_000 + SPARE_SEC;
  return Math.ceil(plan.seconds + around);
}

export function crowdOptions(plan: Plan, thresholds: Thresholds): Options {
  return {
    scenarios: {
      [plan.scenario]: {
        executor: "per-vu-iterations",
        vus: plan.vus,
        iterations: 1,
        maxDuration: `${secondsMax(plan, plan.vus * plan.sockets)}s`,
        gracefulStop: "0s",
      },
    },
    setupTimeout: `${SPARE_SEC}s`,
    summaryTrendStats: TREND_STATS,
    thresholds,
  };
}
