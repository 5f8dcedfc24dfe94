/**
 * A closed loop, as most benchmarks of chat servers have it: each client sends its
 * next message when its last one has come back. Beside each case stands the open
 * loop at the throughput that the closed one reached. The closed loop sends less
 * as soon as the engine slows down, so its latencies are those of patient users and
 * leave out what waited unseen; the open loop's are the ones to believe.
 */
import type { Measured } from "../load/measure.ts";
import { onEngine, type Shape } from "./one-run.ts";
import { faultsOf, percent, told, type Bench, type Scenario } from "./scenario.ts";

const MEMBERS_PER_ROOM = 4;
const CASES = [
  { clients: 1, inFlight: 1 },
  { clients: 4, inFlight: 1 },
  { clients: 20, inFlight: 1 },
  { clients: 100, inFlight: 1 },
  { clients: 400, inFlight: 1 },
  { clients: 400, inFlight: 8 },
] as const;
const QUICK_CASES = [
  { clients: 1, inFlight: 1 },
  { clients: 8, inFlight: 4 },
] as const;
const TIMES = { warmUpSec: 6, measureSec: 8 } as const;
const QUICK_TIMES = { warmUpSec: 1, measureSec: 1 } as const;

interface Case {
  readonly clients: number;
  readonly inFlight: number;
  /** Of all clients together. */
  readonly messagesPerSec: number;
  readonly closed: Measured;
  readonly open: Measured;
}

export const closed: Scenario = {
  name: "closed",
  about: "a closed loop of 1 to 400 clients in rooms of 4, and the open loop at the same rate",
  points: "numbers of clients",
  async run(bench) {
    const cases: Case[] = [];
    for (const { clients, inFlight } of casesOf(bench)) {
      cases.push(await measure(bench, clients, inFlight));
    }
    const faults = cases.flatMap(({ clients, inFlight, closed, open }) => [
      ...faultsOf(`closed loop, ${clients} × ${inFlight}`, closed.report),
      ...faultsOf(`open loop beside ${clients} × ${inFlight}`, open.report),
    ]);
    return { cases, table: [HEAD, ...cases.flatMap(rows)], faults };
  },
};

function casesOf({ quick, points }: Bench): readonly Pick<Case, "clients" | "inFlight">[] {
  const all = quick ? QUICK_CASES : CASES;
  if (points === null) return all;
  return points.flatMap((clients) => {
    const known = all.filter((each) => each.clients === clients);
    return known.length > 0 ? known : [{ clients, inFlight: 1 }];
  });
}

async function measure(bench: Bench, clients: number, inFlight: number): Promise<Case> {
  const times = bench.quick ? QUICK_TIMES : TIMES;
  const membersPerRoom = Math.min(clients, MEMBERS_PER_ROOM);
  // Whole rooms: 6 clients are two rooms of 4.
  const rooms = Math.ceil(clients / membersPerRoom);
  const shape: Shape = { ...times, rooms, membersPerRoom, quietRooms: 0, messagesPerSec: 1_000 };
  const name = `${clients} × ${inFlight} under way`;
  const { measured: closed } = await onEngine(bench, `closed, ${name}`, { ...shape, inFlight });
  const messagesPerSec = Math.max(1, Math.round(closed.report.messages / times.measureSec));
  const { measured: open } = await onEngine(bench, `open beside ${name}`, {
    ...shape,
    messagesPerSec,
  });
  return { clients: rooms * membersPerRoom, inFlight, messagesPerSec, closed, open };
}

const HEAD = [
  "clients × under way",
  "loop",
  "msg/s",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "CPU µs a message",
  "complete",
  "generator",
  "others",
];

function rows({ clients, inFlight, messagesPerSec, closed, open }: Case): string[][] {
  const cells = ({ report, cpuUsPerMessage, othersShare }: Measured): string[] => [
    String(messagesPerSec),
    report.latencyMs.p50.toFixed(1),
    report.latencyMs.p99.toFixed(1),
    report.latencyMs.p999.toFixed(1),
    cpuUsPerMessage.toFixed(0),
    told(report.completeness),
    percent(report.cpuShare),
    percent(othersShare),
  ];
  const name = `${clients} × ${inFlight}`;
  return [
    [name, "closed: send to own copy", ...cells(closed)],
    [name, "open: due to each arrival", ...cells(open)],
  ];
}
