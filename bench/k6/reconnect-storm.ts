/**
 * Everybody loses the connection at once, three times, and keeps typing: what
 * was on its way is sent again, what was missed is read from the cursor on.
 */
import { crowdOptions } from "./crowd-options.ts";
import { takeParts, type Absence } from "./crowd.ts";
import { givenPlan } from "./given-plan.ts";
import { delivered, reconnects, resumeMs, thresholds } from "./measures.ts";
import { setStage, type Stage } from "./stage.ts";
import { summaryOf } from "./summary.ts";

const STORMS = 3;
/** What docs/client-protocol.md asks of a client before its first attempt. */
const JITTER_MS = 250;

const plan = givenPlan("reconnect-storm");
const sockets = plan.vus * plan.sockets;

export const options = crowdOptions(
  plan,
  thresholds(plan, {
    finished: sockets,
    timed: [resumeMs.name],
    some: [delivered.name, reconnects.name],
  }),
);

export const setup = (): Promise<Stage> => setStage(plan, sockets);
export const handleSummary = summaryOf(plan);

export default function reconnectStorm(stage: Stage): Promise<void> {
  const rules = { tickets: false, lively: false, speakers: sockets, absences };
  return takeParts(plan, stage, rules);
}

function absences(): Absence[] {
  const apartMs = (plan.seconds * 1_000) / (STORMS + 1);
  return Array.from({ length: STORMS }, (_, i) => {
    return { atMs: (i + 1) * apartMs, forMs: Math.random() * JITTER_MS };
  });
}
