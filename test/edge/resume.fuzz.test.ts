/**
 * Wherever a reader is cut off: what it had, and what it gets from its cursor on,
 * is the history that somebody new reads. Two edges that tail in different ways,
 * links that break, bells that get lost, readers that come and go.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { createRoom, type Peer } from "./peer.ts";

const SEEDS = [1, 2, 3];
const ROOMS = 3;
const WRITERS = 2;
const MESSAGES_EACH = 120;
const READERS = 4;
const start = engineOfFile();

/** mulberry32: small, good enough, the same everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

describe("history up to a cursor and the tail from it", () => {
  let engine: Engine;
  let proxy: FaultProxy;
  let edges: RunningEdge[];
  let writers: Peer[];

  beforeAll(async () => {
    engine = await start();
    proxy = await FaultProxy.start(engine.redis.socket);
    const modes = [{ directRoomsMax: 64 }, { directRoomsMax: 0 }] as const;
    edges = await Promise.all(modes.map((mode) => engine.edge({ ...mode, redisUrl: proxy.url })));
    const writing = await engine.edge();
    writers = await Promise.all(
      Array.from({ length: WRITERS }, (_, i) =>
        engine.peer(writing, `writer-${i}`, { device: `w${i}` }),
      ),
    );
  });
  afterAll(() => proxy.stop());

  it.each(SEEDS)("[RS9] are the whole history (seed %i)", async (seed) => {
    const random = randomFrom(seed);
    const rooms = Array.from({ length: ROOMS }, (_, i) => `seed-${seed}-${i}`);
    const [owner, ...others] = writers as [Peer, ...Peer[]];
    for (const room of rooms) await createRoom(owner, room, others);
    for (let i = 0; i < READERS; i++) {
      const joining = await engine.peer(edges[0] as RunningEdge, `reader-${i}`, {
        device: `j${seed}`,
      });
      for (const room of rooms) await joining.insist({ type: "join", room });
      joining.terminate();
    }
    const silence = new AbortController();
    const reading = Array.from({ length: READERS }, (_, i) =>
      read(`reader-${i}`, rooms, random, silence.signal),
    );
    const faults = disturb(random, silence.signal);
    await Promise.all(
      writers.map(async (writer) => {
        for (let i = 0; i < MESSAGES_EACH; i++) {
          const room = rooms[random(ROOMS)] as string;
          await writer.insist({ type: "send", room, text: `${i}` });
          if (random(8) === 0) await sleep(random(15));
        }
      }),
    );
    silence.abort();
    await faults;
    const logs = await Promise.all(reading);
    for (const room of rooms) {
      const fresh = await owner.follow(room, "1.0.0-0");
      expect(fresh.map(({ seq }) => seq)).toEqual(fresh.map((_, i) => i + 1));
      for (const log of logs) expect(log.get(room)).toEqual(fresh);
    }
  });

  /** Breaks links and loses bells until told to stop. */
  async function disturb(random: (below: number) => number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(random(120));
      const bells = engine.bells();
      const bell = bells[random(bells.length)] as string;
      if (random(3) === 0) proxy.reset();
      else if (random(2) === 0) await engine.admin.xtrim(bell, "MAXLEN", 0);
      else {
        const [newest] = await engine.admin.xrevrange(bell, "+", "-", "COUNT", 1);
        if (newest) await engine.admin.xdel(bell, newest[0]);
      }
    }
  }

  /** Comes and goes, from one edge to the other; at last reads what is left. */
  async function read(
    user: string,
    rooms: readonly string[],
    random: (below: number) => number,
    signal: AbortSignal,
  ): Promise<Map<string, Entry[]>> {
    const logs = new Map<string, Entry[]>(rooms.map((room) => [room, []]));
    for (let last = false; !last;) {
      last = signal.aborted;
      const edge = edges[random(edges.length)] as RunningEdge;
      const peer = await engine.peer(edge, user);
      const limit = 1 + random(50);
      for (const room of rooms) {
        await peer.follow(room, logs.get(room)?.at(-1)?.cursor ?? "1.0.0-0", limit);
      }
      if (!last) await sleep(random(200));
      peer.terminate();
      const unsound = peer.frames.filter((f) => f.type === "resumed" && f.status !== "ok");
      expect([unsound, peer.violations]).toEqual([[], []]);
      for (const room of rooms) logs.get(room)?.push(...(peer.rooms.get(room) ?? []));
    }
    return logs;
  }
});
