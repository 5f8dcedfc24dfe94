/** The whole path at rising rates, each beside the floor: what a message costs, and how long it takes. */
import { startFloor } from "../engine/floor.ts";
import { Stack } from "../engine/stack.ts";
import { Load, type Measured } from "../load/measure.ts";
import type { Plan } from "../load/plan.ts";
import { faultsOf, percent, told, type Bench, type Findings, type Scenario } from "./scenario.ts";

const RATES = [100, 1_000, 3_000, 10_000] as const;
const QUICK_RATES = [100, 1_000] as const;
type Shape = Omit<Plan, "target" | "messagesPerSec">;
const SHAPE: Shape = {
  rooms: 100,
  membersPerRoom: 4,
  quietRooms: 0,
  // V8 compiles slowly at low rates, and its compiler threads are in the figures until then.
  warmUpSec: 10,
  measureSec: 20,
};
const QUICK_SHAPE: Shape = { ...SHAPE, rooms: 10, warmUpSec: 1, measureSec: 1 };

interface Case {
  readonly messagesPerSec: number;
  readonly floor: Measured;
  readonly engine: Measured;
  readonly floorRatio: number;
}

export const rates: Scenario = {
  name: "rates",
  about: "400 sockets in 100 rooms of 4, texts of 64 B, two edges, one projector, 16 partitions",
  async run(bench) {
    const shape = bench.quick ? QUICK_SHAPE : SHAPE;
    const cases: Case[] = [];
    for (const messagesPerSec of bench.quick ? QUICK_RATES : RATES) {
      const floor = await onFloor(bench, shape, messagesPerSec);
      const engine = await onEngine(bench, shape, messagesPerSec);
      const floorRatio = Math.round((engine.cpuUsPerMessage / floor.cpuUsPerMessage) * 100) / 100;
      cases.push({ messagesPerSec, floor, engine, floorRatio });
    }
    return findings(cases);
  },
};

async function onFloor(bench: Bench, shape: Shape, messagesPerSec: number): Promise<Measured> {
  await bench.untilQuiet();
  const floor = await startFloor();
  try {
    const load = await Load.connect({ ...shape, target: floor.target, messagesPerSec });
    const say = (text: string): void => bench.say(`floor at ${messagesPerSec}/s: ${text}`);
    const measured = await load.measure(floor.watched, null, say);
    await load.close();
    return measured;
  } finally {
    await floor.stop();
  }
}

async function onEngine(bench: Bench, shape: Shape, messagesPerSec: number): Promise<Measured> {
  const say = (text: string): void => bench.say(`engine at ${messagesPerSec}/s: ${text}`);
  await bench.untilQuiet();
  const stack = await Stack.start({ edges: 2, projectors: 1, say });
  try {
    const load = await Load.connect({ ...shape, target: stack.target, messagesPerSec });
    const measured = await load.measure(stack.watched, stack.redis, say);
    await load.close();
    return measured;
  } finally {
    await stack.stop();
  }
}

function findings(cases: readonly Case[]): Findings {
  const head = ["msg/s", "", "CPU µs a message", "p50 ms", "p99 ms", "p99.9 ms", "complete"];
  const rest = ["of it", "generator", "sent late p99 ms", "others"];
  const table = [[...head, ...rest]];
  const faults: string[] = [];
  for (const { messagesPerSec, floor, engine, floorRatio } of cases) {
    const rate = String(messagesPerSec);
    table.push(
      [rate, "floor", ...cells(floor, "")],
      [rate, "engine", ...cells(engine, ` (${floorRatio} × floor)`)],
    );
    faults.push(...faultsOf(`floor at ${rate}/s`, floor.report));
    faults.push(...faultsOf(`engine at ${rate}/s`, engine.report));
  }
  return { table, cases, faults };
}

function cells(
  { report, processes, cpuUsPerMessage, othersShare }: Measured,
  note: string,
): string[] {
  const { latencyMs, latenessMs, completeness, cpuShare } = report;
  return [
    cpuUsPerMessage.toFixed(0) + note,
    latencyMs.p50.toFixed(1),
    latencyMs.p99.toFixed(1),
    latencyMs.p999.toFixed(1),
    told(completeness),
    processes.map((each) => `${each.name} ${each.cpuUsPerMessage.toFixed(0)}`).join(", "),
    percent(cpuShare),
    latenessMs.p99.toFixed(1),
    percent(othersShare),
  ];
}
