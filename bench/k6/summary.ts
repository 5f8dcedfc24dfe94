/** What k6 leaves at the end of a run, for the runner to print and to keep. */
import type { Plan } from "./plan.ts";

/** The `handleSummary` of a scenario; without it k6 would print a page of its own. */
export function summaryOf(plan: Plan): (data: unknown) => Record<string, string> {
  return (data) => ({ [plan.summaryPath]: JSON.stringify(data) });
}
