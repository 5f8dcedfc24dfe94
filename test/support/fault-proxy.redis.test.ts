/** The instruments that other tests rely on are tested against a real Redis as well. */
import { connect, type Socket } from "node:net";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { FaultProxy } from "./fault-proxy.ts";
import { TestRedis } from "./redis-server.ts";

let redis: TestRedis;
let proxy: FaultProxy;
const sockets: Socket[] = [];

beforeAll(async () => {
  redis = await TestRedis.start();
  proxy = await FaultProxy.start(redis.socket);
});
afterEach(() => {
  proxy.heal();
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(async () => {
  await proxy.stop();
  await redis.stop();
});

interface Line {
  say(text: string): void;
  readonly heard: () => string;
  readonly closed: Promise<string>;
}

async function line(): Promise<Line> {
  const socket = connect(proxy.port, "127.0.0.1");
  sockets.push(socket);
  let heard = "";
  let reason = "closed";
  socket.on("data", (chunk) => (heard += chunk.toString()));
  socket.on("error", (error: NodeJS.ErrnoException) => (reason = error.code ?? "error"));
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(reason)));
  await Promise.race([closed, new Promise((resolve) => socket.once("connect", resolve))]);
  return { say: (text) => void socket.write(text), heard: () => heard, closed };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(2);
}

describe("fault proxy", () => {
  it("passes bytes both ways and counts connections", async () => {
    const before = proxy.accepted;
    const a = await line();
    a.say("PING\r\n");
    await until(() => a.heard() === "+PONG\r\n");
    expect(proxy.accepted - before).toBe(1);
    expect(proxy.open).toBe(1);
  });

  it.each(["toServer", "toClient"] as const)(
    "holds back %s and delivers after healing",
    async (way) => {
      const a = await line();
      proxy.blackHole(way);
      a.say("PING\r\n");
      await pause(50);
      expect(a.heard()).toBe("");
      proxy.heal();
      await until(() => a.heard() === "+PONG\r\n");
    },
  );

  it("delays in order", async () => {
    const a = await line();
    proxy.delay("toClient", 60);
    const startedAt = performance.now();
    for (const word of ["a", "b", "c"]) a.say(`ECHO ${word}\r\n`);
    await until(() => a.heard().includes("c"));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
    expect(a.heard().replaceAll(/[^abc]/g, "")).toBe("abc");
  });

  it("loses the reply but not the request", async () => {
    const a = await line();
    const dropped = proxy.dropReply("INCR");
    a.say("INCR counter\r\n");
    await dropped;
    expect(await a.closed).toBe("ECONNRESET");
    expect(a.heard()).toBe("");
    const b = await line();
    b.say("GET counter\r\n");
    await until(() => b.heard().includes("1"));
  });

  it("cuts after exactly n bytes", async () => {
    const a = await line();
    proxy.cutAfter("toClient", 3);
    a.say("PING\r\n");
    await a.closed;
    expect(a.heard()).toBe("+PO");
  });

  it("resets and refuses", async () => {
    const a = await line();
    proxy.refuse();
    expect(await a.closed).toBe("ECONNRESET");
    const b = await line();
    expect(await b.closed).toBe("ECONNRESET");
    expect(proxy.open).toBe(0);
  });
});

describe("redis-server of a test", () => {
  it("keeps its data and address over kill -9", async () => {
    const a = await line();
    a.say("SET kept yes\r\n");
    await until(() => a.heard() === "+OK\r\n");
    await redis.kill();
    await redis.restart();
    const b = await line();
    b.say("GET kept\r\n");
    await until(() => b.heard().includes("yes"));
  });

  it("has the settings of the engine", async () => {
    const a = await line();
    a.say(
      "CONFIG GET maxmemory-policy\r\nCONFIG GET stream-node-max-bytes\r\nCONFIG GET appendonly\r\n",
    );
    await until(() => a.heard().endsWith("yes\r\n"));
    expect(a.heard()).toContain("noeviction");
    expect(a.heard()).toContain("1024");
  });
});
