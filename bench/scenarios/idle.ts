/** What it costs to hold connections on which nothing happens. */
import { startFloor } from "../engine/floor.ts";
import { startPeer, type PeerChoice } from "../engine/peer.ts";
import { usageOf, type Watched } from "../engine/process-usage.ts";
import { redisUsage } from "../engine/redis-usage.ts";
import { Stack } from "../engine/stack.ts";
import { Load } from "../load/measure.ts";
import type { Plan, Target } from "../load/plan.ts";
import { peersOf } from "./one-run.ts";
import type { Scenario } from "./scenario.ts";

const CONNECTIONS = { full: 5_000, quick: 100 } as const;
const MEMBERS_PER_ROOM = 4;
/** Garbage of the connecting itself is to be gone. */
const SETTLE_MS = { full: 30_000, quick: 1_000 } as const;

interface Held {
  readonly name: string;
  readonly connections: number;
  readonly rooms: number;
  readonly rssMibBefore: number;
  readonly rssMibAfter: number;
  readonly rssKibPerConnection: number;
  readonly redisKibPerRoom: number | null;
}

export const idle: Scenario = {
  name: "idle",
  about: "5,000 connections to one edge, each following one room of 4, and nothing said",
  async run(bench) {
    const size = bench.quick ? "quick" : "full";
    const connections = CONNECTIONS[size];
    const settle = (): Promise<void> =>
      new Promise((resolve) => setTimeout(resolve, SETTLE_MS[size]));
    bench.say("floor");
    const bare = await holdFloor(connections, settle);
    bench.say("engine");
    let ours: Held;
    const stack = await Stack.start({ edges: 1, projectors: 1, say: bench.say });
    try {
      const edge = stack.watched.find(({ name }) => name === "edge 1") as Watched;
      const before = await redisUsage(stack.redis);
      const held = await hold("edge", stack.target, edge, connections, settle);
      const after = await redisUsage(stack.redis);
      const redisKibPerRoom = kib((after.usedBytes - before.usedBytes) / 1_024 / held.rooms);
      ours = { ...held, redisKibPerRoom };
    } finally {
      await stack.stop();
    }
    const cases = [bare, ours];
    for (const [name, choice] of peersOf(bench)) {
      bench.say(name);
      cases.push(await holdPeer(name, choice, connections, settle));
    }
    return { cases, table: tableOf(cases), faults: [] };
  },
};

async function holdPeer(
  name: string,
  choice: PeerChoice,
  connections: number,
  settle: () => Promise<void>,
): Promise<Held> {
  const peer = await startPeer(choice, 1);
  try {
    const node = peer.watched.find((each) => each.name === "node 1") as Watched;
    return await hold(name, peer.target, node, connections, settle);
  } finally {
    await peer.stop();
  }
}

async function holdFloor(connections: number, settle: () => Promise<void>): Promise<Held> {
  const floor = await startFloor();
  try {
    return await hold("floor", floor.target, floor.watched[0] as Watched, connections, settle);
  } finally {
    await floor.stop();
  }
}

async function hold(
  name: string,
  target: Target,
  watched: Watched,
  connections: number,
  settle: () => Promise<void>,
): Promise<Held> {
  const rooms = connections / MEMBERS_PER_ROOM;
  const plan: Plan = {
    target,
    rooms,
    membersPerRoom: MEMBERS_PER_ROOM,
    quietRooms: 0,
    messagesPerSec: 0,
    warmUpSec: 0,
    measureSec: 0,
  };
  // The code for connecting is loaded and compiled before anything is compared.
  await (await Load.connect({ ...plan, rooms: 1 })).close();
  const before = usageOf(watched.pid).rssKib;
  const load = await Load.connect(plan);
  await settle();
  const after = usageOf(watched.pid).rssKib;
  await load.close();
  return {
    name,
    connections,
    rooms,
    rssMibBefore: kib(before / 1_024),
    rssMibAfter: kib(after / 1_024),
    rssKibPerConnection: kib((after - before) / connections),
    redisKibPerRoom: null,
  };
}

function kib(value: number): number {
  return Math.round(value * 100) / 100;
}

function tableOf(cases: readonly Held[]): string[][] {
  const head = [
    "",
    "connections",
    "RSS MiB before",
    "after",
    "KiB a connection",
    "Redis KiB a room",
  ];
  const rows = cases.map((held) => [
    held.name,
    String(held.connections),
    String(held.rssMibBefore),
    String(held.rssMibAfter),
    String(held.rssKibPerConnection),
    held.redisKibPerRoom === null ? "–" : `${held.redisKibPerRoom} (4 members, 4 entries)`,
  ]);
  return [head, ...rows];
}
