/** Pages of history by seq, against a plain list, over conversations as unlike as they come. */
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { RoomReader } from "../../src/edge/room-reader.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { connectForCommands, pipeline, type Redis } from "../../src/redis/connect.ts";
import { ORIGIN, type Position } from "../../src/redis/position.ts";
import { conversationFields, type Payload } from "../../src/streams/conversation.ts";
import { Keys } from "../../src/streams/keys.ts";
import { TestRedis } from "../support/redis-server.ts";
import { silent } from "./engine.ts";

const SEED = 20_261_123;
const CONVERSATIONS = 60;
const PAGES_EACH = 25;
const ANN = "ann" as UserId;
const keys = new Keys(1);

let server: TestRedis;
let redis: Redis;
let reader: RoomReader;

beforeAll(async () => {
  server = await TestRedis.start();
  redis = await connectForCommands({ url: server.url, name: "test", log: silent });
  reader = new RoomReader(redis, keys);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** Gaps in milliseconds between entries: 0 puts many into one, a large one is a silent year. */
const gap = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1_000, max: 40_000_000_000 }) },
);
const conversation = fc.record({
  startMs: fc.integer({ min: 1, max: 1_900_000_000_000 }),
  gaps: fc.array(gap, { minLength: 1, maxLength: 400 }),
  /** Part of the head that was trimmed away. */
  trimmed: fc.double({ min: 0, max: 0.9, noNaN: true }),
  pages: fc.array(
    fc.record({
      kind: fc.constantFrom("before" as const, "after" as const, "newest" as const),
      at: fc.integer({ min: 0, max: 410 }),
      limit: fc.integer({ min: 1, max: 200 }),
    }),
    { minLength: PAGES_EACH, maxLength: PAGES_EACH },
  ),
});
let rooms = 0;

async function write(startMs: number, gaps: readonly number[], trimmed: number): Promise<RoomId> {
  const room = `room-${++rooms}` as RoomId;
  const partition = keys.partitionOf(room);
  const key = keys.conversation(partition, room);
  let ms = startMs;
  let n = 0;
  let prev: Position = ORIGIN;
  const commands = gaps.map((step, i) => {
    n = step === 0 ? n + 1 + (i % 3) * 4_096 : 0;
    ms += step;
    const id = `${ms}-${n}` as Position;
    const seq = (i + 1) as Seq;
    const payload = Uint8Array.of(seq & 0xff) as Payload;
    const fields = conversationFields({ id, prev, seq, payload, leaver: null });
    prev = id;
    return ["XADD", key, id, ...fields];
  });
  const kept = Math.ceil(gaps.length * (1 - trimmed));
  await pipeline(redis, [
    ...commands,
    ["XTRIM", key, "MAXLEN", kept],
    ["HSET", keys.room(partition, room), "kind", "public", "epoch", 1, "seq", gaps.length],
    ["HSET", keys.members(partition, room), ANN, "owner:1"],
  ]);
  return room;
}

describe("a page by seq", () => {
  it("[HI21] is what a plain list would give", { timeout: 120_000 }, async () => {
    const property = fc.asyncProperty(conversation, async ({ startMs, gaps, trimmed, pages }) => {
      const room = await write(startMs, gaps, trimmed);
      const first = gaps.length - Math.ceil(gaps.length * (1 - trimmed)) + 1;
      const kept = gaps.map((_, i) => i + 1).slice(first - 1);
      for (const { kind, at, limit } of pages) {
        const question = kind === "newest" ? {} : { [kind]: kind === "before" ? at + 1 : at };
        const page = await reader.history(ANN, room, { ...question, limit });
        const found = "entries" in page ? page.entries.map(({ seq }) => seq as number) : page;
        const expected =
          kind === "after"
            ? kept.filter((seq) => seq > at).slice(0, limit)
            : kept.filter((seq) => kind === "newest" || seq <= at).slice(-limit);
        expect({ question, limit, found }).toEqual({ question, limit, found: expected });
        expect(page).toMatchObject({ head: gaps.length, firstKept: first, epoch: 1 });
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: CONVERSATIONS });
  });
});
