/** What people do, over the wire: attending, reading, changing, and the list of rooms. */
import { describe, expect, it, vi } from "vitest";
import type { ChatClient, ListedRoom } from "../../src/client/index.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { event, following, newClient, server } from "./harness.ts";
import { happened, listedRoom, said } from "./people.ts";
import { entriesFrom, entryAt, ROOM, type Peer } from "./scripted-server.ts";

const ANN = "ann" as UserId;
const BOB = "bob" as UserId;

describe("an own change", () => {
  it("[CL20] is pending on its message until its entry is there, over a reconnect too", async () => {
    const { client, peer } = await following(2);
    const room = client.room(ROOM);
    const [, second] = room.messages;
    if (!second) throw new Error("no message");
    const done = room.edit(second, "new", { mentions: ["bob"] });
    const command = await peer.next("edit");
    expect(command).toMatchObject({ room: ROOM, message: second.cursor, mentions: ["bob"] });
    expect(room.message(second.seq)?.pending).toMatchObject([{ state: "sent", command }]);
    peer.close(4000);
    const again = await server.welcomed();
    await again.next("resume");
    expect(await again.next("edit")).toEqual(command);
    again.resumed([]);
    const { k } = command;
    again.send({ type: "applied", k, room: ROOM, seq: 3 as Seq, again: true });
    expect((await done).seq).toBe(3);
    expect(room.message(second.seq)?.pending).toMatchObject([{ state: "accepted" }]);
    const shown = event(client, "message");
    const edited = { type: "message.edited", target: second.seq, text: "new" } as const;
    again.entries({ ...happened(3, "ann", edited), device: client.device, k });
    expect((await shown).message).toMatchObject({ text: "new", edits: 1, pending: [] });
  });

  it("[CL20] goes when it is refused, and the message stays as it was", async () => {
    const { client, peer } = await following(1);
    const room = client.room(ROOM);
    const message = room.messages[0];
    if (!message) throw new Error("no message");
    const refused = room.delete(message);
    const { k } = await peer.next("delete");
    peer.send({ type: "rejected", k, code: "notAllowed" });
    await expect(refused).rejects.toMatchObject({ code: "notAllowed" });
    expect(room.messages).toEqual([message]);
  });

  it("[CL20] names what it replies to, and waits on messages that come anew", async () => {
    const { client, peer } = await following(2);
    const room = client.room(ROOM);
    const first = entryAt(1);
    void room.send("yes", { replyTo: first, everyone: true });
    expect(await peer.next("send")).toMatchObject({ replyTo: first.cursor, everyone: true });
    expect(room.pending).toMatchObject([{ replyTo: first.cursor, everyone: true }]);
    void room.pin(entryAt(2));
    await peer.next("pin");
    peer.resumed(entriesFrom(2, 3), { status: "gap" });
    await event(client, "gap");
    await vi.waitFor(() => expect(room.message(2 as Seq)?.pending).toHaveLength(1));
  });
});

describe("attending", () => {
  it("[CL22] is said once a room is live, for many rooms together, and after each reconnect", async () => {
    const client = newClient();
    void client.connect();
    const peer = await server.welcomed();
    const ids = Array.from({ length: LIMITS.roomsPerResume + 1 }, (_, i) => `room${i}` as RoomId);
    for (const id of ids) void client.room(id).follow({ attend: true });
    for (let i = 0; i < 2; i++) await peer.next("resume");
    for (const room of ids) peer.resumed([], { room, status: "snapshot" });
    const attended: RoomId[] = [];
    while (attended.length < ids.length) attended.push(...(await peer.next("attend")).rooms);
    expect(attended).toEqual(ids);
    for (const id of ids.slice(1)) client.room(id).unfollow();
    peer.terminate();
    const again = await server.welcomed();
    await again.next("resume");
    again.resumed([], { room: ids[0] as RoomId });
    expect((await again.next("attend")).rooms).toEqual(ids.slice(0, 1));
  });

  it("[CL22, CL25, CL27] tells who is there, types and has read, until the connection ends", async () => {
    const { client, peer } = await following(2);
    const room = client.room(ROOM);
    room.typing();
    room.attend();
    await peer.next("attend");
    const about = { room: ROOM, whole: true } as const;
    peer.send({ type: "presence", ...about, count: 2, online: [ANN, BOB], offline: [] });
    peer.send({ type: "receipts", ...about, marks: [{ user: BOB, through: 2 as Seq }] });
    const typists = event(client, "typists");
    peer.send({ type: "typists", room: ROOM, users: [BOB] });
    await typists;
    expect([...room.presence.online]).toEqual([ANN, BOB]);
    expect(room.seenBy({ seq: 2 as Seq, by: ANN })).toEqual([BOB]);
    expect(room.typists).toEqual([BOB]);
    room.typing();
    expect(await peer.next("typing")).toMatchObject({ room: ROOM, on: true });
    peer.terminate();
    await event(client, "presence");
    expect(room.presence).toMatchObject({ current: false, count: 2 });
    expect(room.typists).toEqual([]);
  });

  it.each([
    ["public", undefined, undefined],
    ["private", undefined, true],
    ["public", true, true],
    ["private", false, undefined],
  ] as const)(
    "[CL31] a client whose receipts are %s reads with private %s: said with private %s",
    async (receipts, isPrivate, said) => {
      const { client, peer } = await following(3, { receipts });
      client
        .room(ROOM)
        .read({ cursor: entryAt(2).cursor }, isPrivate === undefined ? {} : { private: isPrivate });
      const { private: heard, through } = await peer.next("read");
      expect([through, heard]).toEqual([entryAt(2).cursor, said]);
    },
  );

  it("[CL23] says what was read once the room is live again, until it is confirmed", async () => {
    const { client, peer } = await following(3);
    const room = client.room(ROOM);
    room.read();
    expect((await peer.next("read")).through).toBe(entryAt(3).cursor);
    peer.close(4000);
    const again = await server.welcomed();
    await again.next("resume");
    again.resumed([]);
    expect((await again.next("read")).through).toBe(entryAt(3).cursor);
    expect([room.unread, room.mentions, room.through]).toEqual([0, 0, 3]);
    again.send({
      type: "unread",
      room: ROOM,
      through: 3 as Seq,
      unread: 0,
      mentions: 0,
      head: 3 as Seq,
    });
    again.close(4000);
    const last = await server.welcomed();
    await last.next("resume");
    last.resumed([]);
    await event(client, "room", ({ room: { state } }) => state.name === "live");
    client.wake();
    await last.next("ping");
  });
});

describe("the list of rooms", () => {
  /** A client whose HTTP answers with this list. */
  async function listing(rooms: ListedRoom[]): Promise<{
    client: ChatClient;
    peer: Peer;
    asked: () => number;
  }> {
    let asked = 0;
    const client = newClient({
      fetch: async () => {
        asked += 1;
        return new Response(JSON.stringify({ rooms }));
      },
    });
    void client.connect();
    const peer = await server.welcomed();
    await client.list.load();
    return { client, peer, asked: () => asked };
  }
  const names = (client: ChatClient): string[] => client.list.rooms.map(({ room }) => room);

  it("[CL26] is loaded once, and follows the entries of followed rooms", async () => {
    const other = "other" as RoomId;
    const lines = [
      listedRoom({ head: 9 as Seq, through: 9 as Seq, last: entryAt(9) }),
      listedRoom({ room: other, name: "Other", head: 4 as Seq, unread: 4 }),
    ];
    const { client, peer, asked } = await listing(lines);
    expect(names(client)).toEqual([ROOM, other]);
    expect([client.list.unread, client.list.mentions]).toEqual([4, 0]);
    void client.room(other).follow();
    await peer.next("resume");
    const told = event(client, "list", ({ changed }) => changed.includes(other));
    const hello = { ...said(5, "bob", "ann!", { mentions: [ANN] }), at: entryAt(11).at };
    peer.resumed(entriesFrom(1, 4), { room: other, status: "snapshot" });
    peer.send({ type: "entries", room: other, entries: [hello] });
    expect(await told).toEqual({ changed: [other], removed: [] });
    expect(names(client)).toEqual([other, ROOM]);
    expect(client.list.get(other)).toMatchObject({
      unread: 5,
      mentions: 1,
      last: { text: "ann!" },
    });
    expect(asked()).toBe(1);
  });

  it("[CL26] is read again when rooms came or went, once for many of them, and after a reconnect", async () => {
    const lines = [listedRoom()];
    const { client, peer, asked } = await listing(lines);
    lines[0] = listedRoom({ room: "new" as RoomId });
    for (let i = 0; i < 9; i++) peer.send({ type: "roomsChanged", rooms: ["new" as RoomId] });
    const { removed } = await event(client, "list");
    expect(removed).toEqual([ROOM]);
    expect(names(client)).toEqual(["new"]);
    expect(asked()).toBe(2);
    peer.close(4000);
    await server.welcomed();
    await vi.waitFor(() => expect(asked()).toBe(3), { timeout: 5_000 });
  });

  it("[CL26] takes what the server says of one room, and holds 500 of them", async () => {
    const lines = Array.from({ length: 500 }, (_, i) =>
      listedRoom({ room: `room${i}` as RoomId, head: 9 as Seq, unread: 1, last: entryAt(i + 1) }),
    );
    const { client, peer } = await listing(lines);
    expect(names(client)[0]).toBe("room499");
    expect(client.list.unread).toBe(500);
    const told = event(client, "list");
    const about = { type: "unread", room: "room7" as RoomId } as const;
    peer.send({ ...about, through: 9 as Seq, unread: 0, mentions: 0, head: 9 as Seq });
    expect((await told).changed).toEqual(["room7"]);
    expect(client.list.unread).toBe(499);
  });
});

describe("older entries", () => {
  it("[CL30] come as messages and as an event, with what is pending of them", async () => {
    const older = entriesFrom(1, 5);
    const client = newClient({
      fetch: async () => {
        const page = { room: ROOM, epoch: 1, head: 7, more: false, entries: older };
        return new Response(JSON.stringify(page));
      },
    });
    void client.connect();
    const peer = await server.welcomed();
    const room = client.room(ROOM);
    await expect(room.loadOlder()).rejects.toMatchObject({ code: "invalid" });
    const live = room.follow({ limit: 2 });
    await peer.next("resume");
    peer.resumed(entriesFrom(6, 7), { status: "snapshot" });
    await live;
    expect(room.older).toBe("more");
    void room.react(entryAt(3), "👍");
    const told: string[] = [];
    client.on("entry", ({ entry }) => told.push(`entry ${entry.seq}`));
    client.on("older", ({ entries }) => told.push(`older ${entries.length}`));
    client.on("message", ({ message }) => told.push(`message ${message.seq}`));
    expect(await room.loadOlder(5)).toBe("none");
    expect(told).toEqual(["older 5", ...older.map(({ seq }) => `message ${seq}`)]);
    expect(room.messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(room.message(3 as Seq)?.pending).toHaveLength(1);
    const changed = event(client, "message");
    peer.entries(happened(8, "bob", { type: "message.edited", target: 2 as Seq, text: "changed" }));
    expect((await changed).message).toMatchObject({ seq: 2, text: "changed" });
    expect(room.message(2 as Seq)).toBe((await changed).message);
  });
});
