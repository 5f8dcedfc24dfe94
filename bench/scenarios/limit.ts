/**
 * The highest rate at which the whole path still keeps its promise: p99 within
 * the bound and nothing lost, doubled or reordered. Climbs until a rate fails, then
 * looks once between the last two.
 */
import type { Measured } from "../load/measure.ts";
import { onEngine, type Shape } from "./one-run.ts";
import { percent, told, type Bench, type Scenario } from "./scenario.ts";

const P99_MS_MAX = 100;
const RATES = [6_000, 8_000, 10_000, 12_000, 14_000, 16_000, 20_000, 24_000, 32_000] as const;
const QUICK_RATES = [200, 400] as const;
const SHAPE = { rooms: 100, membersPerRoom: 4, quietRooms: 0, warmUpSec: 8, measureSec: 10 };
const QUICK_SHAPE = { ...SHAPE, rooms: 10, warmUpSec: 1, measureSec: 1 };
/** Of a core: above it the generator, which shares the machine, may be what was measured. */
const GENERATOR_SHARE_MAX = 0.9;

interface Case {
  readonly messagesPerSec: number;
  readonly measured: Measured;
  readonly verdict: Verdict;
}

/** `late`: all there, but not in time. `putOff`: the engine said itself that it was too much. */
export type Verdict = "held" | "late" | "putOff" | "unfinished" | "broken";

export const limit: Scenario = {
  name: "limit",
  about: `the highest rate with p99 within ${P99_MS_MAX} ms and everything once and in order`,
  points: "msg/s to try, in this order, until one fails",
  async run(bench) {
    const cases: Case[] = [];
    for (const messagesPerSec of bench.points ?? (bench.quick ? QUICK_RATES : RATES)) {
      const tried = await attempt(bench, messagesPerSec);
      cases.push(tried);
      if (tried.verdict !== "held") break;
    }
    const between = halfWay(cases);
    if (between !== null) cases.push(await attempt(bench, between));
    const faults = cases
      .filter(({ verdict }) => verdict === "broken")
      .map(({ messagesPerSec, measured }) => {
        return `engine at ${messagesPerSec}/s: ${told(measured.report.completeness)}`;
      });
    return { cases, table: [HEAD, ...cases.map(row), answer(cases)], faults };
  },
};

async function attempt(bench: Bench, messagesPerSec: number): Promise<Case> {
  const shape: Shape = { ...(bench.quick ? QUICK_SHAPE : SHAPE), messagesPerSec };
  const { measured } = await onEngine(bench, `${messagesPerSec}/s`, shape);
  return { messagesPerSec, measured, verdict: judge(measured) };
}

export function judge({ report }: Pick<Measured, "report">): Verdict {
  const { lost, doubled, reordered, refused, closed, unfinished } = report.completeness;
  if (doubled + reordered > 0) return "broken";
  // Whatever did not arrive then was not lost: it was never accepted, or is still on its way.
  if (refused + closed > 0) return "putOff";
  if (unfinished) return "unfinished";
  if (lost > 0) return "broken";
  return report.latencyMs.p99 <= P99_MS_MAX ? "held" : "late";
}

/** Between the last rate that held and the one that did not; null where there are not both. */
export function halfWay(cases: readonly Pick<Case, "messagesPerSec" | "verdict">[]): number | null {
  const [held, failed] = cases.slice(-2);
  if (held?.verdict !== "held" || failed === undefined || failed.verdict === "held") return null;
  return Math.round((held.messagesPerSec + failed.messagesPerSec) / 2);
}

const VERDICTS: Readonly<Record<Verdict, string>> = {
  held: "held",
  late: `no: p99 above ${P99_MS_MAX} ms`,
  putOff: "no: commands were put off",
  unfinished: "no: not done when time was up",
  broken: "no: BROKEN",
};

const HEAD = [
  "msg/s",
  "held",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "complete",
  "CPU µs a message",
  "of it, shares of a core",
  "generator",
  "sent late p99 ms",
  "others",
];

function row({ messagesPerSec, measured, verdict }: Case): string[] {
  const { report, processes, cpuUsPerMessage, othersShare } = measured;
  const { latencyMs, latenessMs, completeness, cpuShare } = report;
  const tooBusy = cpuShare > GENERATOR_SHARE_MAX ? ": its limit, not the engine's" : "";
  return [
    String(messagesPerSec),
    VERDICTS[verdict],
    latencyMs.p50.toFixed(1),
    latencyMs.p99.toFixed(1),
    latencyMs.p999.toFixed(1),
    told(completeness),
    cpuUsPerMessage.toFixed(0),
    processes.map((each) => `${each.name} ${percent(each.cpuShare)}`).join(", "),
    percent(cpuShare) + tooBusy,
    latenessMs.p99.toFixed(1),
    percent(othersShare),
  ];
}

function answer(cases: readonly Case[]): string[] {
  const held = cases.filter(({ verdict }) => verdict === "held");
  const highest = Math.max(0, ...held.map(({ messagesPerSec }) => messagesPerSec));
  const best = highest === 0 ? "none" : `**${highest}**`;
  return [best, "is the highest that held", ...HEAD.slice(2).map(() => "")];
}
