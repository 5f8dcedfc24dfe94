/** Who types, from socket to socket over two edges. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { SIGN_EVERY_MS } from "../../src/edge/typing.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { connectForCommands, type Redis } from "../../src/redis/connect.ts";
import { packSigns, unpackSigns } from "../../src/streams/typing.ts";
import { pause } from "../projectors/talkers.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { type Engine, engineOfFile, silent } from "./engine.ts";
import { createRoom, type Peer } from "./peer.ts";
import { present, QUICK, seesTyping, types, typistsOf } from "./watch.ts";

const open = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
let other: RunningEdge;
const listeners: Redis[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.disconnect();
});
beforeAll(async () => {
  engine = await open();
  edge = await engine.edge({ presenceTimes: QUICK });
  other = await engine.edge({ presenceTimes: QUICK });
});

async function three(room: string): Promise<[Peer, Peer, Peer]> {
  const peers = [
    await engine.peer(edge, `ann-${room}`),
    await engine.peer(other, `ben-${room}`, { encoding: "json" }),
    await engine.peer(edge, `cat-${room}`),
  ] as [Peer, Peer, Peer];
  await createRoom(peers[0], room, peers.slice(1));
  for (const peer of peers) await present(peer, room);
  return peers;
}

/** Users who were told to have stopped, from now on; edges of other tests are quiet. */
async function endsPublished(): Promise<string[]> {
  const ends: string[] = [];
  const listener = await connectForCommands({ url: engine.redis.url, name: "ends", log: silent });
  await listener.subscribe(engine.keys.typing());
  listener.on("messageBuffer", (_channel: Buffer, message: Buffer) => {
    for (const { user, on } of unpackSigns(message)) if (!on) ends.push(user);
  });
  listeners.push(listener);
  return ends;
}

describe("typing", () => {
  it("[TY1] is shown to the others who attend, over all edges, and never to oneself", async () => {
    const [ann, ben, cat] = await three("one");
    types(ann, "one");
    await seesTyping(ben, "one", "ann-one");
    await seesTyping(cat, "one", "ann-one");
    types(ben, "one");
    await seesTyping(ann, "one", "ben-one");
    await seesTyping(cat, "one", "ann-one", "ben-one");
    await seesTyping(ben, "one", "ann-one");
    expect(typistsOf(ann, "one")).toEqual(["ben-one"]);
    types(ann, "one", false);
    await seesTyping(cat, "one", "ben-one");
    const late = await engine.peer(edge, "ann-one", { device: "late" });
    await present(late, "one");
    await seesTyping(late, "one", "ben-one");
  });

  it("[TY2] ends with the socket, with the message, and without a further sign", async () => {
    const [ann, ben, cat] = await three("two");
    const ends = await endsPublished();
    types(ann, "two");
    await seesTyping(cat, "two", "ann-two");
    ann.terminate();
    await seesTyping(cat, "two");
    types(ben, "two");
    await seesTyping(cat, "two", "ben-two");
    await ben.say("two", "here it is");
    await seesTyping(cat, "two");
    // Both were said to have stopped: it was not the time that ended it.
    await expect.poll(() => ends, { timeout: PATIENCE_MS }).toEqual(["ann-two", "ben-two"]);
    // A sign of an edge that dies after it: nobody says that it has ended.
    const sign = { room: "two", user: "ghost", on: true } as never;
    await engine.admin.publish(engine.keys.typing(), Buffer.from(packSigns([sign])));
    await seesTyping(cat, "two", "ghost");
    const shownAt = performance.now();
    await seesTyping(cat, "two");
    expect(performance.now() - shownAt).toBeGreaterThan(LIMITS.typingMs - 1_000);
  });

  it("[TY3] is taken from those who attend only", async () => {
    const [ann, ben] = await three("three");
    const guest = await engine.peer(edge, "guest");
    for (const room of ["three", "nowhere"]) {
      const since = guest.frames.length;
      types(guest, room);
      expect((await guest.next("error", () => true, since)).code).toBe("forbidden");
    }
    // What was taken from the guest would be told before this, or with it.
    types(ben, "three");
    await ann.next("typists");
    expect(typistsOf(ann, "three")).toEqual(["ben-three"]);
  });

  it("[TY4] leaves the edge at most once a second for a user and room", async () => {
    const [ann] = await three("four");
    const published = async (): Promise<number> => {
      const text = await edge.metrics.scrape();
      return Number(
        /millrace_edge_typing_total\{[^}]*fate="published"[^}]*\} (\d+)/.exec(text)?.[1],
      );
    };
    const before = await published();
    const startedMs = performance.now();
    for (let i = 0; i < 50; i++) {
      types(ann, "four", i % 2 === 0);
      await pause(10);
    }
    ann.send({ type: "ping" });
    await ann.next("beat");
    // Each second a beginning, and the end of it, if the two do not leave together.
    const seconds = Math.ceil((performance.now() - startedMs) / SIGN_EVERY_MS);
    expect((await published()) - before).toBeLessThanOrEqual(2 * seconds);
  });

  it("[TY5] survives what anybody else publishes", async () => {
    const [ann, ben] = await three("five");
    for (const junk of ["", "hello", "\x91\x01", "x".repeat(100_000)]) {
      await engine.admin.publish(engine.keys.typing(), junk);
    }
    types(ann, "five");
    await seesTyping(ben, "five", "ann-five");
  });
});
