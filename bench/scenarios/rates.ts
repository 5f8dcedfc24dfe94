/**
 * The whole path at rising rates: what a message costs, and how long it takes. In the same
 * run, because machines differ from hour to hour, beside the floor and beside what one
 * would take instead.
 */
import type { Measured } from "../load/measure.ts";
import { onEngine, onFloor, onPeer, type Shape } from "./one-run.ts";
import { faultsOf, percent, told, type Bench, type Findings, type Scenario } from "./scenario.ts";

const RATES = [100, 1_000, 3_000, 10_000] as const;
const QUICK_RATES = [100, 1_000] as const;
type Times = Omit<Shape, "messagesPerSec">;
const TIMES: Times = {
  rooms: 100,
  membersPerRoom: 4,
  quietRooms: 0,
  // V8 compiles slowly at low rates, and its compiler threads are in the figures until then.
  warmUpSec: 8,
  measureSec: 12,
};
const QUICK_TIMES: Times = { ...TIMES, rooms: 10, warmUpSec: 1, measureSec: 1 };
/** A queue that grew to this within the run is one that grows for as long as the rate is kept up. */
const P99_MS_MAX = 1_000;

interface Case {
  readonly messagesPerSec: number;
  readonly floor: Measured;
  readonly engine: Measured;
  readonly floorRatio: number;
  /** Null where it was not measured. */
  readonly socketIo: Measured | null;
  readonly pubSub: Measured | null;
  readonly centrifugo: Measured | null;
  /** Null also where Socket.IO was past its limit: then its figure is not that of the rate. */
  readonly socketIoRatio: number | null;
}

export const rates: Scenario = {
  name: "rates",
  about: "400 sockets in 100 rooms of 4, texts of 64 B, two edges, one projector, 16 partitions",
  points: "msg/s",
  async run(bench) {
    const times = bench.quick ? QUICK_TIMES : TIMES;
    const cases: Case[] = [];
    for (const rate of bench.points ?? (bench.quick ? QUICK_RATES : RATES)) {
      cases.push(await measureAll(bench, times, rate));
    }
    return findings(bench, cases);
  },
};

async function measureAll(bench: Bench, times: Times, messagesPerSec: number): Promise<Case> {
  const shape: Shape = { ...times, messagesPerSec };
  const name = `${messagesPerSec}/s`;
  const { peers, centrifugo: binary } = bench;
  const floor = await onFloor(bench, name, shape);
  const { measured: engine } = await onEngine(bench, name, shape);
  const socketIo = peers ? await onPeer(bench, { kind: "socket-io" }, name, shape) : null;
  const pubSub = peers ? await onPeer(bench, { kind: "pub-sub" }, name, shape) : null;
  const isGiven = peers && binary !== null;
  const centrifugo = isGiven
    ? await onPeer(bench, { kind: "centrifugo", binary }, name, shape)
    : null;
  const floorRatio = ratio(engine, floor);
  const comparable = socketIo !== null && !isPastLimit(socketIo);
  const socketIoRatio = comparable ? ratio(engine, socketIo) : null;
  return { messagesPerSec, floor, engine, floorRatio, socketIo, pubSub, centrifugo, socketIoRatio };
}

function ratio(one: Measured, other: Measured): number {
  return Math.round((one.cpuUsPerMessage / other.cpuUsPerMessage) * 100) / 100;
}

/** Of a server that refuses nothing: its queues grow instead. */
function isPastLimit({ report }: Measured): boolean {
  const { refused, closed, unfinished } = report.completeness;
  return refused + closed > 0 || unfinished || report.latencyMs.p99 > P99_MS_MAX;
}

function findings({ peers, centrifugo: binary }: Bench, cases: readonly Case[]): Findings {
  const head = ["msg/s", "", "CPU µs a message", "p50 ms", "p99 ms", "p99.9 ms", "complete"];
  const rest = ["of it", "generator", "sent late p99 ms", "others"];
  const table = [[...head, ...rest]];
  const faults: string[] = [];
  for (const { messagesPerSec, floor, engine, socketIo, pubSub, centrifugo, ...ratios } of cases) {
    const rate = String(messagesPerSec);
    const { floorRatio, socketIoRatio } = ratios;
    const beside = socketIoRatio === null ? "" : `, ${socketIoRatio} × Socket.IO`;
    const note = isPastLimit(engine) ? "" : ` (${floorRatio} × floor${beside})`;
    table.push([rate, "floor", ...cells(floor, "")], [rate, "engine", ...cells(engine, note)]);
    const others = [
      ["Socket.IO", socketIo],
      ["pub/sub", pubSub],
      ["Centrifugo", centrifugo],
    ] as const;
    for (const [name, measured] of others) {
      if (measured !== null) table.push([rate, name, ...cells(measured, "")]);
    }
    if (peers && binary === null) {
      table.push([rate, "Centrifugo", "not given", ...Array.from({ length: 8 }, () => "")]);
    }
    // What a peer loses is a finding about the peer: it stands in the table.
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
  // It ended within the warm-up: there is nothing that a figure would be one of.
  if (report.messages === 0) return ["–", "–", "–", "–", told(completeness), "–", "–", "–", "–"];
  const isLate = latencyMs.p99 > P99_MS_MAX;
  return [
    cpuUsPerMessage.toFixed(0) + note,
    latencyMs.p50.toFixed(1),
    latencyMs.p99.toFixed(1),
    latencyMs.p999.toFixed(1),
    (isLate ? `past its limit (p99 above ${P99_MS_MAX} ms), ` : "") + told(completeness),
    processes.map((each) => `${each.name} ${each.cpuUsPerMessage.toFixed(0)}`).join(", "),
    percent(cpuShare),
    latenessMs.p99.toFixed(1),
    percent(othersShare),
  ];
}
