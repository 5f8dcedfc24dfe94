/**
 * One room with very many receivers, beside the floor: a delivery costs little
 * more than the kernel's part of it, or the engine encodes or looks once too often.
 * At so low a rate each message also wakes every process, which has nothing to do
 * with its receivers: a small room at the same rate tells the two apart.
 */
import type { Measured } from "../load/measure.ts";
import { onEngine, onFloor, type Shape } from "./one-run.ts";
import { faultsOf, percent, told, type Bench, type Scenario } from "./scenario.ts";

const RECEIVERS = { full: 1_000, quick: 50 } as const;
const FEW_RECEIVERS = 4;
/** Pairs, one after the other, because a machine's speed drifts. */
const PAIRS = { full: 2, quick: 1 } as const;
const TIMES = { warmUpSec: 6, measureSec: 10 } as const;
const QUICK_TIMES = { warmUpSec: 1, measureSec: 1 } as const;

interface Pair {
  readonly receivers: number;
  readonly floor: Measured;
  readonly engine: Measured;
}
interface Case extends Pair {
  readonly floorUsPerDelivery: number;
  readonly engineUsPerDelivery: number;
  readonly floorRatio: number;
  /** The same rate in a room with few receivers. */
  readonly small: Pair;
  /** Each receiver beyond those few. */
  readonly floorUsPerFurther: number;
  readonly engineUsPerFurther: number;
}

export const largeRoom: Scenario = {
  name: "large-room",
  about: "one room with 1,000 receivers at 20 msg/s, two edges, beside the floor",
  async run(bench) {
    const size = bench.quick ? "quick" : "full";
    const receivers = RECEIVERS[size];
    const shape: Shape = {
      ...(bench.quick ? QUICK_TIMES : TIMES),
      rooms: 1,
      membersPerRoom: receivers,
      quietRooms: 0,
      messagesPerSec: 20,
    };
    const small = await measure(bench, "few receivers", {
      ...shape,
      membersPerRoom: FEW_RECEIVERS,
    });
    const cases: Case[] = [];
    for (let pair = 1; pair <= PAIRS[size]; pair++) {
      cases.push(compare(await measure(bench, `pair ${pair}`, shape), small));
    }
    const faults = [small, ...cases].flatMap(({ receivers, floor, engine }) => [
      ...faultsOf(`floor with ${receivers} receivers`, floor.report),
      ...faultsOf(`engine with ${receivers} receivers`, engine.report),
    ]);
    return { cases, table: [HEAD, ...cases.flatMap(rows)], faults };
  },
};

async function measure(bench: Bench, name: string, shape: Shape): Promise<Pair> {
  const floor = await onFloor(bench, name, shape);
  const { measured: engine } = await onEngine(bench, name, shape);
  return { receivers: shape.membersPerRoom, floor, engine };
}

function compare(large: Pair, small: Pair): Case {
  const { receivers, floor, engine } = large;
  const floorUsPerDelivery = round(floor.cpuUsPerMessage / receivers);
  const engineUsPerDelivery = round(engine.cpuUsPerMessage / receivers);
  const further = (of: "floor" | "engine"): number =>
    round((large[of].cpuUsPerMessage - small[of].cpuUsPerMessage) / (receivers - small.receivers));
  return {
    ...large,
    floorUsPerDelivery,
    engineUsPerDelivery,
    floorRatio: round(engineUsPerDelivery / floorUsPerDelivery),
    small,
    floorUsPerFurther: further("floor"),
    engineUsPerFurther: further("engine"),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const HEAD = [
  "",
  "CPU µs a delivery",
  "× floor",
  "µs a further receiver",
  "p50 ms",
  "p99 ms",
  "complete",
  "of it",
  "generator",
  "others",
];

function rows({ receivers, floor, engine, ...found }: Case): string[][] {
  const cells = ({ report, processes, othersShare }: Measured): string[] => [
    report.latencyMs.p50.toFixed(1),
    report.latencyMs.p99.toFixed(1),
    told(report.completeness),
    processes
      .map(({ name, cpuUsPerMessage }) => `${name} ${round(cpuUsPerMessage / receivers)}`)
      .join(", "),
    percent(report.cpuShare),
    percent(othersShare),
  ];
  return [
    [
      "floor",
      String(found.floorUsPerDelivery),
      "1",
      String(found.floorUsPerFurther),
      ...cells(floor),
    ],
    [
      "engine",
      String(found.engineUsPerDelivery),
      String(found.floorRatio),
      String(found.engineUsPerFurther),
      ...cells(engine),
    ],
  ];
}
