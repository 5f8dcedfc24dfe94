/**
 * What it costs an edge to follow many rooms: the same traffic in 100 rooms,
 * and more and more quiet rooms beside them. The edge waits in one of two ways,
 * and DIRECT_ROOMS_MAX says from how many rooms on it takes the other.
 */
import { Stack } from "../engine/stack.ts";
import { Load, type Measured } from "../load/measure.ts";
import type { Plan } from "../load/plan.ts";
import { faultsOf, percent, told, type Bench, type Scenario } from "./scenario.ts";

const BUSY_ROOMS = 100;
const PLAN = {
  rooms: BUSY_ROOMS,
  membersPerRoom: 4,
  messagesPerSec: 300,
  warmUpSec: 10,
  measureSec: 15,
} as const;
const QUICK_PLAN = {
  ...PLAN,
  rooms: 10,
  messagesPerSec: 100,
  warmUpSec: 1,
  measureSec: 1,
} as const;
/** Direct ends at 1,000 rooms: more the setting does not allow. */
const CASES = [
  { mode: "direct", rooms: 100 },
  { mode: "bell", rooms: 100 },
  { mode: "direct", rooms: 1_000 },
  { mode: "bell", rooms: 1_000 },
  { mode: "bell", rooms: 10_000 },
  { mode: "bell", rooms: 50_000 },
] as const;
const QUICK_CASES = [
  { mode: "direct", rooms: 20 },
  { mode: "bell", rooms: 200 },
] as const;
const DIRECT_ROOMS_MAX = { direct: 1_000, bell: 0 } as const;

interface Followed {
  readonly mode: "direct" | "bell";
  readonly rooms: number;
}
interface Case extends Followed {
  readonly measured: Measured;
}

export const rooms: Scenario = {
  name: "rooms",
  about: "300 msg/s in 100 rooms of 4 on one edge, and quiet rooms that it follows beside them",
  points: "rooms followed",
  async run(bench) {
    const plan = bench.quick ? QUICK_PLAN : PLAN;
    const cases: Case[] = [];
    for (const { mode, rooms } of casesOf(bench, plan.rooms)) {
      const quietRooms = rooms - plan.rooms;
      cases.push({ mode, rooms, measured: await measure(bench, { ...plan, quietRooms }, mode) });
    }
    const table = [HEAD, ...cases.map(row)];
    const faults = cases.flatMap(({ mode, rooms, measured }) =>
      faultsOf(`${mode} with ${rooms} rooms`, measured.report),
    );
    return { cases, table, faults };
  },
};

/** Points that are not among the cases are for the bells, which have no bound. */
function casesOf(bench: Bench, busyRooms: number): readonly Followed[] {
  const cases: readonly Followed[] = bench.quick ? QUICK_CASES : CASES;
  if (bench.points === null) return cases;
  return bench.points.flatMap((rooms) => {
    if (rooms < busyRooms) throw new Error(`${busyRooms} rooms are busy: fewer cannot be followed`);
    const known = cases.filter((each) => each.rooms === rooms);
    return known.length > 0 ? known : [{ mode: "bell", rooms }];
  });
}

async function measure(
  bench: Bench,
  plan: Omit<Plan, "target">,
  mode: "direct" | "bell",
): Promise<Measured> {
  const rooms = plan.rooms + plan.quietRooms;
  const say = (text: string): void => bench.say(`${mode} with ${rooms} rooms: ${text}`);
  const settings = { directRoomsMax: DIRECT_ROOMS_MAX[mode] };
  await bench.untilQuiet();
  const stack = await Stack.start({ edges: 1, projectors: 1, settings, say });
  try {
    const load = await Load.connect({ ...plan, target: stack.target });
    const measured = await load.measure(stack.watched, stack.redis, say);
    await load.close();
    return measured;
  } finally {
    await stack.stop();
  }
}

const HEAD = [
  "tailer",
  "rooms",
  "CPU µs a message",
  "of it",
  "p50 ms",
  "p99 ms",
  "complete",
  "others",
];

function row({ mode, rooms, measured }: Case): string[] {
  const { report, processes, cpuUsPerMessage, othersShare } = measured;
  return [
    mode,
    String(rooms),
    cpuUsPerMessage.toFixed(0),
    processes.map((each) => `${each.name} ${each.cpuUsPerMessage.toFixed(0)}`).join(", "),
    report.latencyMs.p50.toFixed(1),
    report.latencyMs.p99.toFixed(1),
    told(report.completeness),
    percent(othersShare),
  ];
}
