/**
 * A projector that a test drives by hand, and what a log comes to for those who read,
 * counted again in the plainest way.
 */
import { expect } from "vitest";
import { RoomList } from "../../src/edge/room-list.ts";
import { appendScript } from "../../src/ingest/ingest.ts";
import { Fold } from "../../src/projectors/runtime/fold.ts";
import { PartitionState } from "../../src/projectors/runtime/partition-state.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import { parseCursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { Epoch, RoomId } from "../../src/protocol/ids.ts";
import { pipeline } from "../../src/redis/connect.ts";
import { ORIGIN, type Position } from "../../src/redis/position.ts";
import { asText } from "../../src/redis/replies.ts";
import { readBell } from "../../src/streams/bell.ts";
import {
  commandPosition,
  packCommands,
  unpackCommands,
  type Fact,
  type LoggedCommand,
} from "../../src/streams/command-log.ts";
import { readConversationEntry } from "../../src/streams/conversation.ts";
import type { Chance } from "./chance.ts";
import { BACKLOG_MAX, type Scene } from "./scene.ts";

export type Done = Entry & { readonly id: string };

/** One partition's projector, whose memory may be lost between any two batches. */
export class Driver {
  readonly #scene: Scene;
  readonly #kept: number;
  #state: PartitionState;
  #at: Position = ORIGIN;
  #applied: Position = ORIGIN;

  /** `kept`: entries of a room's history. */
  constructor(scene: Scene, kept = 1_000) {
    this.#scene = scene;
    this.#kept = kept;
    this.#state = this.#fresh();
  }

  #fresh(): PartitionState {
    return new PartitionState(this.#scene.keys, this.#scene.partition, 1 as Epoch);
  }

  async append(commands: readonly LoggedCommand[], facts: readonly Fact[]): Promise<void> {
    const { keys, partition, redis } = this.#scene;
    const body = Buffer.from(packCommands("edge-1", commands, facts));
    const all = [keys.events(partition), keys.log(partition), keys.checkpoint(partition)];
    await appendScript.run(redis, all, [commands.length + facts.length, BACKLOG_MAX, body]);
  }

  /** Folds what was appended, in batches of some entries; `often` loses its memory. */
  async fold(chance: Chance, often: number): Promise<void> {
    const scene = this.#scene;
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
      const fold = new Fold(scene.keys, scene.partition, this.#state, this.#kept);
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

export async function conversation(scene: Scene, room: RoomId): Promise<Done[]> {
  const key = scene.keys.conversation(scene.partition, room);
  const replies = (await scene.redis.callBuffer("XRANGE", key, "-", "+")) as unknown[];
  return replies.map((reply) => {
    const [id, fields] = reply as [Buffer, Buffer[]];
    const name = asText(id);
    return { ...decodeEntry(readConversationEntry(name as Position, fields).payload), id: name };
  });
}

/** Where a member stands, and what others may see of it. */
export interface Counted {
  readonly through: number;
  readonly unread: number;
  readonly mentions: number;
  readonly shown: number;
  /** The most that others could see since receipts were switched on. */
  readonly most: number;
  /** The entry by which they came. */
  readonly since: number;
}
export interface Recount {
  readonly receiptsOn: boolean;
  readonly members: ReadonlyMap<string, Counted>;
}

/** Goes through the log once more in the plainest way: positions first, then a count for each member. */
export async function recount(scene: Scene, room: RoomId): Promise<Recount> {
  const entries = await conversation(scene, room);
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const ledger = new Ledger();
  for (const { id, fields } of await scene.read(ORIGIN, 10_000)) {
    const { commands, facts = [] } = unpackCommands(fields[1] as Buffer);
    for (const [index, { user, command }] of commands.entries()) {
      if (command.room !== room) continue;
      const entry = byId.get(commandPosition(id, index));
      if (entry) ledger.happen(entry);
      if (command.type !== "markUnread") continue;
      ledger.markUnread(user, parseCursor(command.message)?.seq ?? 0);
    }
    for (const fact of facts) {
      if (fact.type !== "reading" || fact.room !== room) continue;
      for (const { user, through, private: isPrivate = false } of fact.marks) {
        ledger.read(user, parseCursor(through)?.seq ?? 0, isPrivate);
      }
    }
  }
  const members = new Map<string, Counted>();
  for (const [user, place] of ledger.places) {
    const open = entries.filter(({ seq, by, event }) => {
      const isNew = event.type === "message.sent" && seq > place.through;
      return isNew && by !== user && !ledger.deleted.has(seq);
    });
    const mentions = open.filter(({ seq }) => {
      const called = ledger.calls.get(seq);
      return called?.all === true || (called?.users ?? []).includes(user);
    }).length;
    members.set(user, { ...place, unread: open.length, mentions });
  }
  return { receiptsOn: ledger.receiptsOn, members };
}

interface Place {
  through: number;
  shown: number;
  most: number;
  readonly since: number;
}

/** What happened in one room, in order. */
class Ledger {
  readonly places = new Map<string, Place>();
  readonly deleted = new Set<number>();
  readonly calls = new Map<number, { all: boolean; users: readonly string[] }>();
  receiptsOn = true;
  #head = 0;

  happen({ seq, by, event }: Done): void {
    this.#head = seq;
    const comes = (user: string, since: number): void => {
      this.places.set(user, { through: seq, shown: seq, most: seq, since });
    };
    if (event.type === "room.created") for (const user of event.members) comes(user, 1);
    if (event.type === "member.joined") comes(event.user, seq);
    if (event.type === "member.left") this.places.delete(event.user);
    if (event.type === "message.sent") this.read(by, seq, false);
    if (event.type === "message.deleted") this.deleted.add(event.target);
    if (event.type === "message.sent" || event.type === "message.edited") {
      const called = { all: event.everyone ?? false, users: event.mentions ?? [] };
      this.calls.set(event.type === "message.sent" ? seq : event.target, called);
    }
    if (event.type !== "room.receiptsSet") return;
    this.receiptsOn = event.on;
    for (const place of this.places.values()) place.most = place.shown;
  }

  read(user: string, seq: number, isPrivate: boolean): void {
    const place = this.places.get(user);
    if (!place || seq > this.#head) return;
    place.through = Math.max(place.through, seq);
    if (isPrivate) return;
    place.shown = Math.max(place.shown, seq);
    place.most = Math.max(place.most, seq);
  }

  markUnread(user: string, seq: number): void {
    const place = this.places.get(user);
    if (!place || seq < 1 || seq > this.#head) return;
    const back = Math.max(seq - 1, place.since);
    place.through = Math.min(place.through, back);
    place.shown = Math.min(place.shown, back);
  }
}

/** Who attends a room and hears every bell, as an edge would tell them. */
export class Listener {
  readonly #scene: Scene;
  readonly #room: RoomId;
  readonly #told = new Map<string, number>();
  #bell: Position = ORIGIN;
  #last = 0;
  /** Positions that came with bells. */
  heard = 0;

  constructor(scene: Scene, room: RoomId) {
    this.#scene = scene;
    this.#room = room;
  }

  async listen(): Promise<void> {
    const { redis, keys, partition } = this.#scene;
    const bells = await redis.xrangeBuffer(keys.bell(partition), `(${this.#bell}`, "+");
    let isAnew = this.#last === 0;
    for (const [id, fields] of bells) {
      this.#bell = id.toString() as Position;
      const { marks = [], switched = [] } = readBell(fields);
      for (const { room, user, told } of marks) {
        if (room !== this.#room || typeof told !== "number") continue;
        this.heard++;
        this.#told.set(user, Math.max(told, this.#told.get(user) ?? 0));
      }
      if (!switched.includes(this.#room)) continue;
      this.#told.clear();
      isAnew = true;
    }
    const { receiptsOn } = await recount(this.#scene, this.#room);
    for (const { seq, by, event } of await conversation(this.#scene, this.#room)) {
      if (seq <= this.#last) continue;
      this.#last = seq;
      if (event.type === "member.left") this.#told.delete(event.user);
      if (receiptsOn && event.type === "message.sent") {
        this.#told.set(by, Math.max(seq, this.#told.get(by) ?? 0));
      }
    }
    if (!isAnew) return;
    const readings = await new RoomList(redis, keys).readings(this.#room);
    this.#told.clear();
    if (!("marks" in readings)) throw new Error("no small room");
    for (const { user, through } of readings.marks) this.#told.set(user, through);
  }

  /** Nothing while receipts are off, and nothing that was never shown; of a way back nobody is told. */
  async expectTold(about: string): Promise<void> {
    const { receiptsOn, members } = await recount(this.#scene, this.#room);
    if (!receiptsOn) expect(this.#told.size, about).toBe(0);
    for (const [user, { shown, most, since }] of members) {
      if (!receiptsOn) return;
      const told = this.#told.get(user) ?? since;
      expect(told, `${about}: ${user}`).toBeGreaterThanOrEqual(shown);
      expect(told, `${about}: ${user}`).toBeLessThanOrEqual(most);
    }
  }
}
