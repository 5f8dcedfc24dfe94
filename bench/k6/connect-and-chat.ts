/** People buy tickets, connect, join rooms of ten and talk. */
import { crowdOptions } from "./crowd-options.ts";
import { takeParts } from "./crowd.ts";
import { givenPlan } from "./given-plan.ts";
import { connectMs, delivered, deliveryMs, thresholds } from "./measures.ts";
import { setStage, type Stage } from "./stage.ts";
import { summaryOf } from "./summary.ts";

const plan = givenPlan("connect-and-chat");
const sockets = plan.vus * plan.sockets;

export const options = crowdOptions(
  plan,
  thresholds(plan, {
    finished: sockets,
    timed: [deliveryMs.name, connectMs.name],
    some: [delivered.name],
  }),
);

export const setup = (): Promise<Stage> => setStage(plan, sockets);
export const handleSummary = summaryOf(plan);

export default function connectAndChat(stage: Stage): Promise<void> {
  const rules = { tickets: true, lively: true, speakers: sockets, absences: () => [] };
  return takeParts(plan, stage, rules);
}
