/** What the one script that writes projections does in every situation that it can be in. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { Batch } from "../../src/projectors/runtime/batch.ts";
import { ARGUMENTS_MAX } from "../../src/projectors/runtime/operations.ts";
import type { Fence, Grant } from "../../src/projectors/runtime/scripts.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { CORE_GROUP } from "../../src/streams/keys.ts";
import { Hand } from "./commands.ts";
import { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => scene.stop());

const LOUNGE = "lounge" as RoomId;
const events = (): string => scene.keys.events(scene.partition);
const conversation = (): string => scene.keys.conversation(scene.partition, LOUNGE);

/** A room and `lines` lines in it, an entry each, decided and not applied. */
async function undecided(lines: number): Promise<Hand> {
  const ann = new Hand("ann");
  await scene.append(ann.creates());
  for (let i = 1; i < lines; i++) await scene.append(ann.says(`line ${i}`));
  return ann;
}

async function expectQuiet(entries: number, commands: number): Promise<void> {
  const [last] = await scene.redis.xrevrange(events(), "+", "-", "COUNT", 1);
  expect(await scene.checkpoint()).toMatchObject({
    id: last?.[0],
    entries: String(entries),
    commands: String(commands),
  });
  const group = await scene.group();
  expect(group.get("pending")).toBe("0");
  expect(group.get("lag")).toBe("0");
  expect(group.get("entries-read")).toBe(String(entries));
  expect(group.get("last-delivered-id")).toBe(last?.[0]);
}

describe("apply", () => {
  it("[PR1] puts a batch into effect: entries, heads, members, windows, checkpoint, bell, group", async () => {
    const ann = new Hand("ann");
    await scene.append(ann.creates(), ann.says("one"));
    await scene.append(ann.says("two"), ann.does({ type: "invite", user: new Hand("ben").user }));
    const grant = await scene.acquire("w1");
    expect(await scene.apply(grant, await scene.decide(grant))).toEqual({ outcome: "applied" });

    const { keys, partition, redis } = scene;
    expect(await redis.xlen(conversation())).toBe(4);
    expect(await redis.hgetall(keys.members(partition, LOUNGE))).toEqual({
      ann: "owner:1",
      ben: "invited:4",
    });
    expect(await redis.hgetall(keys.room(partition, LOUNGE))).toMatchObject({ seq: "4" });
    const changes = await redis.xrange(keys.outbox(partition), "-", "+");
    expect(changes.map(([, fields]) => fields)).toEqual([
      ["u", "ann", "r", "lounge", "s", "1", "m", "owner"],
      ["u", "ben", "r", "lounge", "s", "4", "m", "invited"],
    ]);
    expect(await redis.xlen(keys.bell(partition))).toBe(1);
    await expectQuiet(2, 4);
  });

  it("[PR2] applied again after its reply was lost says so and changes nothing at all", async () => {
    await undecided(3);
    const grant = await scene.acquire("w1");
    const batch = await scene.decide(grant);
    await scene.apply(grant, batch);
    const before = await scene.digest();
    expect(await scene.apply(grant, batch)).toEqual({ outcome: "already" });
    expect(await scene.digest()).toBe(before);
    await expectQuiet(3, 3);
  });

  it("[PR2] of a batch from an older checkpoint is stale and changes nothing", async () => {
    await undecided(3);
    const grant = await scene.acquire("w1");
    const [early, all] = [await scene.decide(grant, 1), await scene.decide(grant)];
    await scene.apply(grant, all);
    const before = await scene.digest();
    const { id } = await scene.checkpoint();
    expect(await scene.apply(grant, early)).toEqual({ outcome: "stale", checkpoint: id });
    expect(await scene.digest()).toBe(before);
  });

  it("[PR2] of a batch from a later checkpoint is stale and changes nothing", async () => {
    await undecided(3);
    const grant = await scene.acquire("w1");
    const all = await scene.decide(grant);
    const ahead = { ...all, from: all.first } as Batch;
    const before = await scene.digest();
    expect(await scene.apply(grant, ahead)).toEqual({ outcome: "stale", checkpoint: "0-0" });
    expect(await scene.digest()).toBe(before);
  });

  it("[LE2] of an owner that slept past its lease is fenced and changes nothing", async () => {
    await undecided(3);
    const zombie = await scene.acquire("w1");
    const asleep = await scene.decide(zombie); // between XREAD and APPLY
    const next = await scene.acquire("w2");
    const before = await scene.digest();
    expect(await scene.apply(zombie, asleep)).toEqual({ outcome: "fenced", by: next.fence });
    expect(await scene.digest()).toBe(before);
    await scene.apply(next, await scene.decide(next), "w2");
    expect(await scene.apply(zombie, asleep)).toEqual({ outcome: "fenced", by: next.fence });
    await expectQuiet(3, 3);
  });

  it("[LE2] tells two owners apart that were given the same token", async () => {
    await undecided(3);
    const one = await scene.acquire("w1");
    // A lossy failover: the increment is gone, the next owner gets the number again.
    await scene.redis.hset(scene.keys.lease(scene.partition), "token", 0);
    const other = await scene.acquire("w2");
    expect([one.fence, other.fence]).toEqual(["1:w1", "1:w2"]);
    const batch = await scene.decide(one);
    expect(await scene.apply(one, batch)).toEqual({ outcome: "fenced", by: "1:w2" });
    expect(await scene.apply(other, batch, "w2")).toEqual({ outcome: "applied" });
  });

  it("[LE2] without any fence is fenced", async () => {
    await undecided(1);
    const grant = await scene.acquire("w1");
    const batch = await scene.decide(grant);
    await scene.redis.hdel(scene.keys.checkpoint(scene.partition), "fence");
    expect(await scene.apply(grant, batch)).toEqual({ outcome: "fenced", by: "" });
    expect(await scene.apply({ ...grant, fence: "" as Fence }, batch)).toMatchObject({
      outcome: "fenced",
    });
  });
});

describe("apply of a log that was cut", () => {
  const cuts: readonly [string, (ids: readonly string[]) => Promise<unknown>, RegExp][] = [
    ["one unread entry trimmed", () => scene.redis.xtrim(events(), "MAXLEN", 3), /^1 entries/],
    ["all but the newest trimmed", () => scene.redis.xtrim(events(), "MAXLEN", 1), /^3 entries/],
    ["an unread entry deleted", (ids) => scene.redis.xdel(events(), ids[3] as string), /deleted/],
    ["the whole log deleted", () => scene.redis.del(events()), /less than was applied/],
  ];
  it.each(cuts)("[PR6] %s behind its back stands still", async (_what, cut, why) => {
    const ann = await undecided(2);
    const first = await scene.acquire("w1");
    await scene.apply(first, await scene.decide(first));
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push(await scene.append(ann.says(`later ${i}`)));
    await cut(["", "", ...ids]);
    await scene.append(ann.says("last"));

    const grant = await scene.acquire("w2");
    const batch = await scene.decide(grant);
    const before = await scene.digest();
    const applied = await scene.apply(grant, batch);
    expect(applied).toMatchObject({ outcome: "truncated" });
    expect((applied as { why: string }).why).toMatch(why);
    expect(await scene.digest()).toBe(before);
  });

  it("[PR6] after what is applied was trimmed or deleted goes on", async () => {
    const ann = await undecided(4);
    const grant = await scene.acquire("w1");
    await scene.apply(grant, await scene.decide(grant));
    const applied = await scene.read("0-0" as never);
    await scene.append(ann.says("after"));
    await scene.redis.xdel(events(), applied[1]?.id as string);
    await scene.redis.xtrim(events(), "MAXLEN", 1);
    const next = await scene.acquire("w2");
    expect(await scene.apply(next, await scene.decide(next))).toEqual({ outcome: "applied" });
    expect(await scene.redis.xlen(conversation())).toBe(5);
  });
});

describe("apply with a group that was moved by hand", () => {
  const group = CORE_GROUP;
  const moves: readonly [string, () => Promise<unknown>][] = [
    ["XREADGROUP of some", () => readAs("operator", 2)],
    ["XREADGROUP of all", () => readAs("operator", 100)],
    ["SETID to the tail", () => scene.redis.xgroup("SETID", events(), group, "$")],
    ["SETID to the start", () => scene.redis.xgroup("SETID", events(), group, "0")],
    ["DESTROY", () => scene.redis.xgroup("DESTROY", events(), group)],
    [
      "SETID to the start and XREADGROUP of what is applied",
      async () => {
        await scene.redis.xgroup("SETID", events(), group, "0");
        await readAs("operator", 2);
      },
    ],
  ];
  async function readAs(consumer: string, count: number): Promise<unknown> {
    return scene.redis.xreadgroup(
      "GROUP",
      group,
      consumer,
      "COUNT",
      count,
      "STREAMS",
      events(),
      ">",
    );
  }

  it.each(moves)("[PR4] %s: diverged, nothing written, repaired by itself", async (_name, move) => {
    const ann = await undecided(3);
    const first = await scene.acquire("w1");
    const before = await scene.decide(first);
    await scene.apply(first, before);
    for (let i = 0; i < 5; i++) await scene.append(ann.says(`later ${i}`));
    const grant: Grant = { ...first, checkpoint: before.to };
    const batch = await scene.decide(grant, 3);
    await move();

    expect(await scene.apply(grant, batch)).toMatchObject({ outcome: "diverged" });
    expect(await scene.redis.xlen(conversation())).toBe(3);
    expect((await scene.checkpoint())["id"]).toBe(before.to);
    expect((await scene.group()).get("pending")).toBe("0");

    expect(await scene.apply(grant, batch)).toEqual({ outcome: "applied" });
    const rest: Grant = { ...grant, checkpoint: batch.to };
    await scene.apply(rest, await scene.decide(rest));
    expect(await scene.redis.xlen(conversation())).toBe(8);
    await expectQuiet(8, 8);
  });

  it("[PR4] entries that the log no longer has stay diverged until they are read anew", async () => {
    await undecided(3);
    const grant = await scene.acquire("w1");
    const batch = await scene.decide(grant);
    const vanished = { ...batch, to: "99999999999999-0" } as Batch;
    for (let i = 0; i < 3; i++) {
      expect(await scene.apply(grant, vanished)).toMatchObject({ outcome: "diverged" });
    }
    expect(await scene.apply(grant, batch)).toEqual({ outcome: "applied" });
    await expectQuiet(3, 3);
  });
});

describe("apply, all or nothing", () => {
  it("[PR3] refuses a command outside of the closed set before anything is written", async () => {
    await undecided(3);
    const grant = await scene.acquire("w1");
    const batch = await scene.decide(grant);
    for (const name of ["FLUSHALL", "xadd", "EVAL", "PEXPIRE", "XACK"]) {
      const operations = {
        keys: batch.operations.keys,
        blobs: batch.operations.blobs,
        list: [...batch.operations.list, [name, 4, "x"]],
      } as unknown as Batch["operations"];
      const before = await scene.digest();
      await expect(scene.apply(grant, { ...batch, operations })).rejects.toThrow(/not allowed/);
      expect(await scene.digest()).toBe(before);
    }
  });

  it("[PR3] refuses an operation with more arguments than can be unpacked before anything is written", async () => {
    await undecided(3);
    const grant = await scene.acquire("w1");
    const batch = await scene.decide(grant);
    const { keys, blobs, list } = batch.operations;
    const withMembers = (count: number): Batch => {
      const members = Array.from({ length: count }, (_, i) => `m${i}`);
      const more = [...keys, `${events()}:more`];
      const operation = ["SADD", 3 + more.length, ...members];
      const operations = { keys: more, blobs, list: [...list, operation] };
      return { ...batch, operations: operations as unknown as Batch["operations"] };
    };
    const before = await scene.digest();
    const tooMany = withMembers(ARGUMENTS_MAX + 1);
    await expect(scene.apply(grant, tooMany)).rejects.toThrow(/too many arguments/);
    expect(await scene.digest()).toBe(before);
    expect(await scene.apply(grant, withMembers(ARGUMENTS_MAX))).toEqual({ outcome: "applied" });
  });

  it("[PR3] is refused before it starts when memory is short", async () => {
    await undecided(3);
    const grant = await scene.acquire("w1");
    const batch = await scene.decide(grant);
    const before = await scene.digest();
    await scene.redis.config("SET", "maxmemory", "1mb");
    await expect(scene.apply(grant, batch)).rejects.toThrow(/OOM/);
    await scene.redis.config("SET", "maxmemory", "0");
    expect(await scene.digest()).toBe(before);
    expect(await scene.apply(grant, batch)).toEqual({ outcome: "applied" });
  });
});
