/** Where a cursor stands, what its room answers, and how far one connection may go. */
import { beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { encodeClientFrame } from "../../src/protocol/codec.ts";
import { parseCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { Epoch, RoomId, Seq } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { RoomReader } from "../../src/edge/room-reader.ts";
import type { Position } from "../../src/redis/position.ts";
import { conversationFields, type Payload } from "../../src/streams/conversation.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { createRoom, type Peer } from "./peer.ts";

const start = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
let ann: Peer;

beforeAll(async () => {
  engine = await start();
  edge = await engine.edge();
  ann = await engine.peer(edge, "ann");
});

/** A room of `size` entries, the first of them its creation. */
async function filledRoom(room: string, size: number): Promise<Entry[]> {
  await createRoom(ann, room);
  const numbers = Array.from({ length: size - 1 }, (_, i) =>
    ann.command({ type: "send", room, text: `text ${i + 2}` }),
  );
  for (const k of numbers) await ann.outcome(k);
  const all = (await ann.resume(room)).entries;
  expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: size }, (_, i) => i + 1));
  return [...all];
}
function seqs(entries: readonly Entry[]): number[] {
  return entries.map(({ seq }) => seq);
}
/** The cursor of an entry with some of its parts replaced. */
function altered(entry: Entry | undefined, parts: { epoch?: number; seq?: number; id?: string }) {
  const [epoch, seq, id] = String(entry?.cursor).split(".");
  return `${parts.epoch ?? epoch}.${parts.seq ?? seq}.${parts.id ?? id}`;
}

describe("a cursor", () => {
  let all: Entry[];
  const at = (seq: number): Entry => all[seq - 1] as Entry;
  beforeAll(async () => {
    all = await filledRoom("cursors", 10);
  });

  it("[RS1] none: the newest page, as a snapshot", async () => {
    const page = await ann.resume("cursors", null, 4);
    expect(page).toMatchObject({ status: "snapshot", head: 10, more: false });
    expect(seqs(page.entries)).toEqual([7, 8, 9, 10]);
  });

  it("[RS1] of an entry that stands: everything after it", async () => {
    const page = await ann.resume("cursors", at(6).cursor);
    expect(page).toMatchObject({ status: "ok", epoch: 1, head: 10, more: false });
    expect(page.entries).toEqual(all.slice(6));
  });

  it("[RS1] of the newest entry: nothing, and the room is followed", async () => {
    const page = await ann.resume("cursors", at(10).cursor);
    expect(page).toMatchObject({ status: "ok", head: 10, more: false, entries: [] });
  });

  it("[RS1] of the origin: all of it", async () => {
    expect(seqs((await ann.resume("cursors", "1.0.0-0")).entries)).toEqual(seqs(all));
  });

  it("[RS2] that names an entry which is not there is reset", async () => {
    const diverged = altered(at(6), { id: "1-1" });
    const otherSeq = altered(at(6), { seq: 5 });
    const headOtherId = altered(at(10), { id: "1-1" });
    const ahead = altered(at(10), { seq: 11 });
    const oldEpoch = altered(at(6), { epoch: 0 });
    const falseOrigin = altered(at(6), { seq: 0 });
    for (const cursor of [diverged, otherSeq, headOtherId, ahead, oldEpoch, falseOrigin]) {
      const page = await ann.resume("cursors", cursor, 3);
      expect([cursor, page.status, page.head]).toEqual([cursor, "reset", 10]);
      expect(seqs(page.entries)).toEqual([8, 9, 10]);
    }
  });

  it("[RS5] a room that does not exist is refused", async () => {
    const page = await ann.resume("unheard-of", "1.0.0-0");
    expect(page).toMatchObject({ status: "refused", epoch: 0, head: 0, more: false, entries: [] });
  });

  it("[RS6] one that is no cursor at all ends with a code", async () => {
    for (const cursor of ["", "1.2", "1.2.3", "x.y.z-z", "1.1.zzzzzzzzzz-zzzzzzzzzzz"]) {
      const since = ann.frames.length;
      const rooms = [{ room: "cursors" as RoomId, cursor: cursor as Cursor, limit: 1 }];
      ann.send({ type: "resume", rooms });
      const ended = await ann.next("unsubscribed", () => true, since);
      expect(ended).toEqual({ type: "unsubscribed", room: "cursors", code: "invalid" });
    }
  });
});

describe("a trimmed head", () => {
  it("[RS3] is a gap, unless the first entry kept is the very next one", async () => {
    const all = await filledRoom("trimmed", 10);
    const id = parseCursor((all[5] as Entry).cursor)?.id as string;
    await engine.admin.xtrim(engine.conversation("trimmed"), "MINID", id);

    const gap = await ann.resume("trimmed", (all[3] as Entry).cursor, 3);
    expect(gap).toMatchObject({ status: "gap", head: 10, more: false });
    expect(seqs(gap.entries)).toEqual([8, 9, 10]);

    const next = await ann.resume("trimmed", (all[4] as Entry).cursor);
    expect([next.status, seqs(next.entries)]).toEqual(["ok", [6, 7, 8, 9, 10]]);
    const sameSeq = altered(all[4], { id: "1-1" });
    expect((await ann.resume("trimmed", sameSeq)).status).toBe("reset");
    const origin = await ann.resume("trimmed", "1.0.0-0", 200);
    expect([origin.status, seqs(origin.entries)]).toEqual(["gap", [6, 7, 8, 9, 10]]);
  });

  it.each([
    ["1000-0", "2500-0"],
    ["1000-4097", "2500-0"],
    ["2500-3", "2500-4"],
    ["1700000000000-0", "1800000000000-8193"],
  ])("[RS3] is none after %s where the first entry kept, %s, follows it", async (prev, first) => {
    const room = `first-${prev}-${first}` as RoomId;
    const entry = { id: first as Position, prev: prev as Position, seq: 7 as Seq, leaver: null };
    const fields = conversationFields({ ...entry, payload: Uint8Array.of(1) as Payload });
    await engine.admin.xadd(engine.conversation(room), first, ...(fields as string[]));
    const { admin, keys } = engine;
    const head = { kind: "public", epoch: 1, seq: 7, id: first };
    await admin.hset(keys.room(keys.partitionOf(room), room), head);
    const reader = new RoomReader(admin, keys);
    const at = async (id: string): Promise<string> =>
      (await reader.resumePoint(room, { epoch: 1 as Epoch, seq: 6 as Seq, id: id as Position }, 5))
        .status;
    const [ms, n] = prev.split("-").map(Number) as [number, number];
    expect(await at(prev)).toBe("ok");
    expect(await at(`${ms}-${n + 1}`)).toBe("reset");
    expect(await at(`${ms + 1}-${n}`)).toBe("reset");
  });

  it("[RS3] of a room of which nothing is kept: its head is known still", async () => {
    const all = await filledRoom("emptied", 3);
    await engine.admin.xtrim(engine.conversation("emptied"), "MAXLEN", 0);
    const head = await ann.resume("emptied", (all[2] as Entry).cursor);
    expect(head).toMatchObject({ status: "ok", head: 3, more: false, entries: [] });
    const behind = await ann.resume("emptied", (all[1] as Entry).cursor);
    expect(behind).toMatchObject({ status: "gap", head: 3, more: false, entries: [] });
    await ann.say("emptied", "and on");
    await ann.hasSeq("emptied", 4);
  });
});

describe("pages", () => {
  it("[RS4] say that there is more until the last one, which alone makes the room followed", async () => {
    const all = await filledRoom("paged", 20);
    const bob = await engine.peer(edge, "bob");
    await bob.run({ type: "join", room: "paged" });
    const first = await bob.resume("paged", "1.0.0-0", 15);
    expect([seqs(first.entries).at(-1), first.more, first.head]).toEqual([15, true, 21]);
    await ann.say("paged", "to those who follow");
    const last = await bob.resume("paged", first.entries.at(-1)?.cursor, 15);
    expect([seqs(last.entries), last.more]).toEqual([[16, 17, 18, 19, 20, 21, 22], false]);
    await ann.say("paged", "live");
    await bob.hasSeq("paged", 23);
    expect(bob.frames.filter(({ type }) => type === "entries")).toHaveLength(1);
    expect(bob.violations).toEqual([]);
    expect(all).toHaveLength(20);
  });

  it("[RS4] hold at most so many bytes, from either end", async () => {
    const text = "x".repeat(LIMITS.textBytes);
    await createRoom(ann, "large");
    const count = Math.ceil(LIMITS.pageBytes / text.length) + 5;
    for (let i = 0; i < count; i++) await ann.say("large", text);
    const size = (entries: readonly Entry[]): number =>
      entries.reduce(
        (sum, { event }) => sum + (event.type === "message.sent" ? event.text.length : 0),
        0,
      );

    const oldest = await ann.resume("large", "1.0.0-0");
    expect(oldest.more).toBe(true);
    expect(size(oldest.entries)).toBeLessThan(LIMITS.pageBytes);
    expect(size(oldest.entries)).toBeGreaterThan(LIMITS.pageBytes - 2 * text.length);
    const newest = await ann.resume("large", null);
    expect([newest.more, seqs(newest.entries).at(-1)]).toEqual([false, count + 1]);
    expect(size(newest.entries)).toBeLessThan(LIMITS.pageBytes);
    const missed = await ann.follow("large", "1.0.0-0");
    expect(seqs(missed)).toEqual(Array.from({ length: count + 1 }, (_, i) => i + 1));
  });
});

describe("many rooms", () => {
  it("[RS7] a thousand on one connection, a hundred in a frame, and not one more", async () => {
    const cat = await engine.peer(edge, "cat");
    const rooms = Array.from({ length: LIMITS.roomsPerConnection + 1 }, (_, i) => `many-${i}`);
    for (let at = 0; at < rooms.length; at += LIMITS.commandsInFlight) {
      const some = rooms.slice(at, at + LIMITS.commandsInFlight);
      const numbers = some.map((room) =>
        cat.command({ type: "create", room, kind: "private", name: room }),
      );
      for (const k of numbers) await cat.outcome(k);
    }
    for (let at = 0; at < rooms.length; at += LIMITS.roomsPerResume) {
      const some = rooms.slice(at, at + LIMITS.roomsPerResume) as RoomId[];
      cat.send({ type: "resume", rooms: some.map((room) => ({ room, cursor: null, limit: 1 })) });
    }
    const refused = await cat.next("unsubscribed");
    expect(refused).toMatchObject({ room: rooms.at(-1), code: "tooManyRooms" });
    const answered = (): number =>
      new Set(cat.frames.flatMap((f) => (f.type === "resumed" && !f.more ? [f.room] : []))).size;
    await cat.until("all rooms", () => (answered() === LIMITS.roomsPerConnection ? true : null));

    // One that is followed already may be resumed, and one that is given up makes room.
    expect((await cat.resume("many-0")).status).toBe("snapshot");
    cat.send({ type: "unsubscribe", rooms: ["many-0" as RoomId] });
    expect((await cat.resume(rooms.at(-1) as string)).status).toBe("snapshot");
    const last = await cat.run({ type: "send", room: rooms.at(-1) as string, text: "here" });
    expect(last.type).toBe("applied");
    cat.terminate();
  });

  it("[RS7] a frame of a hundred with the longest ids fits, one of more is invalid", async () => {
    const longest = Array.from({ length: LIMITS.roomsPerResume }, (_, i) => ({
      room: `r${String(i).padStart(79, "0")}` as RoomId,
      cursor: "4294967295.999999999999999.zzzzzzzzz-zzzzzzzzz" as Cursor,
      limit: LIMITS.pageEntries,
    }));
    const bytes = encodeClientFrame({ type: "resume", rooms: longest }).length;
    expect(bytes).toBeLessThanOrEqual(LIMITS.frameBytes);
    const dan = await engine.peer(edge, "dan");
    dan.send({ type: "resume", rooms: longest });
    const answered = (): number => dan.frames.filter(({ type }) => type === "resumed").length;
    await dan.until("every answer", () => (answered() === longest.length ? true : null));
    const short = Array.from({ length: LIMITS.roomsPerResume + 1 }, (_, i) => `s${i}` as RoomId);
    dan.send({ type: "resume", rooms: short.map((room) => ({ room, cursor: null, limit: 1 })) });
    expect(await dan.next("error")).toMatchObject({ code: "invalid" });
  });
});
