/** What is unread for each member, as an edge reads it, against a recount from the log. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { positionField, readReaders } from "../../src/domain/positions-record.ts";
import { RoomList } from "../../src/edge/room-list.ts";
import { TAIL_MESSAGES_MAX } from "../../src/domain/positions.ts";
import { CACHE_BOUNDS, PartitionState } from "../../src/projectors/runtime/partition-state.ts";
import { formatCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { Epoch, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { pipeline } from "../../src/redis/connect.ts";
import { readBell } from "../../src/streams/bell.ts";
import { FACT_USERS_MAX, type Fact, type LoggedCommand } from "../../src/streams/command-log.ts";
import { Chance } from "./chance.ts";
import { Hand } from "./commands.ts";
import { conversation, Driver, Listener, recount, type Done } from "./positions-reference.ts";
import { Scene } from "./scene.ts";

const NAMES = ["ann", "ben", "cy", "dee"];
const ROOMS = ["lounge", "den"] as RoomId[];

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => scene.stop());

/** What each reads of themselves, and of the others. */
async function expectTrue(about: string): Promise<void> {
  const list = new RoomList(scene.redis, scene.keys);
  for (const room of ROOMS) {
    const { members, receiptsOn } = await recount(scene, room);
    for (const name of NAMES) {
      const found = await list.unread(name as UserId, room);
      const counts = found && {
        through: found.through,
        unread: found.unread,
        mentions: found.mentions,
      };
      const wanted = members.get(name) ?? null;
      if (wanted === null) expect(counts, `${about}: ${name} in ${room}`).toBeNull();
      else expect(wanted, `${about}: ${name} in ${room}`).toMatchObject(counts as object);
    }
    const readings = await list.readings(room);
    const told = "marks" in readings ? readings.marks : [];
    const seen = receiptsOn ? [...members].map(([user, { shown }]) => [user, shown]) : [];
    expect(new Map(told.map(({ user, through }) => [user, through])), about).toEqual(
      new Map(seen as [UserId, Seq][]),
    );
  }
}

/** A random thing that one of the hands does, or an edge tells. */
function randomStep(
  chance: Chance,
  hands: readonly Hand[],
  known: readonly Done[],
  room: RoomId,
): LoggedCommand | Fact {
  const hand = chance.pick(hands);
  const target =
    known.length > 0 ? chance.pick(known).cursor : formatCursor(1 as Epoch, 1 as Seq, 1, 1);
  const roll = chance.next();
  if (roll < 0.4) {
    const mentions = chance.often(0.3) ? [chance.pick(NAMES) as UserId] : undefined;
    const everyone = chance.often(0.1) ? true : undefined;
    return hand.does(
      { type: "send", text: "x", ...(mentions && { mentions }), ...(everyone && { everyone }) },
      room,
    );
  }
  if (roll < 0.5) {
    const mentions = chance.often(0.5) ? [chance.pick(NAMES) as UserId] : undefined;
    return hand.does(
      { type: "edit", message: target, text: "y", ...(mentions && { mentions }) },
      room,
    );
  }
  if (roll < 0.6) return hand.does({ type: "delete", message: target }, room);
  if (roll < 0.63) return hand.does({ type: "leave" }, room);
  if (roll < 0.66) return hand.does({ type: "setReceipts", on: chance.often(0.5) }, room);
  if (roll < 0.72) return hand.does({ type: "join" }, room);
  if (roll < 0.8) return hand.does({ type: "markUnread", message: target }, room);
  const marks = NAMES.filter(() => chance.often(0.5)).map((user) => ({
    user: user as UserId,
    through: readerAt(chance, known, target),
    private: chance.often(0.4),
  }));
  return {
    type: "reading",
    room,
    marks: marks.length > 0 ? marks : [{ user: "ann" as UserId, through: target }],
  };
}

function readerAt(chance: Chance, known: readonly Done[], other: Cursor): Cursor {
  const newest = known.at(-1);
  return newest && chance.often(0.5) ? newest.cursor : other;
}

/** As it stands in the room, and as the log has it; null of a room that is not large. */
async function readersIn(room: RoomId): Promise<{ kept: unknown; recounted: unknown }> {
  const { keys, partition, redis } = scene;
  const kept = await redis.hget(keys.room(partition, room), positionField.readers);
  const size = await redis.hlen(keys.members(partition, room));
  const counts = [...(await recount(scene, room)).members.values()];
  const places = [...new Set(counts.map(({ shown }) => shown))].sort((a, b) => b - a);
  const recounted = places.slice(0, LIMITS.readersSteps).map((place) => ({
    through: place,
    readers: counts.filter(({ shown }) => shown >= place).length,
  }));
  const isLarge = size > LIMITS.largeRoom;
  return { kept: kept && readReaders(kept), recounted: isLarge ? recounted : null };
}

describe("how many have read how far, in a large room", () => {
  it("[UN8] equals a recount while the room becomes large and small again, whatever the batches", async () => {
    const room = "arena" as RoomId;
    for (const seed of [1, 2, 3]) {
      await scene.redis.flushall();
      const chance = new Chance(seed);
      const driver = new Driver(scene);
      const fans = Array.from({ length: LIMITS.largeRoom + 3 }, (_, i) => new Hand(`fan${i}`));
      const some = fans.slice(-12);
      const [owner] = some as [Hand];
      const join = (hands: readonly Hand[]) =>
        hands.map((hand) => hand.does({ type: "join" }, room));
      await driver.append([owner.creates(room)], []);
      await driver.append(join(fans.slice(0, -6)), []);
      await driver.fold(chance, 0.5);
      const sizes = new Set<boolean>();
      for (let round = 0; round < 60; round++) {
        const known = await conversation(scene, room);
        const at = (): Cursor => chance.pick(known.slice(-60)).cursor;
        const commands = Array.from({ length: chance.pick([1, 1, 8]) }, () => {
          const hand = chance.pick(some);
          const roll = chance.next();
          if (roll < 0.35) return hand.does({ type: "join" }, room);
          if (roll < 0.5 && hand !== owner) return hand.does({ type: "leave" }, room);
          if (roll < 0.65) return hand.does({ type: "markUnread", message: at() }, room);
          if (roll < 0.75) return owner.does({ type: "invite", user: hand.user }, room);
          return hand.says("x", room);
        });
        const readers = chance.often(0.5) ? fans.slice(0, 40) : [];
        const marks = readers.filter(() => chance.often(0.3));
        const read = marks.map(({ user }) => ({ user, through: at(), private: chance.often(0.3) }));
        const facts: Fact[] = read.length > 0 ? [{ type: "reading", room, marks: read }] : [];
        await driver.append(commands, facts);
        if (chance.often(0.5)) continue;
        await driver.fold(chance, 0.3);
        const { kept, recounted } = await readersIn(room);
        sizes.add(recounted !== null);
        expect(kept, `seed ${seed}, round ${round}`).toEqual(recounted);
      }
      expect(sizes, `seed ${seed} was large and small`).toEqual(new Set([true, false]));
    }
  }, 120_000);

  it("[UN8] begins with whoever makes the room a large one, be it an invited user", async () => {
    const room = "hall" as RoomId;
    const driver = new Driver(scene);
    const fans = Array.from({ length: LIMITS.largeRoom }, (_, i) => new Hand(`fan${i}`));
    const [owner, ...others] = fans as [Hand, ...Hand[]];
    await driver.append([owner.creates(room)], []);
    await driver.append(
      others.map((hand) => hand.does({ type: "join" }, room)),
      [],
    );
    await driver.fold(new Chance(1), 0);
    expect(await readersIn(room)).toEqual({ kept: null, recounted: null });
    await driver.append([owner.does({ type: "invite", user: "guest" as UserId }, room)], []);
    await driver.fold(new Chance(1), 0);
    const { kept, recounted } = await readersIn(room);
    expect(kept).toEqual(recounted);
    expect(kept).toHaveLength(LIMITS.readersSteps);
  });
});

describe("unread counts", () => {
  it("[UN1] [UN9] [UN10] equal a recount after random runs, whatever the batches, and however often memory is lost", async () => {
    let heard = 0;
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      await scene.redis.flushall();
      const listeners = ROOMS.map((room) => new Listener(scene, room));
      const chance = new Chance(seed);
      const driver = new Driver(scene);
      const hands = NAMES.map((name) => new Hand(name));
      const [ann] = hands as [Hand];
      for (const room of ROOMS) await driver.append([ann.creates(room)], []);
      for (const room of ROOMS)
        await driver.append(
          hands.map((hand) => hand.does({ type: "join" }, room)),
          [],
        );
      await driver.fold(chance, 0.5);
      for (let round = 0; round < 12; round++) {
        for (let entry = 0; entry < 8; entry++) {
          const room = chance.pick(ROOMS);
          const known = await conversation(scene, room);
          const steps = Array.from({ length: chance.between(1, 5) }, () =>
            randomStep(chance, hands, known, room),
          );
          await driver.append(
            steps.filter((step) => "command" in step),
            steps.filter((step) => "marks" in step),
          );
        }
        await driver.fold(chance, 0.3);
        await expectTrue(`seed ${seed}, round ${round}`);
        for (const listener of listeners) {
          await listener.listen();
          await listener.expectTold(`seed ${seed}, round ${round}`);
          heard += listener.heard;
        }
      }
    }
    expect(heard).toBeGreaterThan(100);
  }, 120_000);

  it("[UN1] look as far back in a batch that brings messages too, as in one that brings none", async () => {
    const [ann, ben] = [new Hand("ann"), new Hand("ben")];
    const [room] = ROOMS as [RoomId];
    const steady = new Chance(1);
    const driver = new Driver(scene);
    await driver.append([ann.creates(room), ben.does({ type: "join" }, room)], []);
    for (let sent = 0; sent < 1_060; sent += 53) {
      const some = Array.from({ length: 53 }, () => ben.says("x", room));
      await driver.append(some, []);
      await driver.fold(steady, 0);
    }
    const [first] = await conversation(scene, room);
    const back = { type: "markUnread", message: (first as Done).cursor } as const;
    // Once with the memory of an owner that was there all along, once with that of a new one.
    for (const often of [0, 1]) {
      await driver.append([ben.says("y", room), ann.does(back, room)], []);
      await driver.fold(steady, often);
      const found = await new RoomList(scene.redis, scene.keys).unread(ann.user, room);
      expect([often, found?.unread]).toEqual([often, 1_000]);
      const through = (await conversation(scene, room)).at(-1)?.cursor as Cursor;
      await driver.append([], [{ type: "reading", room, marks: [{ user: ann.user, through }] }]);
      await driver.fold(steady, 0);
    }
  }, 60_000);

  it("[PR10] [UN3] few rooms at a time have senders in memory from far back", async () => {
    const [ann, ben] = [new Hand("ann"), new Hand("ben")];
    const [room] = ROOMS as [RoomId];
    const { redis, keys, partition } = scene;
    const driver = new Driver(scene, 2 * TAIL_MESSAGES_MAX);
    await driver.append([ann.creates(room), ben.does({ type: "join" }, room)], []);
    for (let sent = 0; sent < TAIL_MESSAGES_MAX + 100; sent += 100) {
      const some = Array.from({ length: 100 }, () => ben.says("x", room));
      await driver.append(some, []);
      await driver.fold(new Chance(1), 0);
    }
    const known = await conversation(scene, room);
    const rooms = Array.from({ length: CACHE_BOUNDS.longTails + 1 }, (_, i) => `r${i}` as RoomId);
    for (const copy of rooms) {
      for (const name of ["room", "members", "conversation"] as const) {
        await redis.copy(keys[name](partition, room), keys[name](partition, copy));
      }
    }
    const state = new PartitionState(keys, partition, 1 as Epoch);
    const reads = async (of: RoomId, back: Done | undefined): Promise<boolean> => {
      const message = back?.cursor as Cursor;
      let read = false;
      do {
        const { requests, fill } = state.missing([ann.does({ type: "markUnread", message }, of)]);
        fill(requests.length > 0 ? await pipeline(redis, requests) : []);
        read ||= requests.some(([name]) => name === "XREVRANGE");
      } while (state.incomplete);
      state.shrink();
      return read;
    };
    for (const each of rooms) expect(await reads(each, known[2])).toBe(true);
    const [oldest, ...others] = rooms as [RoomId, ...RoomId[]];
    for (const each of others) expect(await reads(each, known[2])).toBe(false);
    expect(await reads(oldest, known.at(-TAIL_MESSAGES_MAX))).toBe(false);
    expect(await reads(oldest, known.at(-TAIL_MESSAGES_MAX - 1))).toBe(true);
  });

  it("[UN9] a bell tells others what was public, whatever private moves came with it", async () => {
    const [ann, ben] = [new Hand("ann"), new Hand("ben")];
    const [room] = ROOMS as [RoomId];
    const driver = new Driver(scene);
    await driver.append([ann.creates(room), ben.does({ type: "join" }, room)], []);
    await driver.append(
      Array.from({ length: 6 }, () => ann.says("x", room)),
      [],
    );
    await driver.fold(new Chance(1), 0);
    const known = await conversation(scene, room);
    const told = async (...reads: [seq: number, isPrivate: boolean][]): Promise<unknown> => {
      const marks = reads.map(([seq, isPrivate]) => ({
        user: ben.user,
        through: known[seq - 1]?.cursor as Cursor,
        private: isPrivate,
      }));
      await driver.append([], [{ type: "reading", room, marks }]);
      await driver.fold(new Chance(1), 0);
      const [last] = await scene.redis.xrevrangeBuffer(
        scene.keys.bell(scene.partition),
        "+",
        "-",
        "COUNT",
        1,
      );
      const { marks: moves = [] } = readBell(last?.[1] ?? []);
      return moves.map((move) => [move.through, move.told]);
    };
    expect(await told([4, true])).toEqual([[4, null]]);
    expect(await told([3, false], [5, true])).toEqual([[5, 3]]);
    expect(await told([6, true], [4, false])).toEqual([[6, 4]]);
    expect(await told([4, false], [6, true])).toEqual([]);
    expect(await told([6, false])).toEqual([[6, 6]]);
  });

  it("[UN3] [AU2] what says nothing new has no history read, nor what a stranger says", async () => {
    const [ann, ben] = [new Hand("ann"), new Hand("ben")];
    const [room] = ROOMS as [RoomId];
    const driver = new Driver(scene);
    await driver.append([ann.creates(room), ben.says("", room), ann.says("x", room)], []);
    await driver.fold(new Chance(1), 0);
    const [{ cursor: message }] = (await conversation(scene, room)) as [Done];
    const asked = async (user: string, commands: LoggedCommand[]): Promise<boolean> => {
      const state = new PartitionState(scene.keys, scene.partition, 1 as Epoch);
      const marks = [{ user: user as UserId, through: message }];
      let all: readonly unknown[] = [];
      do {
        const { requests, fill } = state.missing(commands, [{ type: "reading", room, marks }]);
        fill(requests.length > 0 ? await pipeline(scene.redis, requests) : []);
        all = [...all, ...requests.map(([name]) => name)];
      } while (state.incomplete);
      return all.includes("XREVRANGE");
    };
    expect(await asked("ann", [])).toBe(false);
    expect(await asked("nobody", [])).toBe(false);
    expect(await asked("ann", [ann.does({ type: "markUnread", message }, room)])).toBe(true);
    expect(await asked("ann", [ben.does({ type: "markUnread", message }, room)])).toBe(false);
  });

  it("[PR1] [UN1] hold for thousands who read, and who are called, in one batch", async () => {
    const ann = new Hand("ann");
    const [room] = ROOMS as [RoomId];
    const driver = new Driver(scene);
    await driver.append([ann.creates(room), ann.says("to all of you", room)], []);
    await driver.fold(new Chance(1), 0);
    const fans = Array.from({ length: 5_000 }, (_, i) => `fan ${i}` as UserId);
    const { redis, keys, partition } = scene;
    await redis.hset(keys.members(partition, room), ...fans.flatMap((fan) => [fan, "member:1"]));
    await redis.hset(keys.room(partition, room), ...fans.flatMap((fan) => [`r:${fan}`, "1:0"]));
    const through = (await conversation(scene, room)).at(-1)?.cursor as Cursor;
    const facts: Fact[] = [];
    for (let at = 0; at < fans.length; at += FACT_USERS_MAX) {
      const some = fans.slice(at, at + FACT_USERS_MAX);
      facts.push({ type: "reading", room, marks: some.map((user) => ({ user, through })) });
    }
    const calls: LoggedCommand[] = [];
    for (let at = 0; at < fans.length; at += LIMITS.mentionsPerMessage) {
      const mentions = fans.slice(at, at + LIMITS.mentionsPerMessage);
      calls.push(ann.does({ type: "send", text: "and you", mentions }, room));
    }
    await driver.append(calls, facts);
    await driver.fold(new Chance(1), 1);
    const list = new RoomList(redis, keys);
    for (const fan of [fans[0], fans[2_500], fans.at(-1)]) {
      const found = await list.unread(fan as UserId, room);
      expect(found).toMatchObject({ through: 2, unread: calls.length, mentions: 1 });
    }
  }, 60_000);
});
