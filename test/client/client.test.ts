import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/protocol/limits.ts";
import { PROTOCOL_VERSION } from "../../src/protocol/version.ts";
import { event, following, newClient, seqs, server } from "./harness.ts";
import { entriesFrom, entryAt, ROOM } from "./scripted-server.ts";
import type { Seq } from "../../src/protocol/ids.ts";

describe("the connection", () => {
  it("[CL10] greets with version, token and device, and is live at the welcome", async () => {
    const client = newClient({ token: async () => "fresh", agent: "test" });
    const connected = client.connect();
    const peer = await server.peer();
    const hello = await peer.next("hello");
    expect(hello).toMatchObject({
      version: PROTOCOL_VERSION,
      token: "fresh",
      device: client.device,
      agent: "test",
    });
    expect(client.state.name).toBe("connecting");
    peer.welcome();
    await connected;
    expect(client.state).toMatchObject({ name: "live", user: "ann", edge: "edge-1" });
  });

  it("[CL10] resumes from its cursor after 4000 and drops it after 4100", async () => {
    const { client, peer, shown } = await following(2);
    peer.close(4000);
    const second = await server.welcomed();
    expect((await second.next("resume")).rooms).toEqual([
      { room: ROOM, cursor: entryAt(2).cursor, limit: LIMITS.pageEntries },
    ]);
    second.resumed(entriesFrom(3, 3));
    await event(client, "room", ({ room }) => room.state.name === "live");
    const reset = event(client, "reset");
    second.close(4100);
    const third = await server.welcomed();
    expect((await third.next("resume")).rooms[0]?.cursor).toBeNull();
    third.resumed(entriesFrom(2, 3), { status: "snapshot" });
    await reset;
    expect(shown.slice(0, 3)).toEqual([1, 2, 3]);
    expect(client.room(ROOM).entries.map(({ seq }) => seq)).toEqual([2, 3]);
  });

  it("[CL10] stays stopped after 4404 and says why", async () => {
    const client = newClient();
    const connected = client.connect();
    const peer = await server.peer();
    await peer.next("hello");
    peer.close(4404, "the token or ticket was refused");
    await expect(connected).rejects.toMatchObject({ code: "stopped" });
    expect(client.state).toMatchObject({ name: "stopped", drop: { code: 4404 } });
    expect(server.connections).toBe(1);
  });

  it("[CL10] tries the next address when one is not reachable", async () => {
    const client = newClient({ urls: ["http://127.0.0.1:1", server.url] });
    const connected = client.connect();
    await server.welcomed();
    await connected;
  });

  it("[CL12] replaces a connection that has fallen silent", async () => {
    const client = newClient();
    void client.connect();
    await server.welcomed({ beatMs: 20 });
    await server.welcomed();
    await event(client, "state", ({ name }) => name === "live");
    expect(server.connections).toBe(2);
  });

  it("[CL12] stays on a connection that beats", async () => {
    const client = newClient();
    void client.connect();
    const peer = await server.welcomed({ beatMs: 100 });
    for (let beat = 0; beat < 8; beat++) {
      peer.send({ type: "beat", at: 1, heads: [] });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(server.connections).toBe(1);
    expect(client.state.name).toBe("live");
  });

  it("[CL12] asks at once whether the connection lives when the page wakes up", async () => {
    const { client, peer } = await following(1);
    client.wake();
    await peer.next("ping");
  });

  it("[CL16] gives up a connection that sends what cannot be read, not the client", async () => {
    const { client, peer } = await following(1);
    peer.sendBytes(Uint8Array.of(0xc1));
    await server.welcomed();
    await event(client, "state", ({ name }) => name === "live");
  });

  it("[CL10] asks for a token again when the first could not be had", async () => {
    let asked = 0;
    const client = newClient({
      token: async () => {
        asked += 1;
        if (asked === 1) throw new Error("no network");
        return "token";
      },
    });
    void client.connect();
    await server.welcomed();
    expect(asked).toBe(2);
  });

  it("[CL10] connects once more after close, and fails what was on its way", async () => {
    const { client } = await following(1);
    const sent = client.room(ROOM).send("never answered");
    client.close();
    await expect(sent).rejects.toMatchObject({ code: "closed" });
    await expect(client.room(ROOM).send("late")).rejects.toMatchObject({ code: "closed" });
    const connected = client.connect();
    const peer = await server.welcomed();
    await connected;
    await peer.next("resume");
  });
});

describe("following a room", () => {
  it("[CL1] drops what comes twice and resumes when a seq is missing", async () => {
    const { client, peer, shown } = await following(2);
    peer.entries(entryAt(2), entryAt(3));
    peer.entries(entryAt(5));
    peer.entries(entryAt(6));
    const [asked] = (await peer.next("resume")).rooms;
    expect(asked?.cursor).toBe(entryAt(3).cursor);
    peer.resumed(entriesFrom(4, 6));
    await event(client, "entry", ({ entry }) => entry.seq === 6);
    expect(shown).toEqual([1, 2, 3, 4, 5, 6]);
    expect(peer.inbox).toEqual([]);
  });

  it("[CL2] asks page after page until it is caught up", async () => {
    const client = newClient();
    const shown = seqs(client);
    void client.connect();
    const peer = await server.welcomed();
    const live = client.room(ROOM).follow({ from: "origin" });
    expect((await peer.next("resume")).rooms[0]?.cursor).toBe("1.0.0-0");
    peer.resumed(entriesFrom(1, 3), { more: true, head: 5 as Seq });
    expect((await peer.next("resume")).rooms[0]?.cursor).toBe(entryAt(3).cursor);
    expect(client.room(ROOM).state.name).toBe("resuming");
    peer.resumed(entriesFrom(4, 5));
    await live;
    expect(shown).toEqual([1, 2, 3, 4, 5]);
  });

  it("[CL4] tells of a gap and of a reset, and goes on from the new page", async () => {
    const { client, peer } = await following(2);
    const gap = event(client, "gap");
    peer.entries(entryAt(4));
    await peer.next("resume");
    peer.resumed(entriesFrom(50, 52), { status: "gap" });
    expect(await gap).toMatchObject({ after: 2, before: 50 });
    expect(client.room(ROOM).entries.map(({ seq }) => seq)).toEqual([50, 51, 52]);
    const reset = event(client, "reset");
    peer.entries(entryAt(54));
    await peer.next("resume");
    peer.resumed(entriesFrom(1, 2), { status: "reset" });
    await reset;
    const next = event(client, "entry");
    peer.entries(entryAt(3));
    expect((await next).entry.seq).toBe(3);
    expect(client.room(ROOM).entries.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it("[CL3] resumes when a beat names a head that does not come", async () => {
    const { client, peer, shown } = await following(2);
    peer.send({ type: "beat", at: 1, heads: [{ room: ROOM, seq: 3 as Seq }] });
    expect((await peer.next("resume")).rooms[0]?.cursor).toBe(entryAt(2).cursor);
    peer.resumed(entriesFrom(3, 3));
    await event(client, "entry");
    expect(shown).toEqual([1, 2, 3]);
  });

  it("[CL15] resumes after `unavailable` and ends after `forbidden`", async () => {
    const { client, peer } = await following(2);
    const room = client.room(ROOM);
    peer.send({ type: "unsubscribed", room: ROOM, code: "unavailable" });
    expect((await peer.next("resume")).rooms[0]?.cursor).toBe(entryAt(2).cursor);
    peer.resumed([], { head: 2 as Seq });
    peer.send({ type: "unsubscribed", room: ROOM, code: "forbidden" });
    await event(client, "room", ({ room }) => room.state.name === "ended");
    expect(room.state).toEqual({ name: "ended", code: "forbidden" });
  });

  it("[CL15] says so when it is not let in", async () => {
    const client = newClient();
    void client.connect();
    const peer = await server.welcomed();
    const follow = client.room(ROOM).follow();
    await peer.next("resume");
    peer.resumed([], { status: "refused" });
    await expect(follow).rejects.toMatchObject({ code: "forbidden" });
  });

  it("[CL2] asks for many rooms in as few frames as the protocol allows", async () => {
    const client = newClient();
    for (let i = 0; i <= LIMITS.roomsPerResume; i++) void client.room(`room-${i}`).follow();
    void client.connect();
    const peer = await server.welcomed();
    expect((await peer.next("resume")).rooms).toHaveLength(LIMITS.roomsPerResume);
    expect((await peer.next("resume")).rooms).toHaveLength(1);
  });

  it("[CL2] follows as many rooms as a connection may, and not one more", async () => {
    const client = newClient();
    for (let i = 0; i < LIMITS.roomsPerConnection; i++) void client.room(`room-${i}`).follow();
    await expect(client.room("one-more").follow()).rejects.toMatchObject({ code: "tooManyRooms" });
    client.room("room-0").unfollow();
    void client.room("one-more").follow();
    expect(client.room("one-more").state.name).toBe("waiting");
  });

  it("[CL2] takes pages that the server held back while this side read too slowly", async () => {
    const { peer, shown } = await following(2);
    peer.resumed(entriesFrom(3, 4), { more: true, head: 6 as Seq });
    expect((await peer.next("resume")).rooms[0]?.cursor).toBe(entryAt(4).cursor);
    peer.resumed(entriesFrom(5, 6));
    peer.entries(entryAt(7));
    peer.resumed(entriesFrom(7, 8));
    await expect.poll(() => shown).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(peer.inbox).toEqual([]);
  });

  it.each([1, 2])("[CL1] shows a room once that was followed anew, with %i answers", async (n) => {
    const client = newClient();
    const shown = seqs(client);
    void client.connect();
    const peer = await server.welcomed();
    const room = client.room(ROOM);
    const first = room.follow();
    await peer.next("resume");
    room.unfollow();
    await expect(first).rejects.toMatchObject({ code: "closed" });
    await peer.next("unsubscribe");
    const live = room.follow();
    await peer.next("resume");
    for (let i = 0; i < n; i++) peer.resumed(entriesFrom(1, 2 + i), { status: "snapshot" });
    await live;
    peer.entries(entryAt(3), entryAt(4));
    await expect.poll(() => shown).toEqual([1, 2, 3, 4]);
    expect(peer.inbox).toEqual([]);
  });
});
