/** What is unread for each member, as an edge reads it, against a recount from the log. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { positionField, readReaders } from "../../src/domain/positions-record.ts";
import { RoomList } from "../../src/edge/room-list.ts";
import { appendScript } from "../../src/ingest/ingest.ts";
import { Fold } from "../../src/projectors/runtime/fold.ts";
import { PartitionState } from "../../src/projectors/runtime/partition-state.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import { formatCursor, parseCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { pipeline } from "../../src/redis/connect.ts";
import { ORIGIN, type Position } from "../../src/redis/position.ts";
import { asText } from "../../src/redis/replies.ts";
import {
  commandPosition,
  FACT_USERS_MAX,
  packCommands,
  unpackCommands,
  type Fact,
  type LoggedCommand,
} from "../../src/streams/command-log.ts";
import { readConversationEntry } from "../../src/streams/conversation.ts";
import { Chance } from "./chance.ts";
import { Hand } from "./commands.ts";
import { BACKLOG_MAX, Scene } from "./scene.ts";

const NAMES = ["ann", "ben", "cy", "dee"];
const ROOMS = ["lounge", "den"] as RoomId[];

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => scene.stop());

type Done = Entry & { readonly id: string };

/** One partition's projector, whose memory may be lost between any two batches. */
class Driver {
  #state = this.#fresh();
  #at: Position = ORIGIN;
  #applied: Position = ORIGIN;

  #fresh(): PartitionState {
    return new PartitionState(scene.keys, scene.partition, 1 as Epoch);
  }

  async append(commands: readonly LoggedCommand[], facts: readonly Fact[]): Promise<void> {
    const { keys, partition, redis } = scene;
    const body = Buffer.from(packCommands("edge-1", commands, facts));
    const all = [keys.events(partition), keys.log(partition), keys.checkpoint(partition)];
    await appendScript.run(redis, all, [commands.length + facts.length, BACKLOG_MAX, body]);
  }

  /** Folds what was appended, in batches of some entries; `often` loses its memory. */
  async fold(chance: Chance, often: number): Promise<void> {
    for (;;) {
      if (chance.often(often)) this.#state = this.#fresh();
      const entries = await scene.read(this.#at, chance.between(1, 6));
      const [first, last] = [entries[0], entries.at(-1)];
      if (!first || !last) return;
      const content = entries.map((one) => ({
        id: one.id,
        ...unpackCommands(one.fields[1] as Buffer),
      }));
      const commands = content.flatMap((one) => one.commands);
      const allFacts = content.flatMap((one) => one.facts ?? []);
      do {
        const { requests, fill } = this.#state.missing(commands, allFacts);
        fill(requests.length > 0 ? await pipeline(scene.redis, requests) : []);
      } while (this.#state.incomplete);
      const fold = new Fold(scene.keys, scene.partition, this.#state, 1_000);
      for (const { id, edge, commands: some, facts = [] } of content) {
        some.forEach((one, index) => fold.command({ entry: id, index, edge }, one, null));
        facts.forEach((one, i) =>
          fold.fact({ entry: id, index: some.length + i, edge }, one, null),
        );
      }
      const grant = await scene.acquire("w1");
      const range = { from: this.#applied, first: first.id, to: last.id, entries: entries.length };
      expect(await scene.apply(grant, fold.finish(range))).toEqual({ outcome: "applied" });
      this.#state.shrink();
      this.#at = last.id;
      this.#applied = last.id;
    }
  }
}

async function conversation(room: RoomId): Promise<Done[]> {
  const key = scene.keys.conversation(scene.partition, room);
  const replies = (await scene.redis.callBuffer("XRANGE", key, "-", "+")) as unknown[];
  return replies.map((reply) => {
    const [id, fields] = reply as [Buffer, Buffer[]];
    const name = asText(id);
    return { ...decodeEntry(readConversationEntry(name as Position, fields).payload), id: name };
  });
}

/** Goes through the log once more in the plainest way: positions first, then a count for each member. */
async function recount(room: RoomId): Promise<Map<string, object>> {
  const entries = await conversation(room);
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const deleted = new Set<number>();
  const calls = new Map<number, { all: boolean; users: readonly string[] }>();
  const through = new Map<string, number>();
  const since = new Map<string, number>();
  let head = 0;
  const happen = ({ seq, by, event }: Done): void => {
    head = seq;
    if (event.type === "room.created") for (const user of event.members) through.set(user, seq);
    if (event.type === "member.joined") {
      through.set(event.user, seq);
      since.set(event.user, seq);
    }
    if (event.type === "member.left") through.delete(event.user);
    if (event.type === "message.sent") through.set(by, seq);
    if (event.type === "message.deleted") deleted.add(event.target);
    if (event.type === "message.sent" || event.type === "message.edited") {
      const called = { all: event.everyone ?? false, users: event.mentions ?? [] };
      calls.set(event.type === "message.sent" ? seq : event.target, called);
    }
  };
  for (const { id, fields } of await scene.read(ORIGIN, 10_000)) {
    const { commands, facts = [] } = unpackCommands(fields[1] as Buffer);
    for (const [index, { user, command }] of commands.entries()) {
      if (command.room !== room) continue;
      const entry = byId.get(commandPosition(id, index));
      if (entry) happen(entry);
      if (command.type !== "markUnread" || !through.has(user)) continue;
      const seq = parseCursor(command.message)?.seq ?? 0;
      if (seq >= 1 && seq <= head) {
        const back = Math.max(seq - 1, since.get(user) ?? 1);
        through.set(user, Math.min(through.get(user) as number, back));
      }
    }
    for (const fact of facts) {
      if (fact.type !== "reading" || fact.room !== room) continue;
      for (const { user, through: cursor } of fact.marks) {
        const seq = parseCursor(cursor)?.seq ?? 0;
        const now = through.get(user);
        if (now !== undefined && seq > now && seq <= head) through.set(user, seq);
      }
    }
  }
  const counts = new Map<string, object>();
  for (const [user, position] of through) {
    const open = entries.filter(({ seq, by, event }) => {
      return event.type === "message.sent" && seq > position && by !== user && !deleted.has(seq);
    });
    const mentions = open.filter(({ seq }) => {
      const called = calls.get(seq);
      return called?.all === true || (called?.users ?? []).includes(user);
    }).length;
    counts.set(user, { through: position, unread: open.length, mentions });
  }
  return counts;
}

async function expectTrue(about: string): Promise<void> {
  const list = new RoomList(scene.redis, scene.keys);
  for (const room of ROOMS) {
    const wanted = await recount(room);
    for (const name of NAMES) {
      const found = await list.unread(name as UserId, room);
      const counts = found && {
        through: found.through,
        unread: found.unread,
        mentions: found.mentions,
      };
      expect(counts, `${about}: ${name} in ${room}`).toEqual(wanted.get(name) ?? null);
    }
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
  if (roll < 0.65) return hand.does({ type: "leave" }, room);
  if (roll < 0.72) return hand.does({ type: "join" }, room);
  if (roll < 0.8) return hand.does({ type: "markUnread", message: target }, room);
  const marks = NAMES.filter(() => chance.often(0.5)).map((user) => ({
    user: user as UserId,
    through: readerAt(chance, known, target),
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
  const counts = [...(await recount(room)).values()] as { through: number }[];
  const places = [...new Set(counts.map(({ through }) => through))].sort((a, b) => b - a);
  const recounted = places.slice(0, LIMITS.readersSteps).map((place) => ({
    through: place,
    readers: counts.filter(({ through }) => through >= place).length,
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
      const driver = new Driver();
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
        const known = await conversation(room);
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
        const read = marks.map(({ user }) => ({ user, through: at() }));
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
    const driver = new Driver();
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
  it("[UN1] equal a recount after random runs, whatever the batches, and however often memory is lost", async () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      await scene.redis.flushall();
      const chance = new Chance(seed);
      const driver = new Driver();
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
          const known = await conversation(room);
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
      }
    }
  }, 120_000);

  it("[UN1] look as far back in a batch that brings messages too, as in one that brings none", async () => {
    const [ann, ben] = [new Hand("ann"), new Hand("ben")];
    const [room] = ROOMS as [RoomId];
    const steady = new Chance(1);
    const driver = new Driver();
    await driver.append([ann.creates(room), ben.does({ type: "join" }, room)], []);
    for (let sent = 0; sent < 1_060; sent += 53) {
      const some = Array.from({ length: 53 }, () => ben.says("x", room));
      await driver.append(some, []);
      await driver.fold(steady, 0);
    }
    const [first] = await conversation(room);
    const back = { type: "markUnread", message: (first as Done).cursor } as const;
    // Once with the memory of an owner that was there all along, once with that of a new one.
    for (const often of [0, 1]) {
      await driver.append([ben.says("y", room), ann.does(back, room)], []);
      await driver.fold(steady, often);
      const found = await new RoomList(scene.redis, scene.keys).unread(ann.user, room);
      expect([often, found?.unread]).toEqual([often, 1_000]);
      const through = (await conversation(room)).at(-1)?.cursor as Cursor;
      await driver.append([], [{ type: "reading", room, marks: [{ user: ann.user, through }] }]);
      await driver.fold(steady, 0);
    }
  }, 60_000);

  it("[UN3] what says nothing new has no history read", async () => {
    const [ann, ben] = [new Hand("ann"), new Hand("ben")];
    const [room] = ROOMS as [RoomId];
    const driver = new Driver();
    await driver.append([ann.creates(room), ben.says("", room), ann.says("x", room)], []);
    await driver.fold(new Chance(1), 0);
    const [{ cursor: message }] = (await conversation(room)) as [Done];
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
  });

  it("[PR1] [UN1] hold for thousands who read, and who are called, in one batch", async () => {
    const ann = new Hand("ann");
    const [room] = ROOMS as [RoomId];
    const driver = new Driver();
    await driver.append([ann.creates(room), ann.says("to all of you", room)], []);
    await driver.fold(new Chance(1), 0);
    const fans = Array.from({ length: 5_000 }, (_, i) => `fan ${i}` as UserId);
    const { redis, keys, partition } = scene;
    await redis.hset(keys.members(partition, room), ...fans.flatMap((fan) => [fan, "member:1"]));
    await redis.hset(keys.room(partition, room), ...fans.flatMap((fan) => [`r:${fan}`, "1:0"]));
    const through = (await conversation(room)).at(-1)?.cursor as Cursor;
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
