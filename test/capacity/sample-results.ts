/** Results as scenarios write them, of an engine whose costs are known exactly. */
import type { Result, Results } from "../../bench/report/results.ts";

export const RATES = [100, 300, 1_000, 3_000, 10_000] as const;
const RECEIVERS = 4;
const DELIVER_US = 5;
const MESSAGES = 1_000;

/** µs a message of the made-up engine. */
export const truth = {
  write: (rate: number) => 20 + 60_000 / (rate + 100),
  read: (rate: number) => 1 + 9_000 / (rate + 100),
  projector: (rate: number) => 10 + 90_000 / (rate + 100),
  hear: (rate: number) => 8 + 80_000 / (rate + 100),
  deliverUs: DELIVER_US,
};

export function resultWith(scenario: string, cases: readonly unknown[], more = {}): Result {
  return {
    file: `2030-01-02-${scenario}.json`,
    scenario,
    about: `what ${scenario} asks`,
    startedAt: "2030-01-02T03:04:05.000Z",
    command: `npm run bench -- ${scenario}`,
    commit: "0123456789ab",
    machine: { cpu: "made up", cores: 2, memoryGib: 8, kernel: "6", node: "v20", redis: "7" },
    faults: [],
    cases,
    ...more,
  };
}

export function resultsOf(...results: readonly Result[]): Results {
  return new Map(results.map((result) => [result.scenario, result]));
}

interface Shape {
  readonly edges?: number;
  readonly projectors?: number;
  readonly receivers?: number;
  readonly lost?: number;
  /** Everything costs so many times what it should. */
  readonly times?: number;
}

/** What `Load.measure` returns, of the engine. */
export function measured(rate: number, shape: Shape = {}): object {
  const { edges = 2, projectors = 1, receivers = RECEIVERS, lost = 0, times = 1 } = shape;
  const readers = edges + projectors;
  const reading = readers * truth.read(rate);
  const edgeUs = truth.hear(rate) + (DELIVER_US * receivers) / edges;
  const of = (name: string, us: number): object => ({
    name,
    cpuUsPerMessage: us * times,
    cpuShare: (us * times * rate) / 1e6,
    systemShare: 0.2,
    rssMib: 100,
  });
  const each = (name: string, count: number, us: number): object[] =>
    Array.from({ length: count }, (_, i) => of(`${name} ${i + 1}`, us));
  const projectorUs = truth.projector(rate / projectors) / projectors;
  return {
    report: report(receivers, lost),
    processes: [
      of("redis", truth.write(rate) + reading),
      ...each("edge", edges, edgeUs),
      ...each("projector", projectors, projectorUs),
    ],
    cpuUsPerMessage: truth.write(rate) + reading + edges * edgeUs + projectors * projectorUs,
    othersShare: 0.01,
    redisCommands: {
      evalsha: { calls: 0.5, us: truth.write(rate) },
      xread: { calls: 0.1, us: reading },
      hget: { calls: 3, us: 2 },
    },
  };
}

/** The same of one process that only passes messages on. */
export function measuredPeer(name: string, us: number): object {
  return {
    report: report(RECEIVERS, 0),
    processes: [{ name, cpuUsPerMessage: us, cpuShare: 0.1, systemShare: 0.2, rssMib: 50 }],
    cpuUsPerMessage: us,
    othersShare: 0,
    redisCommands: null,
  };
}

function report(receivers: number, lost: number): object {
  const latency = { samples: MESSAGES * receivers, p50: 2, p99: 9, p999: 20, max: 30 };
  return {
    completeness: { sent: 1, delivered: 1, lost, doubled: 0, reordered: 0, refused: 0 },
    messages: MESSAGES,
    latencyMs: latency,
    latenessMs: { ...latency, samples: MESSAGES },
    cpuShare: 0.1,
    frames: 1,
  };
}

export function ratesResult(rates: readonly number[] = RATES): Result {
  return resultWith(
    "rates",
    rates.map((messagesPerSec) => ({
      messagesPerSec,
      floor: measuredPeer("floor", (1 + RECEIVERS) * DELIVER_US),
      engine: measured(messagesPerSec),
      floorRatio: 3,
    })),
  );
}

export function idleResult(): Result {
  const held = (name: string, kib: number): object => ({
    name,
    connections: 5_000,
    rooms: 1_250,
    rssMibBefore: 80,
    rssMibAfter: 90,
    rssKibPerConnection: kib,
    redisKibPerRoom: name === "edge" ? 4 : null,
  });
  return resultWith("idle", [held("floor", 1.5), held("edge", 2.5)]);
}

/** Rooms of 4 in which a message is its text and 100 bytes, and a room is 900. */
export function memoryResult(): Result {
  const rooms = 1_000;
  const cases = [1, 100].flatMap((messagesPerRoom) =>
    [64, 300].map((textBytes) => {
      const entries = rooms * (4 + messagesPerRoom);
      return {
        rooms,
        membersPerRoom: 4,
        messagesPerRoom,
        textBytes,
        commands: entries,
        entries,
        bytes: {
          log: entries * (textBytes + 50),
          histories: entries * (textBytes + 100) + rooms * 200,
          roomHeads: rooms * 700,
          members: rooms * 4 * 30,
          roomsOfUsers: rooms * 4 * 60,
          devices: rooms * 4 * 10,
        },
      };
    }),
  );
  return resultWith("memory", cases);
}

export const everything = (): Results => resultsOf(ratesResult(), idleResult());
