/** A few talk in one room that everybody follows. */
import { crowdOptions } from "./crowd-options.ts";
import { takeParts } from "./crowd.ts";
import { givenPlan } from "./given-plan.ts";
import { delivered, deliveryMs, thresholds } from "./measures.ts";
import { setStage, type Stage } from "./stage.ts";
import { summaryOf } from "./summary.ts";

/** In each room. More of them change nothing but the number of last words. */
const SPEAKERS = 5;

const plan = givenPlan("large-room");
const sockets = plan.vus * plan.sockets;
const speakers = Math.min(sockets, SPEAKERS * plan.rooms);

export const options = crowdOptions(
  plan,
  thresholds(plan, {
    finished: sockets,
    timed: [deliveryMs.name],
    some: [delivered.name],
  }),
);

export const setup = (): Promise<Stage> => setStage(plan, sockets);
export const handleSummary = summaryOf(plan);

export default function largeRoom(stage: Stage): Promise<void> {
  const rules = { tickets: false, lively: false, speakers, absences: () => [] };
  return takeParts(plan, stage, rules);
}
