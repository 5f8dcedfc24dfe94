/**
 * How long the loops rest, what a message costs and how long it takes, over the load.
 * The rests are read off /metrics, in the warm-up: a scrape is work that no message causes.
 */
import type { Stack } from "../engine/stack.ts";
import { scrapeValues } from "../engine/scrape.ts";
import type { Measured } from "../load/measure.ts";
import { onEngine, type Shape } from "./one-run.ts";
import { faultsOf, percent, told, type Bench, type Scenario } from "./scenario.ts";

const RATES = [50, 100, 200, 400, 800, 1_600, 3_200, 6_400] as const;
const QUICK_RATES = [50, 800] as const;
const SHAPE = { rooms: 100, membersPerRoom: 4, quietRooms: 0, warmUpSec: 5, measureSec: 6 };
const QUICK_SHAPE = { ...SHAPE, rooms: 10, warmUpSec: 1, measureSec: 1 };
/** Of each role, spread over the second half of the warm-up. */
const SCRAPES = 8;

interface Rest {
  readonly name: string;
  /** Mean of what was scraped. */
  readonly restMs: number;
  /** That the loop goes by: what it appended and read, not what was sent. */
  readonly messagesPerSec: number;
}
interface Case {
  readonly messagesPerSec: number;
  readonly rests: readonly Rest[];
  readonly measured: Measured;
}

export const pace: Scenario = {
  name: "pace",
  about: "pace, latency and CPU over the load: 50 to 6,400 msg/s, a short look at each",
  points: "msg/s",
  async run(bench) {
    const cases: Case[] = [];
    for (const messagesPerSec of bench.points ?? (bench.quick ? QUICK_RATES : RATES)) {
      cases.push(await measure(bench, messagesPerSec));
    }
    const faults = cases.flatMap(({ messagesPerSec, measured }) =>
      faultsOf(`engine at ${messagesPerSec}/s`, measured.report),
    );
    return { cases, table: [HEAD, ...cases.map(row)], faults };
  },
};

async function measure(bench: Bench, messagesPerSec: number): Promise<Case> {
  const shape: Shape = { ...(bench.quick ? QUICK_SHAPE : SHAPE), messagesPerSec };
  const { measured, seen } = await onEngine(bench, `${messagesPerSec}/s`, shape, (stack) =>
    restsOf(stack, shape.warmUpSec),
  );
  return { messagesPerSec, rests: seen ?? [], measured };
}

async function restsOf({ scraped }: Stack, warmUpSec: number): Promise<Rest[]> {
  const halfMs = (warmUpSec * 1_000) / 2;
  const found = scraped.map(({ name, target }) => ({ name, target, restMs: 0, messagesPerSec: 0 }));
  await pause(halfMs);
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    await pause(halfMs / (SCRAPES + 1));
    for (const role of found) {
      const values = await scrapeValues(role.target, [
        "millrace_pace_rest_seconds",
        "millrace_pace_messages_per_second",
      ]);
      role.restMs += (values[0] as number) * 1_000;
      role.messagesPerSec += values[1] as number;
    }
  }
  return found.map(({ name, restMs, messagesPerSec }) => ({
    name,
    restMs: Math.round((restMs / SCRAPES) * 100) / 100,
    messagesPerSec: Math.round(messagesPerSec / SCRAPES),
  }));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const HEAD = [
  "msg/s",
  "rest ms",
  "CPU µs a message",
  "of it",
  "p50 ms",
  "p99 ms",
  "complete",
  "generator",
  "others",
];

function row({ messagesPerSec, rests, measured }: Case): string[] {
  const { report, processes, cpuUsPerMessage, othersShare } = measured;
  return [
    String(messagesPerSec),
    rests.map(({ name, restMs }) => `${name} ${restMs.toFixed(1)}`).join(", "),
    cpuUsPerMessage.toFixed(0),
    processes.map((each) => `${each.name} ${each.cpuUsPerMessage.toFixed(0)}`).join(", "),
    report.latencyMs.p50.toFixed(1),
    report.latencyMs.p99.toFixed(1),
    told(report.completeness),
    percent(report.cpuShare),
    percent(othersShare),
  ];
}
