/** What we rely on in the Redis client, over a line that breaks in every way that lines break. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { connectForCommands, pipeline, type Redis } from "../../src/redis/connect.ts";
import type { Position } from "../../src/redis/position.ts";
import { BlockingReader } from "../../src/redis/streams-reader.ts";
import { SILENT } from "../projectors/scene.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { TestRedis } from "../support/redis-server.ts";

/** Time-out of a command, and time to see it. */
const SETTLED_MS = 4_000;

let server: TestRedis;
let proxy: FaultProxy;
/** Past the proxy, to see what Redis really has. */
let direct: Redis;
beforeAll(async () => {
  server = await TestRedis.start();
  proxy = await FaultProxy.start(server.socket);
  direct = await connectForCommands({ url: server.url, name: "direct", log: SILENT });
});
afterEach(async () => {
  proxy.heal();
  await direct.flushall();
});
afterAll(async () => {
  direct.disconnect();
  await proxy.stop();
  await server.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds until the promise rejected; fails when it resolved. */
async function rejectedAfter(promise: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await expect(promise).rejects.toThrow();
  return performance.now() - startedAt;
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (;;) {
    if (await holds().catch(() => false)) return;
    await pause(20);
  }
}

describe("command connection", () => {
  let redis: Redis;
  beforeEach(async () => {
    redis = await connectForCommands({ url: proxy.url, name: "test", log: SILENT });
  });
  afterEach(() => redis.disconnect());

  it("[IN7] whose reply is lost rejects at once and is never sent again", async () => {
    const dropped = proxy.dropReply("XADD");
    const sent = redis.call("XADD", "log", "*", "b", "x");
    expect(await rejectedAfter(sent)).toBeLessThan(SETTLED_MS);
    await dropped;
    await eventually(async () => (await redis.ping()) === "PONG");
    expect(await direct.xlen("log")).toBe(1);
  });

  it("[IN7] whose reply to a pipeline is lost rejects it whole, and nothing runs twice", async () => {
    const add = ["XADD", "log", "*", "b", "x"] as const;
    void proxy.dropReply("XADD");
    expect(await rejectedAfter(pipeline(redis, [add, add, add]))).toBeLessThan(SETTLED_MS);
    await eventually(async () => (await redis.ping()) === "PONG");
    await pause(100);
    expect(await direct.xlen("log")).toBe(3);
  });

  it("[IN7] that breaks within a reply rejects, and nothing runs twice", async () => {
    proxy.cutAfter("toClient", 5);
    const add = ["XADD", "log", "*", "b", "x"] as const;
    expect(await rejectedAfter(pipeline(redis, [add, add]))).toBeLessThan(SETTLED_MS);
    proxy.heal();
    await eventually(async () => (await redis.ping()) === "PONG");
    expect(await direct.xlen("log")).toBe(2);
  });

  it.each(["toServer", "toClient"] as const)(
    "[OP54] that falls silent %s rejects in time and is replaced",
    async (way) => {
      const before = proxy.accepted;
      proxy.blackHole(way);
      const one = rejectedAfter(redis.ping());
      const all = rejectedAfter(pipeline(redis, [["PING"], ["PING"]]));
      for (const tookMs of await Promise.all([one, all])) {
        expect(tookMs).toBeLessThan(SETTLED_MS);
      }
      proxy.heal();
      await eventually(async () => (await redis.ping()) === "PONG");
      expect(proxy.accepted).toBeGreaterThan(before);
    },
  );

  it("[OP54] to a Redis that stopped answering rejects in time", async () => {
    server.pause();
    expect(await rejectedAfter(redis.set("a", "1"))).toBeLessThan(SETTLED_MS);
    server.resume();
    await eventually(async () => (await redis.ping()) === "PONG");
  });

  it("[OP54] that is down rejects at once instead of gathering commands", async () => {
    proxy.refuse();
    await rejectedAfter(redis.ping());
    const tookMs = await rejectedAfter(redis.incr("counter"));
    expect(tookMs).toBeLessThan(500);
    proxy.heal();
    await eventually(async () => (await redis.ping()) === "PONG");
    expect(await direct.get("counter")).toBeNull();
  });

  it("[OP54] tries again in a measured way while Redis is away", async () => {
    proxy.refuse();
    const before = proxy.accepted;
    await pause(2_000);
    const attempts = proxy.accepted - before;
    expect(attempts).toBeGreaterThanOrEqual(1);
    expect(attempts).toBeLessThanOrEqual(12);
  });

  it("[OP54] to a place where nobody listens is an error that names the purpose", async () => {
    const url = "redis://127.0.0.1:1";
    const nowhere = connectForCommands({ url, name: "somewhere", log: SILENT });
    await expect(nowhere).rejects.toThrow(/cannot reach Redis for somewhere/);
  });

  it("shows to operators by its name what it is for", async () => {
    const link = { url: server.url, name: "edge news e-1", log: SILENT };
    const named = await connectForCommands(link);
    expect(await direct.client("LIST")).toContain(" name=edge:news:e-1 ");
    named.disconnect();
  });

  it("[OP50] answers a pipeline with refusals in their places", async () => {
    await direct.set("word", "x");
    const [one, bad, two] = await pipeline(redis, [
      ["SET", "a", Buffer.from([0xff, 0x00])],
      ["INCR", "word"],
      ["GET", "a"],
    ]);
    expect(one).toEqual(Buffer.from("OK"));
    expect(bad).toBeInstanceOf(Error);
    expect(two).toEqual(Buffer.from([0xff, 0x00]));
  });

  it("[OP50] sends bytes as bytes, also those that are no Buffer", async () => {
    const whole = Uint8Array.of(9, 0xff, 0x00, 0x80, 9);
    const [, stored] = await pipeline(redis, [
      ["SET", "a", whole.subarray(1, 4)],
      ["GET", "a"],
    ]);
    expect(stored).toEqual(Buffer.from([0xff, 0x00, 0x80]));
  });
});

describe("blocking reader", () => {
  /** No test is to wait for the end of such a read. */
  const LONG_MS = 20_000;
  const START = new Map([["log", "0-0" as Position]]);
  let reader: BlockingReader;
  beforeEach(async () => {
    reader = await BlockingReader.connect({ url: proxy.url, name: "reader", log: SILENT });
  });
  afterEach(() => reader.close());
  /** Redis has the read, and nothing for it. */
  const untilItWaits = (): Promise<void> =>
    eventually(async () => / name=reader .* flags=\w*b/.test(String(await direct.client("LIST"))));

  it("[TA1] returns what comes while it waits, and nothing when nothing comes", async () => {
    expect((await reader.read(START, 10, 30)).size).toBe(0);
    const reading = reader.read(START, 10, LONG_MS);
    await untilItWaits();
    await direct.xadd("log", "5-1", "b", "x");
    expect((await reading).get("log")?.map(({ id }) => id)).toEqual(["5-1"]);
  });

  it("[TA1] is interrupted through another connection", async () => {
    const reading = reader.read(START, 10, LONG_MS);
    await untilItWaits();
    const startedAt = performance.now();
    await reader.interrupt(direct);
    expect((await reading).size).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(LONG_MS / 2);
    await reader.interrupt(direct); // nothing to interrupt: no harm
    expect((await reader.read(START, 10, 20)).size).toBe(0);
  });

  it("[TA2] replaces a link that falls silent, and reads on from where it was", async () => {
    const before = proxy.accepted;
    proxy.blackHole("toClient");
    const blockMs = 100;
    // Its block, two seconds of patience, a moment for the farewell.
    expect(await rejectedAfter(reader.read(START, 10, blockMs))).toBeLessThan(blockMs + 2_500);
    proxy.heal();
    await direct.xadd("log", "5-1", "b", "x");
    await eventually(async () => (await reader.read(START, 10, 20)).size === 1);
    expect(proxy.accepted).toBeGreaterThan(before);
  });

  it("[TA2] can be interrupted again after its link was replaced", async () => {
    proxy.reset();
    await eventually(async () => (await reader.read(START, 10, 5)).size === 0);
    const reading = reader.read(START, 10, LONG_MS);
    await untilItWaits();
    const startedAt = performance.now();
    await reader.interrupt(direct);
    await reading;
    expect(performance.now() - startedAt).toBeLessThan(LONG_MS / 2);
  });

  it("[TA2] rejects rather than spins while Redis is down", async () => {
    proxy.refuse();
    await rejectedAfter(reader.read(START, 10, 100));
    const before = proxy.accepted;
    const until = performance.now() + 1_500;
    while (performance.now() < until) {
      await reader.read(START, 10, 100).catch(() => pause(1));
    }
    expect(proxy.accepted - before).toBeLessThanOrEqual(10);
    proxy.heal();
    await eventually(async () => (await reader.read(START, 10, 20)).size === 0);
  });
});
