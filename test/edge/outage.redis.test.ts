/** Redis dies, comes back as it was, comes back with less, or forgets its scripts. */
import { readdir, stat, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";

import { beforeAll, describe, expect, it, vi } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { createLog } from "../../src/ops/log.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { RedisMonitor } from "../support/redis-monitor.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";
import { present, QUICK, sees, seesTyping, types } from "./watch.ts";

const start = engineOfFile();

/** The file that Redis appends to. */
async function appendOnlyFile(engine: Engine): Promise<string> {
  const dir = join(dirname(engine.redis.socket), "appendonlydir");
  const name = (await readdir(dir)).find((file) => file.endsWith(".incr.aof"));
  return join(dir, name as string);
}

/** Connections on which somebody waits in a blocking command: edges, projectors, keepers of lists. */
async function cutWhatWaits({ admin }: Engine): Promise<number> {
  const list = String(await admin.client("LIST"));
  const waiting = [...list.matchAll(/^id=(\d+) .* flags=\w*b\w* /gm)].map(([, id]) => id as string);
  for (const id of waiting) await admin.client("KILL", "ID", id);
  return waiting.length;
}

it("[TA26] links that wait are cut again and again: no loop fails, whose pauses would grow", async () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: "error", format: "json", name: "test", destination });
  const engine = await start({ projector: false });
  await engine.startProjector(log);
  const edge = await engine.edge({ log });
  const [ann, bob] = [await engine.peer(edge, "ann"), await engine.peer(edge, "bob")];
  await createRoom(ann, "room", [bob]);
  await bob.follow("room");
  let cut = 0;
  for (let round = 0; round < 8; round++) {
    cut += await cutWhatWaits(engine);
    await ann.insist({ type: "send", room: "room", text: `${round}` });
    await bob.until("it", () => bob.texts("room").at(-1) === `${round}` || null);
  }
  expect(cut).toBeGreaterThan(8);
  expect(lines).toEqual([]);
});

describe("Redis is killed", () => {
  let engine: Engine;
  let edge: RunningEdge;
  let ann: Peer;
  let bob: Peer;

  beforeAll(async () => {
    engine = await start();
    edge = await engine.edge();
    ann = await engine.peer(edge, "ann");
    bob = await engine.peer(edge, "bob");
    await createRoom(ann, "room", [bob]);
    await bob.follow("room");
  });

  it("[TA29] and comes back as it was: connections stay, nothing is lost or doubled", async () => {
    const sent: string[] = [];
    const silence = new AbortController();
    const talk = (async () => {
      for (let i = 0; !silence.signal.aborted; i++) {
        await ann.insist({ type: "send", room: "room", text: `${i}` });
        sent.push(`${i}`);
      }
    })();
    for (let round = 0; round < 2; round++) {
      await bob.until("some of it", () => bob.texts("room").length > 20 * (round + 1) || null);
      await engine.redis.kill();
      await engine.redis.restart();
    }
    const soFar = sent.length;
    await bob.until("some more", () => bob.texts("room").length > soFar + 20 || null);
    silence.abort();
    await talk;
    await bob.until("the last one", () => bob.texts("room").at(-1) === sent.at(-1) || null);
    expect(bob.texts("room")).toEqual(sent);
    expect([bob.violations, ann.code, bob.code]).toEqual([[], null, null]);
  });

  it("[TA29] senders are told that it is away, and are served again afterwards", async () => {
    await engine.redis.kill();
    const since = ann.frames.length;
    const k = ann.command({ type: "send", room: "room", text: "while it is away" });
    const told = await ann.next("deferred", (frame) => frame.k === k, since);
    expect(told).toMatchObject({ code: "unavailable" });
    await engine.redis.restart();
    await ann.insist({ type: "send", room: "room", text: "while it is away" }, k);
    await bob.until("it", () => bob.texts("room").at(-1) === "while it is away" || null);
  });

  it("[RS8] and comes back with less than it had: who is ahead is told to start over", async () => {
    await engine.admin.ping().catch(() => undefined);
    const size = (await stat(await appendOnlyFile(engine))).size;
    const before = bob.seqs("room").at(-1) as number;
    for (let i = 0; i < 5; i++) await ann.insist({ type: "send", room: "room", text: `lost ${i}` });
    await bob.hasSeq("room", before + 5);
    const ahead = bob.rooms.get("room")?.at(-1) as Entry;
    const since = bob.frames.length;

    await engine.redis.kill();
    await truncate(await appendOnlyFile(engine), size);
    await engine.redis.restart();

    const broken = await bob.next("unsubscribed", (frame) => frame.room === "room", since);
    expect(broken.code).toBe("unavailable");
    const page = await bob.resume("room", ahead.cursor);
    expect(page).toMatchObject({ status: "reset", head: before });
    expect(page.entries.at(-1)?.seq).toBe(before);
    await ann.insist({ type: "send", room: "room", text: "anew" });
    await bob.hasSeq("room", before + 1);
    // The seq is taken again, by another entry: the old cursor still does not stand.
    for (let i = 0; i < 6; i++) await ann.insist({ type: "send", room: "room", text: `${i}` });
    expect((await bob.resume("room", ahead.cursor)).status).toBe("reset");
  });
});

describe("what edges tell of people", () => {
  it.each([0, 2 * QUICK.leaseMs])(
    "[TA29] goes on after Redis was killed and away for %i ms, shorter or longer than a lease",
    async (awayMs) => {
      const engine = await start();
      const near = await engine.edge({ presenceTimes: QUICK });
      const far = await engine.edge({ presenceTimes: QUICK });
      const [ann, ben] = [await engine.peer(near, "ann"), await engine.peer(far, "ben")];
      const room = "people" as RoomId;
      await createRoom(ann, room, [ben]);
      for (const peer of [ann, ben]) await present(peer, room);
      await engine.redis.kill();
      await new Promise((resolve) => setTimeout(resolve, awayMs));
      await engine.redis.restart();

      const { seq } = await applied(ann.insist({ type: "send", room, text: "back?" }));
      for (const peer of [ann, ben]) await sees(peer, room, "ann", "ben");
      types(ann, room);
      await seesTyping(ben, room, "ann");
      await ben.hasSeq(room, seq);
      const through = ben.rooms.get(room)?.at(-1)?.cursor as Cursor;
      const since = ann.frames.length;
      ben.send({ type: "read", room, through });
      await ben.next("unread", (frame) => frame.through === seq && frame.unread === 0);
      await ann.next("receipts", ({ marks }) => marks.some((mark) => mark.through === seq), since);
      await createRoom(ben, "news", [], "private");
      await applied(ben.insist({ type: "invite", room: "news", user: "ann" }));
      await ann.next("roomsChanged", ({ rooms }) => rooms.includes("news" as RoomId), since);
      ben.terminate();
      await sees(ann, room, "ann");
    },
  );
});

describe("Redis forgets its scripts", () => {
  it("[TA30] while commands, resumes and pages go on", async () => {
    const engine = await start();
    const edge = await engine.edge();
    const ann = await engine.peer(edge, "ann");
    const bob = await engine.peer(edge, "bob");
    await createRoom(ann, "room", [bob]);
    await bob.follow("room");
    const silence = new AbortController();
    const forgetting = (async () => {
      while (!silence.signal.aborted) {
        await engine.admin.script("FLUSH");
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    for (let i = 0; i < 40; i++) {
      const [outcome, page, http] = await Promise.all([
        ann.say("room", `${i}`),
        ann.resume("room", null, 3),
        engine.http(edge, "bob", "/v1/rooms/room/messages?limit=3"),
      ]);
      expect([outcome.type, page.status, http.status]).toEqual(["applied", "snapshot", 200]);
    }
    silence.abort();
    await forgetting;
    await bob.hasSeq("room", 42);
    expect(bob.violations).toEqual([]);
  });

  it("[AU30] a role is read after the page that it admits to, also then", async () => {
    const engine = await start();
    const edge = await engine.edge();
    const ann = await engine.peer(edge, "ann");
    await createRoom(ann, "room");
    await engine.http(edge, "ann", "/v1/rooms/room/messages");
    await ann.resume("room");
    const seen: string[] = [];
    const monitor = await RedisMonitor.start(engine.redis.socket, (args, source) => {
      // What a script runs is reported as well.
      if (source === "lua") return;
      const [name] = args;
      if (name === "HGET" && args.at(-1) === "ann") seen.push("role");
      if (name === "EVAL" || name === "EVALSHA") seen.push("page");
      if (name === "echo") seen.push(args.join(" "));
    });
    for (let i = 0; i < 10; i++) {
      if (i % 2 === 1) await engine.admin.script("FLUSH");
      await Promise.all([
        ann.resume("room", null, 2),
        engine.http(edge, "ann", "/v1/rooms/room/messages?limit=3"),
        ann.resume("room", null, 4),
      ]);
      const end = `echo end-${i}`;
      await engine.admin.echo(`end-${i}`);
      await vi.waitFor(() => expect(seen).toContain(end), PATIENCE_MS);
      expect(seen.slice(-2)).toEqual(["role", end]);
    }
    monitor.stop();
  });
});
