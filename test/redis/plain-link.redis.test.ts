/** A link of our own over a connection of ioredis: order, refusals, and lines that break. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { connectForCommands, pipeline, type Redis } from "../../src/redis/connect.ts";
import { BATCHES_AT_ONCE, PlainLink } from "../../src/redis/plain-link.ts";
import { Script, runScripts } from "../../src/redis/script.ts";
import { appendScript } from "../../src/ingest/ingest.ts";
import { SILENT } from "../projectors/scene.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { TestRedis } from "../support/redis-server.ts";

/** Time-out of a batch, and time to see it. */
const SETTLED_MS = 4_000;
const SILENCE_MS = 3_000;

let server: TestRedis;
let proxy: FaultProxy;
/** Past the proxy, to see what Redis really has. */
let direct: Redis;
let link: PlainLink;
beforeAll(async () => {
  server = await TestRedis.start();
  proxy = await FaultProxy.start(server.socket);
  direct = await connectForCommands({ url: server.url, name: "direct", log: SILENT });
});
beforeEach(async () => {
  const options = { url: proxy.url, name: "plain", log: SILENT };
  link = await PlainLink.over(await connectForCommands(options), SILENT);
});
afterEach(async () => {
  link.disconnect();
  proxy.heal();
  await direct.flushall();
});
afterAll(async () => {
  direct.disconnect();
  await proxy.stop();
  await server.stop();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const text = (reply: unknown): string => String(reply as Buffer);

async function rejectedAfter(promise: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await expect(promise).rejects.toThrow();
  return performance.now() - startedAt;
}

async function untilBack(): Promise<void> {
  while (!link.up) await pause(20);
  expect(text((await pipeline(link, [["PING"]]))[0])).toBe("PONG");
}

describe("plain link", () => {
  it("[OP58] answers batches in their order, with refusals in their places", async () => {
    await direct.set("word", "x");
    const [first, second] = await Promise.all([
      pipeline(link, [
        ["SET", "a", Buffer.from([0xff, 0x00])],
        ["INCR", "word"],
        ["GET", "a"],
      ]),
      pipeline(link, [["GET", "word"]]),
    ]);
    expect(text(first[0])).toBe("OK");
    expect(first[1]).toMatchObject({ name: "ReplyError" });
    expect(first[2]).toEqual(Buffer.from([0xff, 0x00]));
    expect(second.map(text)).toEqual(["x"]);
    expect(await pipeline(link, [])).toEqual([]);
  });

  it("[OP53] sends a script that the server forgot again", async () => {
    await direct.script("FLUSH");
    const call = appendScript.call(["{0}:e", "{0}:l", "{0}:c"], [1, 10, Buffer.from("x")]);
    expect(call.script).toBeInstanceOf(Script);
    expect(await runScripts(link, [call, call])).toEqual([
      { outcome: "appended" },
      { outcome: "appended" },
    ]);
    expect(await direct.xlen("{0}:e")).toBe(2);
  });

  it("[OP58] carries answers far larger than a piece of the socket", async () => {
    const value = Buffer.alloc(3_000_000, "ab");
    await direct.set("large", value);
    const replies = await pipeline(link, [["GET", "large"], ["PING"], ["GET", "large"]]);
    expect(value.equals(replies[0] as Buffer)).toBe(true);
    expect(text(replies[1])).toBe("PONG");
    expect(value.equals(replies[2] as Buffer)).toBe(true);
  });

  it(`[OP54] lets ${BATCHES_AT_ONCE} batches wait and no more`, async () => {
    const sent = Array.from({ length: BATCHES_AT_ONCE }, () => link.send([["PING"]], SILENCE_MS));
    await expect(link.send([["INCR", "counter"]], SILENCE_MS)).rejects.toThrow(/wait for Redis/);
    expect((await Promise.all(sent)).flat().map(text)).toEqual(sent.map(() => "PONG"));
    expect(text((await link.send([["PING"]], SILENCE_MS))[0])).toBe("PONG");
    expect(await direct.get("counter")).toBeNull();
  });

  it("[IN7] that loses a reply rejects all that wait, and nothing runs twice", async () => {
    const add = ["XADD", "log", "*", "b", "x"] as const;
    let fell = 0;
    link.onDown = () => fell++;
    void proxy.dropReply("XADD");
    const after = rejectedAfter(Promise.all([pipeline(link, [add, add]), pipeline(link, [add])]));
    expect(await after).toBeLessThan(SETTLED_MS);
    expect(fell).toBe(1);
    await untilBack();
    await pause(100);
    expect(await direct.xlen("log")).toBeLessThanOrEqual(3);
  });

  it("[IN7] that breaks within a reply reads the next connection from its beginning", async () => {
    proxy.cutAfter("toClient", 5);
    expect(await rejectedAfter(pipeline(link, [["PING"], ["PING"]]))).toBeLessThan(SETTLED_MS);
    proxy.heal();
    await untilBack();
  });

  it("[OP54] that falls silent rejects in time and is replaced", async () => {
    const before = proxy.accepted;
    let rose = 0;
    link.onUp = () => rose++;
    proxy.blackHole("toClient");
    expect(await rejectedAfter(pipeline(link, [["PING"]]))).toBeLessThan(SETTLED_MS);
    proxy.heal();
    await untilBack();
    expect(proxy.accepted).toBeGreaterThan(before);
    expect(rose).toBe(1);
  });

  it("[OP54] that is down rejects at once", async () => {
    proxy.refuse();
    await rejectedAfter(pipeline(link, [["PING"]]));
    expect(link.up).toBe(false);
    expect(link.clientId).toBeNull();
    expect(await rejectedAfter(pipeline(link, [["INCR", "counter"]]))).toBeLessThan(500);
    proxy.heal();
    await untilBack();
    expect(await direct.get("counter")).toBeNull();
  });
});
