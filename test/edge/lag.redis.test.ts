/** Readers that are too slow, on both transports: nothing lost, nothing doubled, nobody else slowed. */
import { beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { LAGGING_BYTES } from "../../src/edge/subscriptions.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";

const start = engineOfFile();
const TEXT = "x".repeat(LIMITS.textBytes);
const ROOMS = 3;
/** What kernels hold for a socket comes on top of what counts as lagging; they hold some megabytes. */
const MESSAGES_EACH = Math.ceil((8 * 1024 * 1024 + 4 * LAGGING_BYTES) / TEXT.length / ROOMS);

describe.each([
  ["uws", "binary"],
  ["ws", "json"],
] as const)("on %s with %s", (transport, encoding) => {
  let engine: Engine;
  let edge: RunningEdge;
  let ann: Peer;
  let bob: Peer;
  let slow: Peer;
  const rooms = Array.from({ length: ROOMS }, (_, i) => `lag-${i}`);

  beforeAll(async () => {
    engine = await start();
    edge = await engine.edge({ transport });
    ann = await engine.peer(edge, "ann");
    bob = await engine.peer(edge, "bob", { encoding });
    slow = await engine.peer(edge, "slow", { encoding });
    for (const room of rooms) await createRoom(ann, room, [bob, slow]);
  });

  /** Fills every room; no more is under way than one connection may have. */
  async function flood(count: number): Promise<void> {
    for (let at = 0; at < count; at += 8) {
      const numbers = rooms.flatMap((room) =>
        Array.from({ length: Math.min(8, count - at) }, () =>
          ann.command({ type: "send", room, text: TEXT }),
        ),
      );
      for (const k of numbers) await applied(ann.outcome(k));
    }
  }
  async function heads(): Promise<number[]> {
    const heads: number[] = [];
    for (const room of rooms) heads.push((await ann.resume(room, null, 1)).head);
    return heads;
  }
  function whole(peer: Peer): boolean {
    return rooms.every((room) => {
      const seqs = peer.seqs(room);
      return seqs.every((seq, i) => i === 0 || seq === (seqs[i - 1] ?? 0) + 1);
    });
  }

  it("[BP1] one that stops reading loses nothing, doubles nothing and delays nobody", async () => {
    for (const room of rooms) {
      await bob.follow(room);
      await slow.follow(room);
    }
    slow.pause();
    await flood(MESSAGES_EACH);
    const ends = await heads();
    // Who reads has everything while the other has not read a byte of it.
    for (const [i, room] of rooms.entries()) await bob.hasSeq(room, ends[i] as number);
    expect(slow.seqs(rooms[0] as string).length).toBeLessThan(MESSAGES_EACH);

    // Outcomes are told to the lagging one too, and a room may be given up meanwhile.
    const asked = slow.command({ type: "send", room: rooms[0] as string, text: "mine" });
    slow.send({ type: "unsubscribe", rooms: [rooms[2] as RoomId] });
    slow.ws.resume();
    // As a frame, which shows that it lagged: who follows is shown the entry instead.
    await slow.next("applied", (frame) => frame.k === asked);
    for (const room of rooms.slice(0, 2)) {
      const { head } = await ann.resume(room, null, 1);
      await slow.hasSeq(room, head);
    }
    await ann.say(rooms[1] as string, "live again");
    await slow.until(
      "the live one",
      () => slow.texts(rooms[1] as string).includes("live again") || null,
    );
    expect([slow.violations, bob.violations, whole(slow), whole(bob)]).toEqual([
      [],
      [],
      true,
      true,
    ]);
    expect(slow.frames.filter(({ type }) => type === "unsubscribed")).toEqual([]);
    await slow.follow(rooms[2] as string);
  });

  it("[BP4] pages wait for the reader: what it asks for does not pile up", async () => {
    const many = await engine.peer(edge, "slow", { encoding, device: "other" });
    many.pause();
    // Each answer is a whole page, over and over, from the start of every room.
    const rounds = 100;
    for (let round = 0; round < rounds; round++) {
      for (const room of rooms) {
        const request = { room: room as RoomId, cursor: "1.0.0-0" as Cursor, limit: 200 };
        many.send({ type: "resume", rooms: [request] });
      }
      await ann.say(rooms[0] as string, "meanwhile");
    }
    many.ws.resume();
    const answers = (room: string): number =>
      many.frames.filter((f) => f.type === "resumed" && f.room === room).length;
    await many.until("an answer for every room", () => rooms.every((r) => answers(r) > 0) || null);
    many.send({ type: "resume", rooms: [{ room: "none" as RoomId, cursor: null, limit: 1 }] });
    await many.next("resumed", (frame) => frame.room === "none");
    // What was asked again before it was read was answered once; the rest fits into the buffers.
    const total = rooms.reduce((sum, room) => sum + answers(room), 0);
    expect(total).toBeLessThan((rounds * ROOMS) / 2);
    many.terminate();
  });

  it("[BP1] one whose membership ends meanwhile is told so when it reads again", async () => {
    const room = rooms[1] as string;
    const gone = await engine.peer(edge, "gone", { encoding });
    const phone = await engine.peer(edge, "gone", { device: "phone" });
    for (const each of rooms) {
      await applied(gone.run({ type: "join", room: each }));
      await gone.follow(each);
    }
    gone.pause();
    await flood(MESSAGES_EACH);
    await applied(phone.run({ type: "leave", room }));
    await ann.say(room, "not for those who left");
    gone.ws.resume();
    const ended = await gone.next("unsubscribed", (frame) => frame.room === room);
    expect(ended.code).toBe("forbidden");
    expect(gone.texts(room)).not.toContain("not for those who left");
    expect(gone.violations).toEqual([]);
  });
});

describe("a peer that asks and does not read", () => {
  it.each(["uws", "ws"] as const)("[BP5] is closed with 4001 on %s", async (transport) => {
    const engine = await start({ projector: false });
    const edge = await engine.edge({ transport });
    const canary = await engine.peer(edge, "canary");
    const greedy = await engine.peer(edge, "greedy", { encoding: "json" });
    greedy.pause();
    // Each frame is answered at once with as many bytes.
    const rooms = Array.from({ length: 100 }, (_, i) => `${"r".repeat(70)}${i}` as RoomId);
    const requests = rooms.map((room) => ({ room, cursor: "x" as Cursor, limit: 1 }));
    for (let sent = 0; greedy.ws.readyState === greedy.ws.OPEN && sent < 3_000; sent++) {
      greedy.send({ type: "resume", rooms: requests });
      if (sent % 20 === 0) {
        const answered = canary.frames.length;
        canary.send({ type: "ping" });
        await canary.next("beat", () => true, answered);
      }
    }
    greedy.ws.resume();
    expect((await greedy.closed).code).toBe(4001);
    expect(canary.code).toBeNull();
  });
});
