/** How far people have read, from socket to socket over two edges. */
import { beforeAll, describe, expect, it } from "vitest";
import type { RunningEdge } from "../../src/edge/edge.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { ServerFrame, ServerFrameOf } from "../../src/protocol/frames.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { pipeline } from "../../src/redis/connect.ts";
import { type Engine, engineOfFile } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";
import { present } from "./watch.ts";

const open = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
let other: RunningEdge;
beforeAll(async () => {
  engine = await open();
  edge = await engine.edge();
  other = await engine.edge();
});

interface Scene {
  readonly room: RoomId;
  /** Two devices of one user, on two edges. */
  readonly phone: Peer;
  readonly laptop: Peer;
  readonly ben: Peer;
}

async function scene(name: string): Promise<Scene> {
  const phone = await engine.peer(edge, `ann-${name}`, { device: "phone" });
  const laptop = await engine.peer(other, `ann-${name}`, { device: "laptop" });
  const ben = await engine.peer(other, `ben-${name}`, { encoding: "json" });
  await createRoom(phone, name, [ben]);
  for (const peer of [phone, laptop, ben]) await peer.follow(name);
  return { room: name as RoomId, phone, laptop, ben };
}

function unreadOf(peer: Peer, fits: Partial<ServerFrameOf<"unread">>) {
  return peer.next("unread", (frame) =>
    Object.entries(fits).every(([name, value]) => frame[name as keyof typeof frame] === value),
  );
}

function cursorOf(peer: Peer, room: RoomId, seq: number): Cursor {
  const entry = peer.rooms.get(room)?.find((each) => each.seq === seq);
  if (!entry) throw new Error(`no entry ${seq} of ${room}`);
  return entry.cursor;
}

/** Of a frame that tells others so. */
function tells(user: string, through: number): (frame: ServerFrame) => boolean {
  return (frame) =>
    frame.type === "receipts" &&
    frame.marks.some((mark) => mark.user === user && mark.through === through);
}

interface Listed {
  readonly room: string;
  readonly unread: number;
  readonly mentions: number;
  readonly through: number;
  readonly last: { readonly seq: number } | null;
}

async function listed(user: string, room: string): Promise<Listed | undefined> {
  const answer = await engine.http(edge, user, "/v1/rooms");
  const { rooms } = (await answer.json()) as { rooms: Listed[] };
  return rooms.find((each) => each.room === room);
}

describe("positions", () => {
  it("[UN5] read on one device clears all devices of the user, whatever edge they are on", async () => {
    const { room, phone, laptop, ben } = await scene("clear");
    for (const text of ["one", "two", "three"]) await ben.say(room, text);
    await phone.hasSeq(room, 5);
    phone.send({ type: "read", room, through: cursorOf(phone, room, 5) });
    for (const device of [phone, laptop]) {
      const frame = await unreadOf(device, { room, through: 5 as never });
      expect(frame).toMatchObject({ unread: 0, mentions: 0, head: 5 });
    }
    expect(ben.frames.some(({ type }) => type === "unread")).toBe(false);
  });

  it("[UN5] tells what is left where it was not read to the end, and what is unread again", async () => {
    const { room, phone, laptop, ben } = await scene("rest");
    await applied(ben.run({ type: "send", room, text: "hey", mentions: ["ann-rest" as never] }));
    for (const text of ["two", "three"]) await ben.say(room, text);
    await phone.hasSeq(room, 5);
    phone.send({ type: "read", room, through: cursorOf(phone, room, 4) });
    expect(await unreadOf(laptop, { through: 4 as never })).toMatchObject({
      unread: 1,
      mentions: 0,
      head: 5,
    });
    await applied(phone.run({ type: "markUnread", room, message: cursorOf(phone, room, 3) }));
    expect(await unreadOf(laptop, { through: 2 as never })).toMatchObject({
      unread: 3,
      mentions: 1,
      head: 5,
    });
    await laptop.say(room, "my answer");
    expect(await listed("ann-rest", room)).toMatchObject({ unread: 0, mentions: 0, through: 6 });
    expect(await listed("ben-rest", room)).toMatchObject({ unread: 1, last: { seq: 6 } });
  });

  it("[UN6] those who attend see how far the others have read, all at first and then what changes", async () => {
    const { room, phone, laptop, ben } = await scene("seen");
    await present(ben, room);
    await laptop.say(room, "look");
    await ben.hasSeq(room, 3);
    ben.send({ type: "read", room, through: cursorOf(ben, room, 3) });
    await present(phone, room);
    const whole = await phone.next("receipts", ({ whole }) => whole);
    expect(whole.marks).toContainEqual({ user: "ann-seen", through: 3 });
    await laptop.say(room, "and this");
    await ben.hasSeq(room, 4);
    ben.send({ type: "read", room, through: cursorOf(ben, room, 4) });
    const change = await phone.next(
      "receipts",
      ({ whole, marks }) => !whole && marks[0]?.through === 4,
    );
    expect(change).toMatchObject({ room, marks: [{ user: "ben-seen", through: 4 }] });
    // Who follows without attending is not told of others.
    expect(laptop.frames.some(({ type }) => type === "receipts")).toBe(false);
  });

  it("[UN8] in a large room it is told how many have read how far, and not who", async () => {
    const { phone, ben } = await scene("nearly");
    const room = "crowd" as RoomId;
    await createRoom(ben, room, [phone]);
    const fans = await Promise.all(
      Array.from({ length: LIMITS.largeRoom - 1 }, (_, i) => engine.peer(edge, `fan${i}`)),
    );
    for (const fan of fans) await applied(fan.run({ type: "join", room }));
    for (const peer of [phone, ben]) await peer.follow(room);
    await present(phone, room);
    const { steps } = await phone.next("readers");
    // Everybody is where they came in; the newest ones are told.
    expect(steps).toHaveLength(LIMITS.readersSteps);
    expect(steps[0]).toEqual({ through: LIMITS.largeRoom + 1, readers: 1 });
    expect(steps.at(-1)?.readers).toBe(LIMITS.readersSteps);
    await ben.say(room, "is anybody here?");
    const said = LIMITS.largeRoom + 2;
    await phone.hasSeq(room, said);
    // Who says something has read up to it.
    const own = await phone.next("readers", (frame) => frame.steps[0]?.through === said);
    expect(own.steps[0]?.readers).toBe(1);
    phone.send({ type: "read", room, through: cursorOf(phone, room, said) });
    const told = await phone.next("readers", (frame) => frame.steps[0]?.readers === 2);
    expect(told.steps[0]).toEqual({ through: said, readers: 2 });
    expect(phone.frames.some(({ type }) => type === "receipts")).toBe(false);
    for (const on of [false, true]) {
      const since = phone.frames.length;
      await applied(ben.run({ type: "setReceipts", room, on }));
      const anew = await phone.next("readers", () => true, since);
      expect(anew.steps).toHaveLength(on ? LIMITS.readersSteps : 0);
    }
  });

  it("[UN9] a private one clears the user's own devices, and nobody else is told of it", async () => {
    const { room, phone, laptop, ben } = await scene("hidden");
    await present(ben, room);
    for (const text of ["one", "two", "three"]) await ben.say(room, text);
    await phone.hasSeq(room, 5);
    phone.send({ type: "read", room, through: cursorOf(phone, room, 3) });
    await ben.next("receipts", tells("ann-hidden", 3));
    phone.send({ type: "read", room, through: cursorOf(phone, room, 5), private: true });
    for (const device of [phone, laptop]) {
      expect(await unreadOf(device, { room, through: 5 as never })).toMatchObject({ unread: 0 });
    }
    expect(await listed("ann-hidden", room)).toMatchObject({ unread: 0, through: 5 });
    // Ben's edge has heard it, and what it would tell goes out with this at the latest.
    const cat = await engine.peer(other, "cat-hidden");
    await applied(cat.run({ type: "join", room }));
    await present(cat, room);
    const whole = await cat.next("receipts", (frame) => frame.whole);
    expect(whole.marks).toContainEqual({ user: "ann-hidden", through: 3 });
    await ben.say(room, "four");
    await cat.hasSeq(room, 7);
    cat.send({ type: "read", room, through: cursorOf(cat, room, 7) });
    await ben.next("receipts", tells("cat-hidden", 7));
    expect([ben, cat].map((peer) => peer.frames.some(tells("ann-hidden", 5)))).toEqual([
      false,
      false,
    ]);
    // Said publicly after all, it is news to the others.
    phone.send({ type: "read", room, through: cursorOf(phone, room, 5) });
    await ben.next("receipts", tells("ann-hidden", 5));
  });

  it("[UN10] where the owner has switched receipts off nobody is told, until they are on again", async () => {
    const { room, phone, laptop, ben } = await scene("off");
    const cat = await engine.peer(edge, "cat-off");
    await applied(cat.run({ type: "join", room }));
    await present(ben, room);
    await ben.next("receipts", ({ whole }) => whole);
    const isOn = async (): Promise<unknown> => {
      const answer = await engine.http(edge, "ben-off", `/v1/rooms/${room}`);
      return ((await answer.json()) as { receiptsOn: unknown }).receiptsOn;
    };
    expect(await isOn()).toBe(true);
    await ben.say(room, "look");
    await phone.hasSeq(room, 4);
    const since = ben.frames.length;
    const { seq } = await applied(phone.run({ type: "setReceipts", room, on: false }));
    expect(await ben.next("receipts", () => true, since)).toMatchObject({ whole: true, marks: [] });
    await ben.hasSeq(room, seq);
    expect(ben.rooms.get(room)?.at(-1)?.event).toEqual({ type: "room.receiptsSet", on: false });
    expect(await isOn()).toBe(false);
    phone.send({ type: "read", room, through: cursorOf(phone, room, 4) });
    expect(await unreadOf(laptop, { room, through: 4 as never })).toMatchObject({ unread: 0 });
    await present(cat, room);
    expect((await cat.next("receipts", ({ whole }) => whole)).marks).toEqual([]);
    await applied(phone.run({ type: "setReceipts", room, on: true }));
    for (const peer of [ben, cat]) await peer.next("receipts", tells("ann-off", 4));
    const told = ben.frames.filter(({ type }) => type === "receipts");
    expect(told.filter(tells("ann-off", 4))).toHaveLength(1);
    expect(await isOn()).toBe(true);
  });

  it("[UN6] [UN9] come whole again when bells were missed, as far as others may see", async () => {
    const own = await open();
    const lonely = await own.edge();
    const [ann, ben] = [await own.peer(lonely, "ann"), await own.peer(lonely, "ben")];
    const room = "missed" as RoomId;
    await createRoom(ann, room, [ben]);
    await ann.follow(room);
    await present(ann, room);
    await ann.next("receipts", ({ whole }) => whole);
    await own.stopProjector();
    const since = ann.frames.length;
    // What a lost bell leaves behind: the batch is in effect, and nothing tells of it.
    const partition = own.keys.partitionOf(room);
    const { id } = await own.admin.hgetall(own.keys.checkpoint(partition));
    const [ms] = (id as string).split("-");
    await pipeline(own.admin, [
      ["HSET", own.keys.room(partition, room), "r:ben", "12:0::9"],
      ["HSET", own.keys.checkpoint(partition), "id", `${Number(ms) + 1}-0`],
    ]);
    const told = await ann.next("receipts", ({ whole }) => whole, since);
    expect(told.marks).toContainEqual({ user: "ben", through: 9 });
  });

  it("[UN7] of a room that is not followed, or with a cursor that nobody gave out, are refused", async () => {
    const { room, phone } = await scene("refused");
    const stranger = await engine.peer(edge, "stranger");
    stranger.send({ type: "read", room, through: cursorOf(phone, room, 2) });
    expect((await stranger.next("error")).code).toBe("forbidden");
    phone.send({ type: "read", room, through: "nonsense" as Cursor });
    expect((await phone.next("error")).code).toBe("invalid");
  });

  it("[LI3] a change of one's list is told to all one's devices", async () => {
    const { phone, laptop, ben } = await scene("news");
    await createRoom(ben, "news-2", [], "private");
    await applied(ben.run({ type: "invite", room: "news-2" as RoomId, user: "ann-news" as never }));
    for (const device of [phone, laptop]) {
      const told = await device.next("roomsChanged", ({ rooms }) =>
        rooms.includes("news-2" as RoomId),
      );
      expect(told.rooms).toContain("news-2");
    }
    expect(await listed("ann-news", "news-2")).toMatchObject({ role: "invited", last: null });
  });

  it("[LI4] the list of five hundred rooms comes whole, the one with the newest message first", async () => {
    const ann = await engine.peer(edge, "ann-many");
    const names = Array.from({ length: 500 }, (_, i) => `many-${i}`);
    for (let at = 0; at < names.length; at += 50) {
      const part = names.slice(at, at + 50);
      await Promise.all(
        part.map((room) => ann.insist({ type: "create", room, kind: "private", name: room })),
      );
    }
    for (const room of ["many-7", "many-300"]) await ann.say(room, "here");
    const deadline = performance.now() + 20_000;
    let rooms: Listed[] = [];
    while (rooms.length < 500 && performance.now() < deadline) {
      rooms = (
        (await (await engine.http(edge, "ann-many", "/v1/rooms")).json()) as { rooms: Listed[] }
      ).rooms;
    }
    expect(rooms.length).toBe(500);
    expect(rooms.slice(0, 2).map(({ room }) => room)).toEqual(["many-300", "many-7"]);
    expect(new Set(rooms.map(({ room }) => room)).size).toBe(500);
  }, 60_000);
});
