/** Messages that change, through real edges: what members see, and what nobody else does. */
import { beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { formatCursor, parseCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { ChatEvent, Entry } from "../../src/protocol/frames.ts";
import type { Epoch, Seq } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { applied, createRoom, type Draft, type Peer } from "./peer.ts";

const start = engineOfFile();
let engine: Engine;
let [near, far]: RunningEdge[] = [];
let [ann, ben, eve]: Peer[] = [];
let rooms = 0;

beforeAll(async () => {
  engine = await start({ historyPerRoom: 300 });
  [near, far] = [await engine.edge(), await engine.edge()];
  ann = await engine.peer(near, "ann");
  ben = await engine.peer(far, "ben");
  eve = await engine.peer(far, "eve");
});

/** Of Ann, with Ben in it and not Eve; both follow it. */
async function newRoom(): Promise<string> {
  const room = `talk-${++rooms}`;
  await createRoom(peer(ann), room, [peer(ben)]);
  await peer(ann).follow(room);
  await peer(ben).follow(room);
  return room;
}
function peer(one: Peer | undefined): Peer {
  if (!one) throw new Error("not connected yet");
  return one;
}
/** Says it and returns the entry's cursor. */
async function said(by: Peer, room: string, text: string, more: object = {}): Promise<Entry> {
  const { seq } = await applied(by.run({ type: "send", room, text, ...more }));
  await by.hasSeq(room, seq);
  return by.rooms.get(room)?.at(-1) as Entry;
}
async function does(by: Peer, draft: Draft): Promise<number> {
  return (await applied(by.run(draft))).seq;
}
async function refused(by: Peer, draft: Draft): Promise<string> {
  const outcome = await by.run(draft);
  return outcome.type === "rejected" ? outcome.code : outcome.type;
}
async function json(user: string, path: string): Promise<Record<string, unknown>> {
  const response = await engine.http(near as RunningEdge, user, path);
  return (await response.json()) as Record<string, unknown>;
}
function events(entries: readonly Entry[], seq: number): ChatEvent | undefined {
  return entries.find((entry) => entry.seq === seq)?.event;
}

describe("a message", () => {
  it("[MS10] is changed for those who follow live, for those who resume and in history", async () => {
    const room = await newRoom();
    const { cursor, seq } = await said(peer(ann), room, "helo");
    await does(peer(ann), { type: "edit", room, message: cursor, text: "hello" });
    await does(peer(ben), { type: "react", room, message: cursor, reaction: "\u{1f44d}" });
    await does(peer(ann), { type: "pin", room, message: cursor });
    const last = await does(peer(ben), { type: "send", room, text: "hi", replyTo: cursor });
    await peer(ben).hasSeq(room, last);
    const live = (peer(ben).rooms.get(room) ?? []).map(({ event }) => event.type).slice(-5);
    expect(live).toEqual([
      "message.sent",
      "message.edited",
      "reaction.added",
      "message.pinned",
      "message.sent",
    ]);
    const folded = {
      type: "message.folded",
      text: "hello",
      through: last,
      edits: 1,
      editedAt: expect.any(Number) as number,
      pinned: true,
      replies: 1,
      lastReply: last,
      reactions: [{ reaction: "\u{1f44d}", count: 1, users: ["ben"] }],
    };
    const newcomer = await engine.peer(far as RunningEdge, "ben", { device: `new-${room}` });
    expect(events(await newcomer.follow(room), seq)).toEqual(folded);
    const { entries } = await json("ben", `/v1/rooms/${room}/messages`);
    expect(events(entries as Entry[], seq)).toEqual(folded);
    expect(await json("ben", `/v1/rooms/${room}/pins`)).toMatchObject({
      pins: [{ seq, entry: { seq, event: folded } }],
    });
    const thread = await json("ben", `/v1/rooms/${room}/messages/${seq}/thread`);
    expect(thread).toMatchObject({ replies: 1, more: false, entries: [{ seq: last }] });
  });

  it("[MS2] that is deleted is found in no page, no resume and under no address", async () => {
    const room = await newRoom();
    const secret = "correct horse battery staple";
    const first = await said(peer(ben), room, "the thread");
    const { cursor, seq } = await said(peer(ben), room, secret, { replyTo: first.cursor });
    const edited = `${secret}, edited`;
    await does(peer(ben), { type: "edit", room, message: cursor, text: edited });
    await does(peer(ann), { type: "react", room, message: cursor, reaction: "+1" });
    await does(peer(ann), { type: "pin", room, message: cursor });
    await does(peer(ben), { type: "delete", room, message: cursor });
    const base = `/v1/rooms/${room}`;
    const paths = ["versions", "reactions", "thread"].flatMap((what) => [
      `${base}/messages/${seq}/${what}`,
      `${base}/messages/${first.seq}/${what}`,
    ]);
    for (const user of ["ann", "ben"]) {
      for (const path of [`${base}/messages`, `${base}/pins`, base, ...paths]) {
        expect(JSON.stringify(await json(user, path))).not.toContain("horse");
      }
      const fresh = await engine.peer(near as RunningEdge, user, { device: `f-${user}-${room}` });
      const page = await fresh.follow(room);
      expect(JSON.stringify(page)).not.toContain("horse");
      expect(events(page, seq)).toMatchObject({ type: "message.folded", text: null });
      const from = await fresh.resume(room, first.cursor, 200);
      expect(JSON.stringify(from)).not.toContain("horse");
    }
    for (const what of ["versions", "reactions"]) {
      const answer = await json("ben", `${base}/messages/${seq}/${what}`);
      expect(answer).toMatchObject({ error: { code: "noSuchMessage" } });
    }
    expect(await json("ann", `${base}/messages/${first.seq}/thread`)).toMatchObject({ replies: 0 });
  });

  it("[MS4] keeps its versions for its author and the owner alone", async () => {
    const room = await newRoom();
    const { cursor, seq } = await said(peer(ann), room, "one");
    for (const text of ["two", "three"]) {
      await does(peer(ann), { type: "edit", room, message: cursor, text });
    }
    const path = `/v1/rooms/${room}/messages/${seq}/versions`;
    const { versions } = await json("ann", path);
    expect((versions as { text: string }[]).map(({ text }) => text)).toEqual([
      "one",
      "two",
      "three",
    ]);
    expect(await json("ben", path)).toMatchObject({ error: { code: "notAllowed" } });
    const page = JSON.stringify(await json("ben", `/v1/rooms/${room}/messages`));
    expect(page).toContain('"three"');
    expect(page).not.toMatch(/"(one|two)"/);
  });

  it("[AU27] is answered for alike in a room that does not exist and in one that is closed", async () => {
    const room = await newRoom();
    const { seq } = await said(peer(ann), room, "private");
    for (const what of ["versions", "reactions", "thread"]) {
      const answers = await Promise.all(
        [room, "no-such-room", "not%20a%20room"].map(async (name) => {
          const path = `/v1/rooms/${name}/messages/${seq}/${what}`;
          const response = await engine.http(near as RunningEdge, "eve", path);
          return [response.status, await response.text()];
        }),
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]?.[0]).toBe(403);
    }
    const pins = await Promise.all(
      [room, "no-such-room"].map((name) => json("eve", `/v1/rooms/${name}/pins`)),
    );
    expect(pins[0]).toEqual(pins[1]);
    expect(pins[0]).toMatchObject({ error: { code: "forbidden" } });
  });

  it("[AU2] cannot be changed by an outsider, who learns nothing of it", async () => {
    const room = await newRoom();
    const { cursor } = await said(peer(ann), room, "ours");
    const drafts = (name: string): Draft[] => [
      { type: "edit", room: name, message: cursor, text: "mine" },
      { type: "delete", room: name, message: cursor },
      { type: "react", room: name, message: cursor, reaction: "+1" },
      { type: "unreact", room: name, message: cursor, reaction: "+1" },
      { type: "pin", room: name, message: cursor },
      { type: "unpin", room: name, message: cursor },
      { type: "send", room: name, text: "re", replyTo: cursor },
    ];
    for (const name of [room, "no-such-room"]) {
      for (const draft of drafts(name)) expect(await refused(peer(eve), draft)).toBe("forbidden");
    }
  });

  it("[MS9] that a cursor does not name, or no longer, is noSuchMessage", async () => {
    const room = await newRoom();
    const { cursor, seq } = await said(peer(ann), room, "here");
    const { id } = parseCursor(cursor) ?? { id: "" };
    const [ms = 0, n = 0] = id.split("-").map(Number);
    const other = await newRoom();
    const forged: [string, Cursor][] = [
      [room, formatCursor(2 as Epoch, seq, ms, n)],
      [room, formatCursor(1 as Epoch, (seq + 1) as Seq, ms, n)],
      [room, formatCursor(1 as Epoch, seq, ms, n + 1)],
      [room, formatCursor(1 as Epoch, 0 as Seq, 0, 0)],
      [room, "1.1.zzzzzzzzzz-0" as Cursor],
      // Of the entry that made the room.
      [room, peer(ann).rooms.get(room)?.[0]?.cursor as Cursor],
      [other, cursor],
    ];
    for (const [name, message] of forged) {
      const draft: Draft = { type: "react", room: name, message, reaction: "+1" };
      expect([message, await refused(peer(ann), draft)]).toEqual([message, "noSuchMessage"]);
    }
    const unreadable = { type: "delete", room, message: "no cursor" as Cursor } as const;
    expect(await refused(peer(ann), unreadable)).toBe("invalid");
    const reply = { type: "send", room, text: "re", replyTo: "-" as Cursor } as const;
    expect(await refused(peer(ann), reply)).toBe("invalid");
    for (let i = 0; i < 300; i += 50) {
      const ks = Array.from({ length: 50 }, () =>
        peer(ann).command({ type: "send", room, text: "x" }),
      );
      for (const k of ks) await applied(peer(ann).outcome(k));
    }
    expect(await refused(peer(ann), { type: "delete", room, message: cursor })).toBe(
      "noSuchMessage",
    );
  });

  it("[HI23] a question about it that is wrong is answered with invalid", async () => {
    const room = await newRoom();
    const { seq } = await said(peer(ann), room, "here");
    const base = `/v1/rooms/${room}`;
    for (const path of [
      `${base}/messages/0/thread`,
      `${base}/messages/x/versions`,
      `${base}/messages/${seq}/thread?limit=${LIMITS.pageEntries + 1}`,
      `${base}/messages/${seq}/thread?after=-1`,
      `${base}/messages/${seq}/reactions?after=x`,
      `${base}/messages/${seq}/versions?limit=1`,
      `${base}/pins?limit=1`,
    ]) {
      expect([path, await json("ann", path)]).toMatchObject([path, { error: { code: "invalid" } }]);
    }
    const missing = await json("ann", `${base}/messages/${seq + 5}/thread`);
    expect(missing).toMatchObject({ error: { code: "noSuchMessage" } });
  });
});
