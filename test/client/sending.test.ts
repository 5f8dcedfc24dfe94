import { describe, expect, it } from "vitest";
import { OUTCOME_PATIENCE_MS } from "../../src/client/client.ts";
import type { CommandNumber, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { FakeClock } from "./fake-clock.ts";
import { event, following, newClient, server } from "./harness.ts";
import { entriesFrom, entryAt, ROOM } from "./scripted-server.ts";

describe("sending", () => {
  it("[CL9] shows an own message first as pending, then once as entry", async () => {
    const { client, peer, shown } = await following(1);
    const room = client.room(ROOM);
    const sent = room.send("hello");
    expect(room.pending).toMatchObject([{ text: "hello", state: { name: "sent" } }]);
    const { k } = await peer.next("send");
    peer.send({ type: "accepted", k });
    await event(client, "pending");
    expect(room.pending).toMatchObject([{ state: { name: "accepted" } }]);
    let pendingAtEntry = -1;
    client.on("entry", () => {
      pendingAtEntry = room.pending.length;
    });
    peer.entries(entryAt(2, { by: "ann" as UserId, device: client.device, k }));
    expect(await sent).toMatchObject({ seq: 2, again: false });
    expect(pendingAtEntry).toBe(0);
    expect(shown).toEqual([1, 2]);
  });

  it("[CL9] keeps a message pending between `applied` and its entry", async () => {
    const { client, peer } = await following(1);
    const room = client.room(ROOM);
    const sent = room.send("hello");
    const { k } = await peer.next("send");
    peer.send({ type: "applied", k, room: ROOM, seq: 2 as Seq, again: true });
    expect(await sent).toEqual({ room: ROOM, seq: 2, again: true });
    expect(room.pending).toHaveLength(1);
    peer.entries(entryAt(2, { by: "ann" as UserId, device: client.device, k }));
    await event(client, "entry");
    expect(room.pending).toEqual([]);
  });

  it("[CL9] learns the outcome from the entry of a room that was unfollowed just now", async () => {
    const { client, peer, shown } = await following(1);
    const sent = client.room(ROOM).send("hello");
    const { k } = await peer.next("send");
    client.room(ROOM).unfollow();
    peer.entries(entryAt(2, { by: "ann" as UserId, device: client.device, k }));
    expect((await sent).seq).toBe(2);
    expect(client.room(ROOM).pending).toEqual([]);
    expect(shown).toEqual([1]);
  });

  it("[CL9] takes an entry of another user's device of that name for no outcome", async () => {
    const { client, peer } = await following(1);
    void client.room(ROOM).send("hello");
    const { k } = await peer.next("send");
    peer.entries(entryAt(2, { by: "bob" as UserId, device: client.device, k }));
    await event(client, "entry");
    expect(client.room(ROOM).pending).toHaveLength(1);
  });

  it("[CL7] sends again after a reconnect what has no outcome, with the same numbers", async () => {
    const { client, peer } = await following(1);
    const room = client.room(ROOM);
    const sent = [room.send("a"), room.send("b"), room.send("c")];
    await peer.next("send");
    await peer.next("send");
    await peer.next("send");
    peer.send({ type: "applied", k: 2 as CommandNumber, room: ROOM, seq: 9 as Seq, again: false });
    await sent[1];
    peer.terminate();
    const second = await server.welcomed();
    await second.next("resume");
    expect(await second.next("send")).toMatchObject({ k: 1, text: "a" });
    expect(await second.next("send")).toMatchObject({ k: 3, text: "c" });
    second.send({ type: "applied", k: 1 as CommandNumber, room: ROOM, seq: 0 as Seq, again: true });
    second.send({ type: "rejected", k: 3 as CommandNumber, code: "forbidden" });
    expect(await sent[0]).toMatchObject({ seq: 0, again: true });
    await expect(sent[2]).rejects.toMatchObject({ code: "forbidden" });
    expect(room.pending).toMatchObject([{ text: "b" }, { text: "c", state: { name: "failed" } }]);
    room.dismiss(3 as CommandNumber);
    expect(room.pending).toHaveLength(1);
  });

  it("[CL6] sends a deferred command and all later ones again after the pause", async () => {
    const { client, peer } = await following(1);
    const room = client.room(ROOM);
    for (const text of ["a", "b", "c"]) void room.send(text);
    for (let i = 0; i < 3; i++) await peer.next("send");
    const deferred = { type: "deferred", code: "busy", retryAfterMs: 60 } as const;
    peer.send({ ...deferred, k: 2 as CommandNumber });
    peer.send({ ...deferred, k: 3 as CommandNumber });
    await event(client, "pending");
    void room.send("d");
    expect(room.pending.map(({ state }) => state.name)).toContain("queued");
    expect((await peer.next("send")).k).toBe(2);
    expect((await peer.next("send")).k).toBe(3);
    expect((await peer.next("send")).k).toBe(4);
    expect(peer.inbox).toEqual([]);
  });

  it("[CL6] takes a new connection when the server awaits what is settled already", async () => {
    const { client, peer } = await following(1);
    const sent = client.room(ROOM).send("hello");
    const { k } = await peer.next("send");
    peer.entries(entryAt(2, { by: "ann" as UserId, device: client.device, k }));
    await sent;
    peer.send({ type: "deferred", k, code: "unavailable", retryAfterMs: 0 });
    const second = await server.welcomed();
    await second.next("resume");
    expect(second.inbox).toEqual([]);
  });

  it("[CL7] sends again when the page with its entry was skipped", async () => {
    const { client, peer } = await following(1);
    const sent = client.room(ROOM).send("hello");
    const { k } = await peer.next("send");
    peer.entries(entryAt(9));
    await peer.next("resume");
    peer.resumed(entriesFrom(8, 9), { status: "gap" });
    expect((await peer.next("send")).k).toBe(k);
    peer.send({ type: "applied", k, room: ROOM, seq: 2 as Seq, again: true });
    expect((await sent).seq).toBe(2);
    expect(client.room(ROOM).pending).toEqual([]);
  });

  it("[CL14] sends again what has been without an outcome for long", async () => {
    const clock = new FakeClock();
    const client = newClient({ clock });
    void client.connect();
    const peer = await server.welcomed({ beatMs: 10 * OUTCOME_PATIENCE_MS });
    void client.room(ROOM).send("hello");
    const { k } = await peer.next("send");
    peer.send({ type: "accepted", k });
    await event(client, "pending");
    clock.advance(OUTCOME_PATIENCE_MS);
    expect((await peer.next("send")).k).toBe(k);
  });

  it("[CL8] keeps at most the allowed number of commands on the wire", async () => {
    const { client, peer } = await following(1);
    for (let i = 0; i < LIMITS.commandsInFlight + 1; i++) void client.room(ROOM).send(`${i}`);
    for (let i = 0; i < LIMITS.commandsInFlight; i++) await peer.next("send");
    peer.send({ type: "beat", at: 1, heads: [] });
    client.wake();
    await peer.next("ping");
    expect(peer.inbox).toEqual([]);
    peer.send({ type: "rejected", k: 1 as CommandNumber, code: "invalid" });
    expect((await peer.next("send")).k).toBe(LIMITS.commandsInFlight + 1);
  });

  it("[CL5] makes rooms by commands and gives their handle", async () => {
    const { client, peer } = await following(1);
    const made = client.createRoom({ kind: "public", name: "A room" });
    const create = await peer.next("create");
    expect(create.room).toBeNull();
    const applied = { type: "applied", seq: 1 as Seq, again: false } as const;
    peer.send({ ...applied, k: create.k, room: "r123" as RoomId });
    expect((await made).id).toBe("r123");
    const direct = client.direct("bob");
    const { k } = await peer.next("direct");
    peer.send({ ...applied, k, room: "dm.x" as RoomId });
    expect((await direct).id).toBe("dm.x");
  });

  it("[CL5] refuses by itself what the server would close the connection for", async () => {
    const { client, peer } = await following(1);
    const room = client.room(ROOM);
    await expect(room.send("a".repeat(LIMITS.textBytes + 1))).rejects.toMatchObject({
      code: "invalid",
    });
    await expect(room.invite("")).rejects.toMatchObject({ code: "invalid" });
    expect(() => client.room("no room")).toThrow(/room id/);
    void room.send("first");
    expect((await peer.next("send")).k).toBe(1);
  });
});
