/** How long somebody who is in many rooms waits: for the list with what is unread, and for all of it. */
import { WebSocket } from "ws";

import { signToken } from "../../src/cli/token.ts";
import { ChatClient } from "../../src/client/index.ts";
import { Stack } from "../engine/stack.ts";
import type { Door } from "../load/crowd.ts";
import type { Target } from "../load/plan.ts";
import type { Bench, Findings, Scenario } from "./scenario.ts";

interface Sizes {
  readonly rooms: number;
  readonly messagesPerRoom: number;
  readonly arrivals: number;
}
const FULL: Sizes = { rooms: 500, messagesPerRoom: 20, arrivals: 30 };
const QUICK: Sizes = { rooms: 20, messagesPerRoom: 3, arrivals: 3 };
/** The first ones meet code that V8 has not compiled, in the edge and here. */
const UNMEASURED = 3;
const TOKEN_LIFE_SEC = 3_600;
const POLL_MS = 200;
/** Who is there, and talks. */
const HOST = "host";
const GUEST = "guest";

/** Milliseconds since the client was made. */
interface Arrival {
  /** Connected, welcomed. */
  readonly welcomeMs: number;
  /** The list of rooms stands, with unread counts and newest messages. */
  readonly listMs: number;
  /** Every room is followed, caught up. */
  readonly liveMs: number;
}

export const arrival: Scenario = {
  name: "arrival",
  about: "connecting with 500 rooms: until the list stands, and until all of them are live",
  async run(bench) {
    const sizes = bench.quick ? QUICK : FULL;
    await bench.untilQuiet();
    const stack = await Stack.start({ edges: 2, projectors: 1, say: bench.say });
    try {
      return await arrive(bench, stack.target as Extract<Target, { kind: "engine" }>, sizes);
    } finally {
      await stack.stop();
    }
  },
};

async function arrive(bench: Bench, door: Door, sizes: Sizes): Promise<Findings> {
  bench.say("filling the rooms");
  await fill(door, sizes);
  const cases: Arrival[] = [];
  const faults: string[] = [];
  for (let i = -UNMEASURED; i < sizes.arrivals; i++) {
    bench.say(`arrival ${i + 1} of ${sizes.arrivals}`);
    const client = clientOf(door, GUEST);
    try {
      const one = await comeIn(client);
      if (i >= 0) cases.push(one);
      faults.push(...missing(client, sizes));
    } finally {
      client.close();
    }
  }
  return {
    cases,
    faults: [...new Set(faults)],
    table: [
      [`${sizes.arrivals} arrivals, ${sizes.rooms} rooms`, "p50 ms", "p95 ms", "longest ms"],
      row("welcome", cases, ({ welcomeMs }) => welcomeMs),
      row("the list: unread counts, newest messages", cases, ({ listMs }) => listMs),
      row("all rooms live", cases, ({ liveMs }) => liveMs),
    ],
  };
}

async function comeIn(client: ChatClient): Promise<Arrival> {
  const startMs = performance.now();
  const since = (): number => performance.now() - startMs;
  await client.connect();
  const welcomeMs = since();
  await client.list.load();
  const listMs = since();
  // The list has the newest messages; more of a room is read when it is opened.
  await Promise.all(client.list.rooms.map(({ room }) => client.room(room).follow({ limit: 1 })));
  return { welcomeMs, listMs, liveMs: since() };
}

async function fill(door: Door, { rooms, messagesPerRoom }: Sizes): Promise<void> {
  const [host, guest] = [clientOf(door, HOST), clientOf(door, GUEST)];
  try {
    await Promise.all([host.connect(), guest.connect()]);
    const names = Array.from({ length: rooms }, (_, i) => `arrival-${i}`);
    // One room after the other, with the commands of each on their way together.
    for (const name of names) {
      const room = await host.createRoom({ room: name, kind: "public", name });
      await guest.room(name).join();
      const texts = Array.from({ length: messagesPerRoom }, (_, i) => `message ${i} of ${name}`);
      await Promise.all(texts.map((text) => room.send(text)));
    }
    // Lists are kept by consumers of their own, which may be behind.
    for (;;) {
      await guest.list.load();
      if (guest.list.rooms.length === rooms) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    host.close();
    guest.close();
  }
}

function missing(client: ChatClient, { rooms, messagesPerRoom }: Sizes): string[] {
  const wanted = rooms * messagesPerRoom;
  const { list } = client;
  const faults: string[] = [];
  if (list.rooms.length !== rooms) faults.push(`${list.rooms.length} rooms in the list`);
  if (list.unread !== wanted) faults.push(`${list.unread} unread instead of ${wanted}`);
  const empty = list.rooms.filter(({ room }) => client.room(room).messages.length === 0).length;
  if (empty > 0) faults.push(`${empty} rooms without their newest message`);
  return faults;
}

function clientOf({ addresses, secret, audience }: Door, user: string): ChatClient {
  const token = (): Promise<string> =>
    signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SEC });
  return new ChatClient({ urls: [...addresses], token, WebSocket });
}

function row(name: string, cases: readonly Arrival[], pick: (one: Arrival) => number): string[] {
  const sorted = cases.map(pick).sort((a, b) => a - b);
  const at = (q: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(0);
  return [name, at(0.5), at(0.95), at(1)];
}
