/**
 * Changed messages against a model that goes through the whole room for each of them:
 * pages, resumes, versions, reactions, threads and pins, however the log was cut.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { MessageReader } from "../../src/edge/message-reader.ts";
import { RoomReader } from "../../src/edge/room-reader.ts";
import { startProjector } from "../../src/projectors/worker.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import type { ChatEvent } from "../../src/protocol/frames.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { pipeline } from "../../src/redis/connect.ts";
import { packCommands } from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";
import { Chance } from "./chance.ts";
import { messageAt, pinsOf, shownAt, type ReferenceEntry } from "./message-reference.ts";
import { Story, STORY_ROOMS } from "./message-story.ts";
import { Scene, SILENT } from "./scene.ts";
import { pause } from "./talkers.ts";

/** A seed that ever failed joins them. */
const SEEDS = [2, 13, 31] as const;
const ENTRIES = 260;
/** Some of the rooms grow past it. */
const KEPT = 230;
const ANN = "ann" as UserId;

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterAll(async () => scene.stop());

async function write(story: Story, namespace = ""): Promise<void> {
  const events = new Keys(1, namespace).events(scene.partition);
  for (const { id, commands } of story.log) {
    await scene.redis.xadd(events, id, "b", packCommands("e", commands) as Buffer);
  }
}

/** In batches of random size, each by an owner that knows nothing; some die before they have applied. */
async function foldInPieces(chance: Chance, story: Story): Promise<void> {
  const tail = story.log.at(-1)?.id;
  for (let i = 0; (await scene.checkpoint())["id"] !== tail; i++) {
    const grant = await scene.acquire(`w${i}`);
    const batch = await scene.decide(grant, chance.between(1, 25), KEPT);
    if (chance.often(0.2)) continue;
    await scene.apply(grant, batch);
    if (chance.often(0.2)) await scene.apply(grant, batch);
  }
}

/** By one owner that remembers, in batches as large as they get. */
async function foldAtOnce(story: Story, namespace: string): Promise<void> {
  const keys = new Keys(1, namespace);
  const projector = await startProjector({
    redisUrl: scene.server.url,
    partitions: 1,
    ack: "memory",
    historyPerRoom: KEPT,
    leaseTtlMs: 2_000,
    leaseRenewMs: 500,
    log: SILENT,
    namespace,
  });
  const tail = story.log.at(-1)?.id;
  while ((await scene.redis.hget(keys.checkpoint(scene.partition), "id")) !== tail) await pause(5);
  await projector.stop();
}

/** Everything that was folded, by key without its namespace. */
async function projections(namespace: string): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (const key of (await scene.redis.keys(`${namespace}{*`)).sort()) {
    const name = key.slice(namespace.length);
    const kind = name.slice(name.indexOf(":") + 1).split(":")[0] as string;
    if (!["conv", "room", "members", "folded", "device", "calls", "gone"].includes(kind)) continue;
    const type = await scene.redis.type(key);
    const read = {
      stream: ["XRANGE", key, "-", "+"],
      hash: ["HGETALL", key],
      string: ["GET", key],
      zset: ["ZRANGE", key, 0, -1, "WITHSCORES"],
    };
    const [reply] = await pipeline(scene.redis, [read[type as keyof typeof read]]);
    found.set(name, type === "hash" ? pairs(reply as Buffer[]) : asHex(reply));
  }
  return found;
}
function pairs(flat: readonly Buffer[]): string[] {
  const fields = flat.flatMap((name, i) =>
    i % 2 === 0 ? [`${name.toString("latin1")}=${flat[i + 1]?.toString("latin1")}`] : [],
  );
  return fields.sort();
}
function asHex(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(asHex);
  return Buffer.isBuffer(reply) ? reply.toString("latin1") : reply;
}

function readers(namespace = ""): { rooms: RoomReader; messages: MessageReader } {
  const keys = new Keys(1, namespace);
  const rooms = new RoomReader(scene.redis, keys);
  return { rooms, messages: new MessageReader(rooms, keys) };
}

/** `seq event` of all that is shown of a room, from the oldest kept on. */
async function shown(room: string): Promise<{ seq: number; event: ChatEvent }[]> {
  const all: { seq: number; event: ChatEvent }[] = [];
  for (;;) {
    const after = all.at(-1)?.seq ?? 0;
    const page = await readers().rooms.history(ANN, room as RoomId, { after, limit: 170 });
    if ("refused" in page) throw new Error(page.refused);
    if (page.entries.length === 0) return all;
    for (const { seq, payload } of page.entries)
      all.push({ seq, event: decodeEntry(payload).event });
  }
}

async function expectMessage(room: string, entries: readonly ReferenceEntry[], seq: number) {
  const { messages } = readers();
  const expected = messageAt(entries, seq);
  const [name, at] = [room as RoomId, seq as Seq];
  const thread = await messages.thread(ANN, name, at, { after: 0, limit: LIMITS.pageEntries });
  if (expected === null) {
    expect(thread).toEqual({ refused: "noSuchMessage" });
    return;
  }
  expect(thread).toMatchObject({ replies: expected.replies.length, more: false });
  const found = "refused" in thread ? [] : thread.entries;
  expect(found.map((entry) => [entry.seq, entry.event])).toEqual(
    expected.replies.map((reply) => [reply, shownAt(entries, reply)]),
  );
  const versions = await messages.versions(ANN, name, at);
  const reactions = await messages.reactions(ANN, name, at);
  if (expected.deletedIn > 0) {
    for (const answer of [versions, reactions])
      expect(answer).toEqual({ refused: "noSuchMessage" });
    return;
  }
  const texts = "refused" in versions ? [] : versions.map((v) => ({ seq: v.seq, text: v.text }));
  expect(texts).toEqual(expected.texts.slice(-LIMITS.versionsKept));
  const whole = "refused" in reactions ? [] : reactions.reactions;
  const reacted = whole.flatMap(({ reaction, users }) =>
    users.map((user) => `${user} ${reaction}`),
  );
  expect(reacted.sort()).toEqual(expected.reacted.map((r) => `${r.user} ${r.reaction}`).sort());
  expect(whole.every(({ count, users }) => count === users.length)).toBe(true);
}

describe.each(SEEDS)("changed messages, seed %i", (seed) => {
  let story: Story;
  beforeAll(async () => {
    await scene.redis.flushall();
    const chance = new Chance(seed);
    story = new Story(chance, ENTRIES, KEPT);
    await write(story);
    await foldInPieces(chance, story);
  }, 120_000);
  const entriesOf = (room: string): ReferenceEntry[] =>
    story.reference.rooms.get(room)?.entries ?? [];

  it("[MS1] [MS2] [MS7] pages show what the model says, and no text that was deleted or replaced", async () => {
    for (const room of STORY_ROOMS) {
      const entries = entriesOf(room);
      const kept = await shown(room);
      expect(kept.at(-1)?.seq).toBe(entries.length);
      expect(kept.length).toBe(Math.min(entries.length, KEPT + (entries.length % 100)));
      for (const { seq, event } of kept) expect([seq, event]).toEqual([seq, shownAt(entries, seq)]);
      const visible = JSON.stringify(kept);
      for (let seq = 1; seq <= entries.length; seq++) {
        const message = messageAt(entries, seq);
        const [first] = message?.texts ?? [];
        const old = entries[seq - 1]?.event;
        const gone = message && (message.deletedIn > 0 || first?.text !== message.event.text);
        if (gone && old?.type === "message.sent") expect(visible).not.toContain(`"${old.text}"`);
      }
    }
  });

  it("[MS7] the story has all of it in it, refusals too", () => {
    const events = new Map<string, number>();
    for (const room of STORY_ROOMS) {
      for (const { event } of entriesOf(room)) {
        events.set(event.type, (events.get(event.type) ?? 0) + 1);
      }
    }
    const kinds = ["sent", "edited", "deleted", "pinned", "unpinned"].map((k) => `message.${k}`);
    const rare = [...kinds, "reaction.added", "reaction.removed"].flatMap((kind) => {
      const count = events.get(kind) ?? 0;
      return count > 5 ? [] : [`${kind} ${count}`];
    });
    expect(rare).toEqual([]);
    const refused = [...story.reference.results.values()].flatMap((result) =>
      result.status === "rejected" ? [result.code] : [],
    );
    for (const code of ["noSuchMessage", "notAllowed", "forbidden"])
      expect(refused).toContain(code);
  });

  it("[MS1] a resume shows the same", async () => {
    for (const room of STORY_ROOMS) {
      const point = await readers().rooms.resume(ANN, room as RoomId, null, 200);
      if ("refused" in point) throw new Error(point.refused);
      for (const { seq, payload } of point.entries) {
        expect(decodeEntry(payload).event).toEqual(shownAt(entriesOf(room), seq));
      }
      const from = decodeEntry(point.entries[40]?.payload as Uint8Array);
      const [, ms = "", n = ""] = /\.(\w+)-(\w+)$/.exec(from.cursor) ?? [];
      const id = `${Number.parseInt(ms, 36)}-${Number.parseInt(n, 36)}`;
      const cursor = { epoch: 1 as never, seq: from.seq, id };
      const rest = await readers().rooms.resume(ANN, room as RoomId, cursor, 30);
      if ("refused" in rest) throw new Error(rest.refused);
      expect(rest.entries).toHaveLength(30);
      for (const { seq, payload } of rest.entries) {
        expect(decodeEntry(payload).event).toEqual(shownAt(entriesOf(room), seq));
      }
    }
  });

  it("[MS3] [MS4] [MS5] versions, reactions and threads are those of the model", async () => {
    for (const room of STORY_ROOMS) {
      const entries = entriesOf(room);
      const oldest = Math.max(1, entries.length - KEPT - (entries.length % 100) + 1);
      for (let seq = oldest; seq <= entries.length; seq++) await expectMessage(room, entries, seq);
      const gone = await readers().messages.versions(ANN, room as RoomId, (oldest - 1) as Seq);
      expect(gone).toEqual({ refused: "noSuchMessage" });
    }
  });

  it("[MS8] pins are those of the model, in order", async () => {
    for (const room of STORY_ROOMS) {
      const entries = entriesOf(room);
      const pins = await readers().messages.pins(ANN, room as RoomId);
      if ("refused" in pins) throw new Error(pins.refused);
      expect(pins.map(({ seq, pinnedIn }) => ({ seq, pinnedIn }))).toEqual(pinsOf(entries));
      const oldest = entries.length - KEPT - (entries.length % 100) + 1;
      for (const { seq, entry } of pins) {
        expect(entry?.event ?? null).toEqual(seq >= oldest ? shownAt(entries, seq) : null);
      }
    }
  });

  it("[PR9] [MS9] folded at once by an owner that remembers, it gives the same bytes", async () => {
    const namespace = "again:";
    await write(story, namespace);
    await foldAtOnce(story, namespace);
    const before = await projections("");
    expect([...before.keys()].filter((key) => key.includes("folded")).length).toBeGreaterThan(4);
    expect(await projections(namespace)).toEqual(before);
  });

  it("[HI3] [MS9] blocks go with their entries", async () => {
    for (const room of STORY_ROOMS) {
      const head = entriesOf(room).length;
      const first = head - KEPT - (head % 100) + 1;
      const blocks = (await scene.redis.keys(`*folded:${room}:*`)).map((key) =>
        Number(key.split(":").at(-1)),
      );
      expect(Math.min(...blocks)).toBe(Math.max(0, Math.floor(first / 100)));
    }
  });
});
