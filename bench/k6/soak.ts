/** A quiet day: rooms of ten, and people who come and go. */
import { crowdOptions } from "./crowd-options.ts";
import { takeParts, type Absence } from "./crowd.ts";
import { givenPlan } from "./given-plan.ts";
import { delivered, deliveryMs, reconnects, resumeMs, thresholds } from "./measures.ts";
import { setStage, type Stage } from "./stage.ts";
import { summaryOf } from "./summary.ts";

const STAY_MS = { least: 20_000, most: 120_000 } as const;
const AWAY_MS = { least: 200, most: 10_000 } as const;
/** So that a run of a few seconds sees everybody go once as well. */
const STAYS_MIN = 2;

const plan = givenPlan("soak");
const sockets = plan.vus * plan.sockets;

export const options = crowdOptions(
  plan,
  thresholds(plan, {
    finished: sockets,
    timed: [deliveryMs.name, resumeMs.name],
    some: [delivered.name, reconnects.name],
  }),
);

export const setup = (): Promise<Stage> => setStage(plan, sockets);
export const handleSummary = summaryOf(plan);

export default function soak(stage: Stage): Promise<void> {
  const rules = { tickets: false, lively: true, speakers: sockets, absences };
  return takeParts(plan, stage, rules);
}

function absences(): Absence[] {
  const wholeMs = plan.seconds * 1_000;
  const found: Absence[] = [];
  for (let atMs = stay(wholeMs); atMs < wholeMs;) {
    const forMs = Math.min(between(AWAY_MS), wholeMs - atMs);
    found.push({ atMs, forMs });
    atMs += forMs + stay(wholeMs);
  }
  return found;
}

function stay(wholeMs: number): number {
  return Math.min(between(STAY_MS), wholeMs / STAYS_MIN);
}

function between({ least, most }: { least: number; most: number }): number {
  return least + Math.random() * (most - least);
}
