/** The plan of this run, as k6 scripts read it. */
import { PLAN_VARIABLE, type Plan, type ScenarioName } from "./plan.ts";

// Set by k6; its own types would declare it for the whole repository.
declare const __ENV: Readonly<Record<string, string | undefined>>;

export function givenPlan(scenario: ScenarioName): Plan {
  const text = __ENV[PLAN_VARIABLE];
  if (text === undefined) {
    throw new Error(`start it with: npm run bench:k6 -- ${scenario}`);
  }
  return JSON.parse(text) as Plan;
}
