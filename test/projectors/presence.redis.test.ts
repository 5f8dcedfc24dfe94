/** Presence in the log: what the projector makes of facts, and how it ends what edges left behind. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { PresenceSweep } from "../../src/projectors/presence/sweep.ts";
import { startProjector, type RunningProjector } from "../../src/projectors/worker.ts";
import type { RoomId, UserId } from "../../src/protocol/ids.ts";
import { packCommands, type Fact, type LoggedCommand } from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import { Chance } from "./chance.ts";
import { Hand } from "./commands.ts";
import { expectedPresence, foundPresence } from "./presence-reference.ts";
import { Scene, SILENT } from "./scene.ts";
import { pause } from "./talkers.ts";

const FOREVER = "9999999999999";
const LOUNGE = "lounge" as RoomId;
const partition = 0 as PartitionId;
const keys = new Keys(1);
let scene: Scene;
const projectors: RunningProjector[] = [];
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => {
  await Promise.all(projectors.splice(0).map((projector) => projector.stop()));
  await scene.redis.flushall();
});
afterAll(async () => scene.stop());

async function project(namespace?: string): Promise<RunningProjector> {
  const projector = await startProjector({
    redisUrl: scene.server.url,
    partitions: 1,
    ack: "memory",
    historyPerRoom: 1_000,
    leaseTtlMs: 1_000,
    leaseRenewMs: 300,
    log: SILENT,
    ...(namespace !== undefined && { namespace }),
  });
  projectors.push(projector);
  return projector;
}

async function append(facts: readonly Fact[], ...commands: LoggedCommand[]): Promise<string> {
  const body = packCommands("e", commands, facts) as Buffer;
  await scene.redis.hincrby(keys.log(partition), "commands", facts.length + commands.length);
  return (await scene.redis.xadd(keys.events(partition), "*", "b", body)) as string;
}
async function folded(of = keys): Promise<void> {
  for (;;) {
    const [last] = await scene.redis.xrevrange(of.events(partition), "+", "-", "COUNT", 1);
    if ((await scene.redis.hget(of.checkpoint(partition), "id")) === last?.[0]) return;
    await pause(5);
  }
}
const lease = (edge: string, ends = FOREVER): Promise<unknown> =>
  scene.redis.zadd(keys.edges(partition), ends, edge);
const up = (edge: string): Fact => ({ type: "edgeUp", edge });
const down = (edge: string): Fact => ({ type: "edgeDown", edge });
function attendance(edge: string, entered: readonly string[], left: readonly string[] = []): Fact {
  const users = { entered: entered as UserId[], left: left as UserId[] };
  return { type: "attendance", edge, room: LOUNGE, ...users };
}
const there = (): Promise<Record<string, string>> =>
  scene.redis.hgetall(keys.presence(partition, LOUNGE));
/** Waits until nobody is left of an incarnation. */
async function swept(edge: string): Promise<void> {
  await folded();
  const live = (): Promise<string | null> => scene.redis.hget(keys.live(partition), edge);
  while (
    (await live()) !== null ||
    (await scene.redis.zscore(keys.edges(partition), edge)) !== null
  )
    await pause(10);
}

describe("presence in the log", () => {
  it("[PS8] counts from an incarnation's up to its down, for members, at each place of the log", async () => {
    const [ann, ben] = [new Hand("ann"), new Hand("ben")];
    await lease("e.1");
    await lease("e.2");
    await append([attendance("e.1", ["ann"])], ann.creates());
    await append([up("e.1"), attendance("e.1", ["ann", "ben"])]);
    await append([up("e.2"), attendance("e.2", ["ann", "ben"])], ben.does({ type: "join" }));
    await project();
    await folded();
    expect(await there()).toEqual({ ann: "+ e.1 e.2", ben: "+ e.2" });
    const left = await append([
      attendance("e.1", [], ["ann"]),
      attendance("e.2", [], ["ann", "ben"]),
    ]);
    const back = await append([attendance("e.2", ["ben"])], ben.does({ type: "leave" }));
    await folded();
    expect(back > left).toBe(true);
    expect(await there()).toEqual({ ann: `- ${left.split("-")[0]}` });
    expect(await foundPresence(scene.redis, keys, partition)).toEqual(
      await expectedPresence(scene.redis, keys, partition),
    );
    // Facts count as commands do, or backlog and lag would drift apart.
    const [applied, appended] = await Promise.all([
      scene.redis.hget(keys.checkpoint(partition), "commands"),
      scene.redis.hget(keys.log(partition), "commands"),
    ]);
    expect(applied).toBe(appended);
  });

  it("[PS11] a lease that ended is an end in the log, once, and then everybody is taken out", async () => {
    const names = Array.from({ length: 2_500 }, (_, i) => `u${i}`);
    const hands = names.map((name) => new Hand(name));
    await lease("e.1", "1");
    await lease("e.2");
    await append([], new Hand("ann").creates());
    for (let at = 0; at < hands.length; at += 200) {
      await append([], ...hands.slice(at, at + 200).map((hand) => hand.does({ type: "join" })));
    }
    await append([up("e.1"), up("e.2"), attendance("e.2", ["u0"])]);
    for (let at = 0; at < names.length; at += 200) {
      await append([attendance("e.1", names.slice(at, at + 200))]);
    }
    await project();
    await swept("e.1");
    const values = Object.entries(await there());
    expect(values).toHaveLength(names.length);
    expect(values.filter(([, where]) => where.startsWith("+"))).toEqual([["u0", "+ e.2"]]);
    expect(await scene.redis.exists(keys.attends(partition, "e.1"))).toBe(0);
    const log = await scene.redis.xrangeBuffer(keys.events(partition), "-", "+");
    const ends = log.filter(
      ([, fields]) => fields[1]?.includes("e.1") && fields[1].includes("sweep"),
    );
    expect(ends.length).toBeGreaterThan(2);
    // What it says after its end, for instance when it was only asleep, counts for nothing.
    await append([attendance("e.1", ["u1", "u2"])]);
    await append([up("e.2"), attendance("e.2", ["u1"])]);
    await folded();
    expect((await there())["u2"]).toMatch(/^-/);
    expect(await expectedPresence(scene.redis, keys, partition)).toEqual(
      await foundPresence(scene.redis, keys, partition),
    );
  });

  it("[PS11] an incarnation that is up without a lease is at its end too", async () => {
    await append([up("e.1"), attendance("e.1", ["ann"])], new Hand("ann").creates());
    await project();
    await swept("e.1");
    await folded();
    expect((await there())["ann"]).toMatch(/^-/);
  });

  it("[PS12] the next owner goes on where one died: after the end, and between two steps", async () => {
    const names = ["ann", "ben", "cat"];
    const joins = names.slice(1).map((name) => new Hand(name).does({ type: "join" }));
    await append([up("e.1"), attendance("e.1", names)], new Hand("ann").creates(), ...joins);
    // As the last owner left it: the end is in the log, one is taken out, the lease is gone.
    await append([down("e.1"), attendance("e.1", [], ["ben"])]);
    // And as two owners do that both were sure: the end comes again. Late words of the dead too.
    await append([down("e.1"), attendance("e.1", ["ben"]), up("e.1")]);
    const left = (await scene.redis.xrange(keys.events(partition), "-", "+"))[1]?.[0];
    await project();
    await swept("e.1");
    await folded();
    const found = await there();
    for (const name of names) expect(found[name]).toMatch(/^-/);
    expect(found["ben"]).toBe(`- ${left?.split("-")[0]}`);
    expect(await foundPresence(scene.redis, keys, partition)).toEqual(
      await expectedPresence(scene.redis, keys, partition),
    );
  });

  it("[PS12] whoever has lost the partition ends nobody, and a renewed lease is none that ended", async () => {
    const grant = await scene.acquire("w1");
    await append([up("e.1"), attendance("e.1", ["ann"])], new Hand("ann").creates());
    const batch = await scene.decide(grant);
    await scene.apply(grant, batch);
    const owned = { id: partition, fence: grant.fence, halted: false, decidedTo: batch.to };
    const ownership = { held: () => [owned as never] };
    // Its lease is renewed after the owner has looked, and before it speaks.
    await lease("e.1", "1");
    let trips = 0;
    const racing = new Proxy(scene.redis, {
      get(redis, name) {
        if (name === "pipeline" && ++trips === 2) void lease("e.1");
        const value: unknown = Reflect.get(redis, name);
        return typeof value === "function" ? value.bind(redis) : value;
      },
    });
    const late = new PresenceSweep(racing, keys, ownership);
    await late.look();
    expect([trips, late.ended]).toEqual([2, 0]);
    expect(await scene.redis.zscore(keys.edges(partition), "e.1")).toBe(FOREVER);
    await lease("e.1", "1");
    const zombie = new PresenceSweep(scene.redis, keys, ownership);
    await scene.acquire("w2");
    const before = await scene.digest();
    await zombie.look();
    expect(await scene.digest()).toBe(before);
    expect(zombie.ended).toBe(0);
  });

  it("[PR9] folded again into an empty namespace gives byte-equal presence, and ends nobody there", async () => {
    for (const seed of [1, 2, 3]) {
      await scene.redis.flushall();
      const chance = new Chance(seed);
      const hands = ["ann", "ben", "zoë :{}"].map((name) => new Hand(name));
      const edges = ["e.1", "e.2", "f.1"];
      for (const edge of edges) await lease(edge);
      await append([], (hands[0] as Hand).creates());
      const some = (): string[] => hands.filter(() => chance.often(0.5)).map(({ user }) => user);
      const projector = await project();
      for (let i = 0; i < 400; i++) {
        const edge = chance.pick(edges);
        const hand = chance.pick(hands);
        const facts = [
          () => up(edge),
          () => attendance(edge, some()),
          () => attendance(edge, [], some()),
          () => attendance(edge, some(), some()),
        ];
        const commands = chance.often(0.2)
          ? [hand.does({ type: chance.often(0.5) ? "join" : "leave" })]
          : [];
        if (chance.often(0.05)) await append([down(edge)], ...commands);
        else await append([chance.pick(facts)(), chance.pick(facts)()], ...commands);
      }
      await folded();
      await projector.stop();
      projectors.length = 0;
      const found = await foundPresence(scene.redis, keys, partition);
      expect(found, `seed ${seed}`).toEqual(await expectedPresence(scene.redis, keys, partition));

      const copy = new Keys(1, "rebuild:");
      const log = await scene.redis.xrangeBuffer(keys.events(partition), "-", "+");
      for (const [id, fields] of log) {
        await scene.redis.xadd(copy.events(partition), id, "b", fields[1] as Buffer);
      }
      await project("rebuild:");
      await folded(copy);
      await pause(1_200);
      expect(await scene.redis.xlen(copy.events(partition))).toBe(log.length);
      expect(await foundPresence(scene.redis, copy, partition)).toEqual(found);
    }
  });
});
