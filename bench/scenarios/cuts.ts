/**
 * What is lost when the connections over which servers wait for messages are closed:
 * nothing, where readers come back to where they were; what was said meanwhile, where
 * nobody remembers it. Connections that carry commands are spared: a command whose answer
 * is lost has to be sent again by its client, and the generator is not one.
 */
import type { Measured } from "../load/measure.ts";
import type { Redis } from "../../src/redis/connect.ts";
import { onEngine, onPeer, peersOf, type Shape } from "./one-run.ts";
import { faultsOf, told, type Scenario } from "./scenario.ts";

const SHAPE: Shape = {
  rooms: 100,
  membersPerRoom: 4,
  quietRooms: 0,
  // So few that the engine's loops block instead of pacing: then they have a connection to wait on.
  messagesPerSec: 100,
  warmUpSec: 8,
  measureSec: 12,
};
const QUICK_SHAPE: Shape = {
  ...SHAPE,
  rooms: 10,
  warmUpSec: 1,
  measureSec: 2,
};
const CUTS = { full: 5, quick: 2 } as const;
/** Between two of them; the first comes so long after the warm-up. */
const APART_MS = { full: 2_000, quick: 600 } as const;

/** Lines of CLIENT LIST: blocked in a command (b) or subscribed (P). */
const WAITING = /^id=(\d+) .* flags=\w*[bP]\w* /gm;

const LOOKS_MAX = 400;
const LOOK_MS = 3;

interface Case {
  readonly name: string;
  readonly cuts: number;
  readonly measured: Measured;
}

export const cuts: Scenario = {
  name: "cuts",
  about: "100 msg/s while the connections that wait for messages are closed five times",
  async run(bench) {
    const size = bench.quick ? "quick" : "full";
    const shape = bench.quick ? QUICK_SHAPE : SHAPE;
    const name = `${CUTS[size]} cuts`;
    const cut = (system: { readonly redis: Redis }): Promise<void> =>
      cutNowAndThen(system.redis, shape.warmUpSec, size);
    const engine = (await onEngine(bench, name, shape, cut)).measured;
    const cases: Case[] = [{ name: "engine", cuts: CUTS[size], measured: engine }];
    for (const [peer, choice] of peersOf(bench)) {
      const measured = await onPeer(bench, choice, name, shape, cut);
      cases.push({ name: peer, cuts: CUTS[size], measured });
    }
    return { cases, table: [HEAD, ...cases.map(row)], faults: faultsOf("engine", engine.report) };
  },
};

async function cutNowAndThen(
  redis: Redis,
  afterSec: number,
  size: keyof typeof CUTS,
): Promise<void> {
  await pause(afterSec * 1_000);
  for (let done = 0; done < CUTS[size]; done++) {
    await pause(APART_MS[size]);
    for (const id of await waitingOn(redis)) await redis.call("CLIENT", "KILL", "ID", id);
  }
}

/** A reader does not wait while it handles what it has read: the first moment in which one does. */
async function waitingOn(redis: Redis): Promise<string[]> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const list = String(await redis.call("CLIENT", "LIST"));
    const waiting = [...list.matchAll(WAITING)].map(([, id]) => id as string);
    if (waiting.length > 0) return waiting;
    await pause(LOOK_MS);
  }
  throw new Error("no connection to Redis waits for messages");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const HEAD = ["", "cuts", "sent", "complete", "p50 ms", "p99 ms", "max ms"];

function row({ name, cuts: count, measured: { report } }: Case): string[] {
  const { completeness, latencyMs } = report;
  return [
    name,
    String(count),
    String(completeness.sent),
    told(completeness),
    latencyMs.p50.toFixed(1),
    latencyMs.p99.toFixed(1),
    latencyMs.max.toFixed(1),
  ];
}
