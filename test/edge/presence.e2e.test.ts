/** Presence over edges that are killed and suspended, against what the sockets say. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { RoomId } from "../../src/protocol/ids.ts";
import { positionMs, type Position } from "../../src/redis/position.ts";
import { Chance } from "../projectors/chance.ts";
import { Compiled } from "../projectors/compiled.ts";
import { expectedPresence, foundPresence } from "../projectors/presence-reference.ts";
import { pause } from "../projectors/talkers.ts";
import { EdgeChild } from "./edge-child.ts";
import { Engine, token } from "./engine.ts";
import { createRoom, Peer } from "./peer.ts";
import { attend, present, sees, stateOf } from "./watch.ts";

const TIMES = { leaseMs: 1_500, renewMs: 400, graceMs: 300 };
/** For a machine that is busy with other things. */
const SLACK_MS = 3_000;
const ROOMS = ["red", "green", "blue", "grey"] as const;
const USERS = ["ann", "ben", "cat", "dan", "eve", "fay"] as const;

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

interface Device {
  readonly user: string;
  readonly edge: EdgeChild;
  readonly peer: Peer;
  readonly rooms: Set<string>;
}
let made = 0;
async function connect(edge: EdgeChild, user: string): Promise<Device> {
  const peer = new Peer({ address: edge.address, device: `d-${++made}` });
  await peer.opened();
  await peer.hello(await token(user));
  return { user, edge, peer, rooms: new Set() };
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
      const chance = new Chance(seed);
      let devices: Device[] = [];
      let running = [await startEdge(), await startEdge(), await startEdge()];
      const founder = await connect(running[0] as EdgeChild, "founder");
      for (const room of ROOMS) await createRoom(founder.peer, room);
      for (const user of USERS) {
        const { peer } = await connect(chance.pick(running), user);
        for (const room of ROOMS) await peer.insist({ type: "join", room });
        peer.terminate();
      }
      const usable = (): Device[] => devices.filter(({ edge }) => !edge.isDown);
      const enter = async (device: Device): Promise<void> => {
        const room = chance.pick(ROOMS);
        await device.peer.follow(room);
        attend(device.peer, room);
        device.rooms.add(room);
      };
      const steps: readonly [number, () => Promise<void>][] = [
        [
          0.3,
          async () => {
            const edge = chance.pick(running);
            const device = await connect(edge, chance.pick(USERS));
            devices.push(device);
            await enter(device);
          },
        ],
        [0.55, async () => (usable().length > 0 ? enter(chance.pick(usable())) : undefined)],
        [
          0.72,
          async () => {
            const device = devices.length > 0 ? chance.pick(devices) : null;
            device?.peer.terminate();
            devices = devices.filter((each) => each !== device);
          },
        ],
        [
          0.97,
          async () => {
            const device = usable().length > 0 ? chance.pick(usable()) : null;
            const [room] = device?.rooms ?? [];
            if (!device || room === undefined) return;
            device.peer.send({ type: "unsubscribe", rooms: [room as RoomId] });
            device.rooms.delete(room);
          },
        ],
        [
          0.985,
          async () => {
            const victim = chance.pick(running);
            await victim.kill();
            devices = devices.filter(({ edge }) => edge !== victim);
            running = running.filter((edge) => edge !== victim);
            running.push(await startEdge());
          },
        ],
        [
          0.993,
          async () => {
            const sleeper = chance.pick(running);
            running = running.filter((edge) => edge !== sleeper);
            sleeper.suspend();
            await pause(chance.often(0.5) ? TIMES.leaseMs / 3 : 2 * TIMES.leaseMs);
            sleeper.resume();
            running.push(sleeper);
          },
        ],
        [1, async () => pause(TIMES.graceMs)],
      ];
      for (let i = 0; i < 1_000; i++) {
        const dice = chance.next();
        await steps.find(([below]) => dice < below)?.[1]();
      }

      const truth = (room: string): string[] => {
        const there = devices.filter(({ rooms }) => rooms.has(room)).map(({ user }) => user);
        return [...new Set(there)].sort();
      };
      for (const room of ROOMS) {
        const same = async (): Promise<boolean> =>
          (await inRedis(room)).join() === truth(room).join();
        await until(`${truth(room).join()} in ${room}, seed ${seed}`, same).catch(
          async (error: unknown) => {
            throw new Error(`found ${(await inRedis(room)).join()}`, { cause: error });
          },
        );
        for (const { rooms, peer } of devices) {
          if (rooms.has(room)) await sees(peer, room, ...truth(room));
        }
      }
      for (const partition of engine.keys.all()) {
        expect(await foundPresence(engine.admin, engine.keys, partition)).toEqual(
          await expectedPresence(engine.admin, engine.keys, partition),
        );
      }
      for (const { peer } of devices) {
        expect(peer.violations).toEqual([]);
        peer.terminate();
      }
      founder.peer.terminate();
    },
    240_000,
  );
});
