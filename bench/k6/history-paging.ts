/** Long histories are read from one end to the other, by HTTP and by socket, while they grow. */
import { check } from "k6";
import exec from "k6/execution";
import type { Options } from "k6/options";

import { secondsMax, TREND_STATS } from "./crowd-options.ts";
import { takePart } from "./crowd.ts";
import { givenPlan } from "./given-plan.ts";
import { enter, walkByHttp, walkBySocket, type Walk } from "./history-walk.ts";
import { announceZeros, delivered, finished, pageMs, thresholds, walks } from "./measures.ts";
import { until } from "./moments.ts";
import { roomOf, setStage, urlOf, type Stage } from "./stage.ts";
import { summaryOf } from "./summary.ts";

const plan = givenPlan("history-paging");
/** One writer in each room, all in one VU. */
const writers = plan.rooms;
const readers = plan.vus * (plan.sockets + 1);
const seconds = secondsMax(plan, readers);

const once = {
  executor: "per-vu-iterations",
  iterations: 1,
  maxDuration: `${seconds}s`,
  gracefulStop: "0s",
} as const;

export const options: Options = {
  scenarios: {
    "history-paging": { ...once, vus: plan.vus, exec: "read" },
    "history-writing": { ...once, vus: 1, exec: "write" },
  },
  setupTimeout: `${seconds}s`,
  summaryTrendStats: TREND_STATS,
  thresholds: thresholds(plan, {
    finished: readers + writers,
    timed: [`${pageMs.name}{via:http}`, `${pageMs.name}{via:socket}`],
    some: [delivered.name, `${walks.name}{via:http}`, `${walks.name}{via:socket}`],
  }),
};

export const setup = (): Promise<Stage> => setStage(plan, writers);
export const handleSummary = summaryOf(plan);

export async function write(stage: Stage): Promise<void> {
  const user = `writer-${plan.run}`;
  const rules = { tickets: false, lively: false, speakers: writers, absences: () => [] };
  const indexes = Array.from({ length: writers }, (_, i) => i);
  await Promise.all(indexes.map((index) => takePart(plan, stage, { ...rules, index, user })));
}

/** Each VU reads with its sockets and, at the same time, once by HTTP. */
export async function read(stage: Stage): Promise<void> {
  announceZeros();
  const vu = exec.vu.idInTest - 1;
  const user = `u${plan.run}-${vu}`;
  const walk = (i: number): Walk => {
    const index = vu * plan.sockets + i;
    const room = roomOf(plan, index);
    const device = `d${plan.run}-${index}`;
    return { plan, url: urlOf(plan, index), room, user, device };
  };
  const places = Array.from({ length: plan.sockets }, (_, i) => walk(i));
  const devices = await Promise.all(places.map(enter));
  await until(stage.talkFromMs);
  const results = await Promise.all([
    ...devices.map((device, i) => walkBySocket(device, walk(i), stage.talkUntilMs)),
    walkByHttp(walk(0), stage.talkUntilMs),
  ]);
  for (const whole of results) {
    check(whole, { "every history was whole": (isWhole) => isWhole });
    finished.add(1);
  }
}
