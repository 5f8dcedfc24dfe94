/**
 * One room with very many receivers, beside the floor: a delivery costs little
 * more than the kernel's part of it, or the engine encodes or looks once too often.
 */
import type { Measured } from "../load/measure.ts";
import { onEngine, onFloor, type Shape } from "./one-run.ts";
import { faultsOf, percent, told, type Scenario } from "./scenario.ts";

const RECEIVERS = { full: 1_000, quick: 50 } as const;
/** Pairs, one after the other, because a machine's speed drifts. */
const PAIRS = { full: 2, quick: 1 } as const;
const TIMES = { warmUpSec: 8, measureSec: 12 } as const;
const QUICK_TIMES = { warmUpSec: 1, measureSec: 1 } as const;

interface Case {
  readonly receivers: number;
  readonly floor: Measured;
  readonly engine: Measured;
  readonly floorUsPerDelivery: number;
  readonly engineUsPerDelivery: number;
  readonly floorRatio: number;
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
    const cases: Case[] = [];
    for (let pair = 1; pair <= PAIRS[size]; pair++) {
      const name = `pair ${pair}`;
      const floor = await onFloor(bench, name, shape);
      const { measured: engine } = await onEngine(bench, name, shape);
      cases.push(compare(receivers, floor, engine));
    }
    const faults = cases.flatMap(({ floor, engine }, i) => [
      ...faultsOf(`floor, pair ${i + 1}`, floor.report),
      ...faultsOf(`engine, pair ${i + 1}`, engine.report),
    ]);
    return { cases, table: [HEAD, ...cases.flatMap(rows)], faults };
  },
};

function compare(receivers: number, floor: Measured, engine: Measured): Case {
  const floorUsPerDelivery = round(floor.cpuUsPerMessage / receivers);
  const engineUsPerDelivery = round(engine.cpuUsPerMessage / receivers);
  const floorRatio = round(engineUsPerDelivery / floorUsPerDelivery);
  return { receivers, floor, engine, floorUsPerDelivery, engineUsPerDelivery, floorRatio };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const HEAD = [
  "",
  "CPU µs a delivery",
  "× floor",
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
    ["floor", String(found.floorUsPerDelivery), "1", ...cells(floor)],
    ["engine", String(found.engineUsPerDelivery), String(found.floorRatio), ...cells(engine)],
  ];
}
