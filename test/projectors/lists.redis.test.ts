/** The users' lists of rooms, kept by consumers that die at any point. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Lifecycle } from "../../src/ops/lifecycle.ts";
import { ListKeeper } from "../../src/projectors/lists/list-keeper.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { connectForCommands, pipeline, type Redis } from "../../src/redis/connect.ts";
import { BlockingReader } from "../../src/redis/streams-reader.ts";
import { Keys, LISTS_GROUP } from "../../src/streams/keys.ts";
import { outboxFields, type MembershipChange } from "../../src/streams/outbox.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { TestRedis } from "../support/redis-server.ts";
import { Chance } from "./chance.ts";
import { SILENT } from "./scene.ts";

const keys = new Keys(4);
const USERS = ["ann", "bob", "Zoë {x}"] as UserId[];
const ROOMS = ["one", "two", "three"] as RoomId[];
const ROLES = ["owner", "member", "invited", null] as const;

let server: TestRedis;
let redis: Redis;
const readers: BlockingReader[] = [];
beforeAll(async () => {
  server = await TestRedis.start();
  redis = await connectForCommands({ url: server.url, name: "lists test", log: SILENT });
});
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

async function keeper(consumer: string): Promise<ListKeeper> {
  const reader = await BlockingReader.connect({ url: server.url, name: consumer, log: SILENT });
  readers.push(reader);
  return new ListKeeper({ redis, reader, keys, consumer, log: SILENT, claimAfterMs: 0 });
}

async function createGroups(): Promise<void> {
  for (const partition of keys.all()) {
    await redis.xgroup("CREATE", keys.outbox(partition), LISTS_GROUP, "0", "MKSTREAM");
  }
}

async function tell(...changes: MembershipChange[]): Promise<void> {
  await pipeline(
    redis,
    changes.map((change) => {
      return ["XADD", keys.outbox(keys.partitionOf(change.room)), "*", ...outboxFields(change)];
    }),
  );
}

function change(user: UserId, room: RoomId, seq: number, role: MembershipChange["role"]) {
  return { user, room, seq: seq as Seq, role };
}

async function lists(): Promise<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const user of USERS) found[user] = await redis.hgetall(keys.list(user));
  return found;
}

async function pending(): Promise<number> {
  let count = 0;
  for (const partition of keys.all()) count += await redis.xlen(keys.outbox(partition));
  return count;
}

/** Given to a consumer that is never heard of again. */
async function giveToTheDead(chance: Chance): Promise<void> {
  for (const partition of keys.all()) {
    const key = keys.outbox(partition);
    const count = chance.between(0, 3);
    if (count > 0) {
      await redis.xreadgroup("GROUP", LISTS_GROUP, "dead", "COUNT", count, "STREAMS", key, ">");
    }
  }
}

describe("a user's list of rooms", () => {
  it("[LI1] holds the newest change of each room, whoever took it, how often and in which order", async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const chance = new Chance(seed);
      await redis.flushall();
      await createGroups();
      const keepers = [await keeper("k1"), await keeper("k2"), await keeper("k3")];
      const newest = new Map<string, MembershipChange>();
      for (let round = 0, seq = 0; round < 25; round++) {
        const made = Array.from({ length: chance.between(0, 7) }, () =>
          change(chance.pick(USERS), chance.pick(ROOMS), ++seq, chance.pick(ROLES)),
        );
        for (const one of made) newest.set(`${one.user}/${one.room}`, one);
        await tell(...made);
        await giveToTheDead(chance);
        const one = chance.pick(keepers);
        await (chance.often(0.3) ? one.claim() : one.take(1));
      }
      for (let i = 0; i < 20 && (await pending()) > 0; i++) {
        for (const one of keepers) await one.take(1).then(() => one.claim());
      }
      expect(await pending(), `seed ${seed}`).toBe(0);
      const wanted: Record<string, Record<string, string>> = { ann: {}, bob: {}, "Zoë {x}": {} };
      for (const { user, room, seq, role } of newest.values()) {
        if (role !== null) (wanted[user] as Record<string, string>)[room] = `${seq}:${role}`;
      }
      expect(await lists(), `seed ${seed}`).toEqual(wanted);
    }
  });

  it("[LI1] does not bring back a room by a change that comes late", async () => {
    await createGroups();
    const one = await keeper("k1");
    const [ann, room] = ["ann" as UserId, "one" as RoomId];
    await tell(change(ann, room, 3, "member"));
    await redis.xreadgroup(
      "GROUP",
      LISTS_GROUP,
      "dead",
      "COUNT",
      10,
      "STREAMS",
      keys.outbox(keys.partitionOf(room)),
      ">",
    );
    await tell(change(ann, room, 5, null));
    await one.take(1);
    expect((await lists())["ann"]).toEqual({});
    await one.claim();
    expect((await lists())["ann"]).toEqual({});
    expect(one.tally).toEqual({ changed: 1, known: 1, unlisted: 0, claimed: 1 });
    await tell(change(ann, room, 7, "invited"));
    await one.take(1);
    expect((await lists())["ann"]).toEqual({ one: "7:invited" });
  });

  it("[LI2] an entry that cannot be read is put away, and the rest goes on", async () => {
    await createGroups();
    const one = await keeper("k1");
    await redis.xadd(keys.outbox(keys.partitionOf("one" as RoomId)), "*", "what", "is this");
    await tell(change("ann" as UserId, "one" as RoomId, 1, "owner"));
    await one.take(1);
    expect((await lists())["ann"]).toEqual({ one: "1:owner" });
    expect(await pending()).toBe(0);
  });

  it("[LI2] runs until it is stopped, and makes its groups itself", async () => {
    const lifecycle = new Lifecycle(SILENT);
    const one = await keeper("k1");
    lifecycle.run("lists", () => one.run(lifecycle));
    await tell(change("bob" as UserId, "two" as RoomId, 1, "owner"));
    await expect.poll(pending, { timeout: PATIENCE_MS }).toBe(0);
    expect((await lists())["bob"]).toEqual({ two: "1:owner" });
    await lifecycle.stop();
  });
});
