/** The same traffic with more and more projectors: what sharing the partitions among them costs. */
import { untilBalanced } from "../engine/ownership.ts";
import { PARTITIONS, Stack } from "../engine/stack.ts";
import { Load, type Measured } from "../load/measure.ts";
import type { Plan } from "../load/plan.ts";
import { Keys } from "../../src/streams/keys.ts";
import { faultsOf, percent, told, type Bench, type Scenario } from "./scenario.ts";

const RATES = [1_000, 3_000] as const;
const QUICK_RATES = [200] as const;
const PROJECTORS = [1, 2, 4, 8] as const;
const QUICK_PROJECTORS = [1, 2] as const;
type Shape = Omit<Plan, "target" | "messagesPerSec">;
const SHAPE: Shape = {
  rooms: 100,
  membersPerRoom: 4,
  quietRooms: 0,
  warmUpSec: 10,
  measureSec: 15,
};
const QUICK_SHAPE: Shape = { ...SHAPE, rooms: 10, warmUpSec: 1, measureSec: 1 };

interface Case {
  readonly messagesPerSec: number;
  readonly projectors: number;
  readonly partitionsOfEach: readonly number[];
  /** CPU a message, over that of one projector at this rate. */
  readonly ratio: number;
  readonly measured: Measured;
}

export const scale: Scenario = {
  name: "scale",
  about:
    "1, 2, 4 and 8 projectors for the same traffic in 100 rooms of 4, two edges, 16 partitions",
  points: "messages a second",
  async run(bench) {
    const cases: Case[] = [];
    for (const messagesPerSec of bench.points ?? (bench.quick ? QUICK_RATES : RATES)) {
      let one: Measured | null = null;
      for (const projectors of bench.quick ? QUICK_PROJECTORS : PROJECTORS) {
        const found = await measure(bench, messagesPerSec, projectors);
        one ??= found.measured;
        const ratio = found.measured.cpuUsPerMessage / one.cpuUsPerMessage;
        cases.push({ messagesPerSec, projectors, ratio: Math.round(ratio * 100) / 100, ...found });
      }
    }
    const faults = cases.flatMap(({ messagesPerSec, projectors, measured }) =>
      faultsOf(`${projectors} projectors at ${messagesPerSec}/s`, measured.report),
    );
    return { cases, table: [HEAD, ...cases.map(row)], faults };
  },
};

async function measure(
  bench: Bench,
  messagesPerSec: number,
  projectors: number,
): Promise<Pick<Case, "partitionsOfEach" | "measured">> {
  const say = (text: string): void =>
    bench.say(`${projectors} projectors at ${messagesPerSec}/s: ${text}`);
  await bench.untilQuiet();
  const stack = await Stack.start({ edges: 2, projectors, say });
  try {
    say("sharing the partitions");
    const keys = new Keys(PARTITIONS);
    const partitionsOfEach = await untilBalanced(stack.redis, keys, stack.projectors);
    const shape = bench.quick ? QUICK_SHAPE : SHAPE;
    const load = await Load.connect({ ...shape, target: stack.target, messagesPerSec });
    const measured = await load.measure(stack.watched, stack.redis, say);
    await load.close();
    return { partitionsOfEach, measured };
  } finally {
    await stack.stop();
  }
}

const HEAD = [
  "msg/s",
  "projectors",
  "CPU µs a message",
  "of it",
  "p50 ms",
  "p99 ms",
  "complete",
  "others",
];

function row({ messagesPerSec, projectors, ratio, measured }: Case): string[] {
  const { report, cpuUsPerMessage, othersShare } = measured;
  return [
    String(messagesPerSec),
    String(projectors),
    `${cpuUsPerMessage.toFixed(0)} (${ratio} × one)`,
    shares(measured),
    report.latencyMs.p50.toFixed(1),
    report.latencyMs.p99.toFixed(1),
    told(report.completeness),
    percent(othersShare),
  ];
}

/** Processes of one kind together: eight projectors do not fit into a cell. */
function shares({ processes }: Measured): string {
  const kinds = ["redis", "edge", "projector"];
  const usedBy = kinds.map((kind) =>
    processes
      .filter(({ name }) => name.startsWith(kind))
      .reduce((sum, { cpuUsPerMessage }) => sum + cpuUsPerMessage, 0),
  );
  return kinds.map((kind, i) => `${kind} ${(usedBy[i] as number).toFixed(0)}`).join(", ");
}
