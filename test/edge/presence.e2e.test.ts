/** Presence over edges that are killed and suspended, against what the sockets say. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { RoomId } from "../../src/protocol/ids.ts";
import { positionMs, type Position } from "../../src/redis/position.ts";
import { Compiled } from "../projectors/compiled.ts";
import { expectedPresence, foundPresence } from "../projectors/presence-reference.ts";
import { pause } from "../projectors/talkers.ts";
import { EdgeChild } from "./edge-child.ts";
import { Engine } from "./engine.ts";
import { createRoom } from "./peer.ts";
import { connect, PresenceStorm, STORM_ROOMS } from "./presence-storm.ts";
import { present, sees, stateOf } from "./watch.ts";

const TIMES = { leaseMs: 1_500, renewMs: 400, graceMs: 300 };
/** For a machine that is busy with other things. */
const SLACK_MS = 3_000;

let engine: Engine;
let compiled: Compiled;
const edges: EdgeChild[] = [];
beforeAll(async () => {
  engine = await Engine.start({ partitions: 2 });
  compiled = await Compiled.fromSources();
});
afterAll(async () => {
  await Promise.all(edges.map((edge) => edge.stop()));
  await engine.stop();
  compiled.remove();
});

async function startEdge(): Promise<EdgeChild> {
  const edge = await EdgeChild.start(compiled, {
    redisUrl: engine.redis.url,
    host: "127.0.0.1",
    port: 0,
    transport: "ws",
    allowedOrigins: [],
    partitions: engine.keys.partitions,
    ack: "memory",
    beatMs: 60_000,
    directRoomsMax: 64,
    backlogMax: 10_000,
    presenceTimes: TIMES,
  });
  edges.push(edge);
  return edge;
}

const presenceKey = (room: string): string =>
  engine.keys.presence(engine.keys.partitionOf(room as RoomId), room as RoomId);
/** Who is there by the projection. */
async function inRedis(room: string): Promise<string[]> {
  const found = await engine.admin.hgetall(presenceKey(room));
  const there = Object.entries(found).filter(([, where]) => where.startsWith("+"));
  return there.map(([user]) => user).sort();
}
async function until(what: string, holds: () => Promise<boolean>, ms = 20_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it did not come: ${what}`);
    await pause(20);
  }
}

describe("presence over processes", () => {
  it("[PS11] the people of an edge that is killed are gone within its lease and a second", async () => {
    const [one, other] = [await startEdge(), await startEdge()];
    const [ann, ben] = [await connect(other, "ann"), await connect(one, "ben")];
    await createRoom(ann.peer, "room", [ben.peer]);
    for (const { peer } of [ann, ben]) await present(peer, "room");
    // Ann has a device there too, which is no reason to see her go.
    await present((await connect(one, "ann")).peer, "room");
    await sees(ann.peer, "room", "ann", "ben");
    const before = ann.peer.frames.length;
    await one.kill();
    const partition = engine.keys.partitionOf("room" as RoomId);
    const leases = await engine.admin.zrange(engine.keys.edges(partition), "0", "-1", "WITHSCORES");
    const name = leases.find((each) => each.startsWith(`${one.incarnation}.`)) as string;
    const ends = Number(leases[leases.indexOf(name) + 1]);
    await sees(ann.peer, "room", "ann");
    const events = await engine.admin.xrangeBuffer(engine.keys.events(partition), "-", "+");
    const words = events
      .filter(([, fields]) => fields[1]?.includes(name) && fields[1].includes("sweep"))
      .map(([id]) => positionMs(id.toString() as Position));
    // The end, and whom it takes out; not before the lease was over.
    expect(words).toHaveLength(2);
    expect(words[0]).toBeGreaterThanOrEqual(ends);
    expect(words[1]).toBeLessThanOrEqual(ends + 1_000 + SLACK_MS);
    expect(stateOf(ann.peer, "room").lastSeen.get("ben")).toBe(words[1]);
    const told = ann.peer.frames.slice(before).filter((frame) => frame.type === "presence");
    expect(told.flatMap(({ offline }) => offline.map(({ user }) => user))).toEqual(["ben"]);
    ann.peer.terminate();
  });

  it("[PS10] an edge that sleeps past its lease comes back as another incarnation, with all its people", async () => {
    const [sleeper, other] = [await startEdge(), await startEdge()];
    const [cat, dan] = [await connect(other, "cat"), await connect(sleeper, "dan")];
    await createRoom(cat.peer, "nap", [dan.peer]);
    for (const { peer } of [cat, dan]) await present(peer, "nap");
    await sees(cat.peer, "nap", "cat", "dan");
    sleeper.suspend();
    await sees(cat.peer, "nap", "cat");
    sleeper.resume();
    await sees(cat.peer, "nap", "cat", "dan");
    const partition = engine.keys.partitionOf("nap" as RoomId);
    const live = await engine.admin.hkeys(engine.keys.live(partition));
    expect(live.filter((each) => each.startsWith(`${sleeper.incarnation}.`))).toHaveLength(1);
    for (const { peer } of [cat, dan]) peer.terminate();
  });

  it.each([7])(
    "[PS8] after 1,000 random steps there is no ghost and nobody is missing, seed %i",
    async (seed) => {
      const storm = await PresenceStorm.start(seed, startEdge, TIMES);
      for (let i = 0; i < 1_000; i++) await storm.step();

      for (const room of STORM_ROOMS) {
        const truth = storm.truth(room);
        let found: string[] = [];
        await until(`${truth.join()} in ${room}, seed ${seed}`, async () => {
          found = await inRedis(room);
          return found.join() === truth.join();
        }).catch((error: unknown) => {
          throw new Error(`found ${found.join()}`, { cause: error });
        });
        for (const peer of storm.observers(room)) await sees(peer, room, ...truth);
      }
      for (const partition of engine.keys.all()) {
        expect(await foundPresence(engine.admin, engine.keys, partition)).toEqual(
          await expectedPresence(engine.admin, engine.keys, partition),
        );
      }
      expect(storm.violations()).toEqual([]);
      storm.end();
    },
    240_000,
  );
});
