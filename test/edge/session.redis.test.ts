/** What one connection may count on: outcomes, the order of what was put off, its end. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { ACCEPTED_GRACE_MS } from "../../src/edge/session-hub.ts";
import { createLog } from "../../src/ops/log.ts";
import type { RoomId, Seq } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { Position } from "../../src/redis/position.ts";
import { packBellHeader } from "../../src/streams/bell.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";

const start = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
let ann: Peer;
let proxy: FaultProxy;

beforeAll(async () => {
  engine = await start();
  proxy = await FaultProxy.start(engine.redis.socket);
  edge = await engine.edge();
  ann = await engine.peer(edge, "ann");
});
afterAll(() => proxy.stop());

function deferrals(peer: Peer): number[] {
  return peer.frames.flatMap((frame) => (frame.type === "deferred" ? [frame.k] : []));
}

describe("outcomes", () => {
  it("[SE4] every command in a followed room gets one, also one that changes nothing", async () => {
    await createRoom(ann, "nothing");
    await ann.follow("nothing");
    const renamed = await applied(ann.run({ type: "rename", room: "nothing", name: "other" }));
    expect(renamed.seq).toBe(2);
    const same = await applied(ann.run({ type: "rename", room: "nothing", name: "other" }));
    expect(same).toMatchObject({ seq: 2, again: false });
    const member = await applied(ann.run({ type: "join", room: "nothing" }));
    expect(member).toMatchObject({ seq: 1, again: false });
  });

  it("[SE4] of a message that is shown as an entry is the entry, of any other it is a frame", async () => {
    await createRoom(ann, "shown");
    const unseen = await applied(ann.say("shown", "not followed"));
    expect(unseen).toMatchObject({ room: "shown", seq: 2, again: false });
    await ann.follow("shown");
    const since = ann.frames.length;
    const k = ann.command({ type: "send", room: "shown", text: "followed" });
    await ann.hasSeq("shown", 3);
    ann.command({ type: "send", room: "shown", text: "another text" }, k);
    const copy = await ann.next("applied", (frame) => frame.k === k && frame.again, since);
    expect(copy.seq).toBe(3);
    expect(ann.texts("shown")).toEqual(["not followed", "followed"]);
  });

  it("[SE4] of a message that a short first page has passed over is a frame", async () => {
    const own = await start();
    const calm = await own.edge();
    const cat = await own.peer(calm, "cat");
    await createRoom(cat, "long");
    for (const text of ["one", "two", "three"]) await cat.say("long", text);
    await cat.follow("long", null, 1);
    expect(cat.seqs("long")).toEqual([4]);
    await own.stopProjector();
    const k = cat.command({ type: "send", room: "long", text: "in the log" });
    await cat.next("accepted", (frame) => frame.k === k);
    // An outcome that is late, as under load: the entry was read with others, before the page's.
    const room = "long" as RoomId;
    const partition = own.keys.partitionOf(room);
    const at = (await own.admin.hget(own.keys.checkpoint(partition), "id")) as Position;
    const result = { status: "applied", seq: 2 as Seq } as const;
    const outcomes = Array.from({ length: 20 }, (_, session) => {
      return { edge: calm.incarnation, session, k, room, result, again: false };
    });
    const header = packBellHeader({ from: at, to: at, outcomes, entries: [], rooms: [] });
    await own.admin.xadd(own.keys.bell(partition), "*", "h", Buffer.from(header));
    expect(await cat.next("applied", (frame) => frame.k === k)).toMatchObject({ seq: 2 });
  });

  it("[SE10] `accepted` is told only if the outcome takes its time", async () => {
    const slow = await start({ projector: false });
    const calm = await slow.edge();
    const bob = await slow.peer(calm, "bob");
    const k = bob.command({ type: "create", room: "slow", kind: "public", name: "slow" });
    await bob.next("accepted", (frame) => frame.k === k);
    await slow.startProjector();
    await applied(bob.outcome(k));
    // Whatever load makes slow may be confirmed; what was quick, even as seen from here, may not.
    for (let quick = 0; quick < 5;) {
      const [askedMs, since] = [performance.now(), bob.frames.length];
      await bob.say("slow", "quick");
      if (performance.now() - askedMs >= ACCEPTED_GRACE_MS) continue;
      quick++;
      expect(bob.frames.slice(since).map(({ type }) => type)).not.toContain("accepted");
    }
  });
});

describe("order", () => {
  it("[IN20] what follows a command that was put off waits until it has come again", async () => {
    const full = await start({ projector: false });
    const small = await full.edge({ backlogMax: 5 });
    const bob = await full.peer(small, "bob");
    bob.command({ type: "create", room: "fifo", kind: "public", name: "fifo" });
    await bob.next("accepted");
    const sent = [2, 3, 4, 5, 6].map((k) =>
      bob.command({ type: "send", room: "fifo", text: `${k}` }, k),
    );
    await bob.until("all put off", () => deferrals(bob).length === sent.length || null);
    expect(deferrals(bob)).toEqual(sent);
    await full.startProjector();
    await bob.next("applied", (frame) => frame.k === 1);
    // Later ones do not overtake the first, in whatever order they come.
    const since = bob.frames.length;
    bob.command({ type: "send", room: "fifo", text: "6" }, 6);
    bob.command({ type: "send", room: "fifo", text: "4" }, 4);
    for (const k of [6, 4]) await bob.next("deferred", (frame) => frame.k === k, since);
    for (const k of sent) bob.command({ type: "send", room: "fifo", text: `${k}` }, k);
    const done = (): number => bob.frames.filter(({ type }) => type === "applied").length;
    await bob.until("all of them", () => done() === sent.length + 1 || null);
    await bob.follow("fifo");
    expect(bob.texts("fifo")).toEqual(["2", "3", "4", "5", "6"]);
  });

  it("[IN21] an outcome frees what waits for a command that was put off", async () => {
    const behind = await engine.edge({ redisUrl: proxy.url });
    const bob = await engine.peer(behind, "bob");
    await createRoom(bob, "freed");
    await bob.follow("freed");
    // The append arrives, its answer does not: the edge cannot know and says so after a while.
    proxy.blackHole("toClient");
    const k = bob.command({ type: "send", room: "freed", text: "in the log" });
    await bob.next("deferred", (frame) => frame.k === k);
    proxy.heal();
    await bob.until("its entry", () => bob.texts("freed").length === 1 || null);
    await bob.insist({ type: "send", room: "freed", text: "and on" });
    await bob.hasSeq("freed", 3);
    expect(bob.texts("freed")).toEqual(["in the log", "and on"]);
  });

  it("[BP3] a connection has at most so many commands without an outcome", async () => {
    const slow = await start({ projector: false });
    const calm = await slow.edge();
    const bob = await slow.peer(calm, "bob");
    const sent = Array.from({ length: LIMITS.commandsInFlight + 3 }, () =>
      bob.command({ type: "send", room: "none", text: "" }),
    );
    await bob.next("deferred", (frame) => frame.k === sent.at(-1));
    const put = bob.frames.flatMap((f) => (f.type === "deferred" ? [[f.k, f.code]] : []));
    const first = LIMITS.commandsInFlight + 1;
    expect(put).toEqual([
      [first, "tooManyCommands"],
      [first + 1, "busy"],
      [first + 2, "busy"],
    ]);
    await slow.startProjector();
    for (const k of sent.slice(0, -3)) expect((await bob.outcome(k)).type).toBe("rejected");
    const since = bob.frames.length;
    for (const k of sent.slice(-3)) bob.command({ type: "send", room: "none", text: "" }, k);
    for (const k of sent.slice(-3)) await bob.next("rejected", (frame) => frame.k === k, since);
  });
});

describe("ends", () => {
  it("[SE11] draining refuses newcomers and asks everybody to come back elsewhere", async () => {
    const leaving = await engine.edge();
    const peers = await Promise.all(
      ["a", "b", "c"].map((user) => engine.peer(leaving, user, { device: user })),
    );
    const greeting = await engine.open(leaving);
    const stopped = leaving.stop();
    const ends = await Promise.all([...peers, greeting].map(({ closed }) => closed));
    expect(ends.map(({ code }) => code)).toEqual([4000, 4000, 4000, 4000]);
    await expect(engine.open(leaving)).rejects.toThrow();
    await stopped;
  });

  it("[OP31] an edge that cannot have its port leaves nothing running", async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const log = createLog({ level: "warn", format: "json", name: "test", destination });
    const port = Number(new URL(edge.address).port);
    await expect(engine.edge({ port, log })).rejects.toThrow("cannot listen");
    const after = lines.length;
    // A loop that went on would complain of its closed link again and again.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(lines.slice(after)).toEqual([]);
  });

  it("[SE12] the beat names heads that moved, and answers a ping at once", async () => {
    const beatMs = 200;
    const quick = await engine.edge({ beatMs });
    const bob = await engine.peer(quick, "bob");
    await createRoom(bob, "beats");
    await bob.follow("beats");
    await bob.say("beats", "one");
    const beat = await bob.next("beat", ({ heads }) => heads.some(({ seq }) => seq === 2));
    expect(beat.heads).toEqual([{ room: "beats", seq: 2 }]);
    await bob.next("beat", ({ heads }) => heads.length === 0, bob.frames.indexOf(beat));
    // On an edge whose own beat is a minute away.
    await applied(ann.run({ type: "join", room: "beats" }));
    await ann.follow("beats");
    await bob.say("beats", "two");
    await ann.hasSeq("beats", 4);
    const asked = ann.frames.length;
    ann.send({ type: "ping" });
    const answer = await ann.next("beat", () => true, asked);
    expect(answer.heads).toContainEqual({ room: "beats", seq: 4 });
  });
});
