import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { lockFolder, socketFolder } from "../../src/cli/private-place.ts";
import { findPrivateRedis, startPrivateRedis } from "../../src/cli/private-redis.ts";
import type { RedisProcess } from "../../src/cli/redis-process.ts";
import { createLog } from "../../src/ops/log.ts";

const log = createLog({ level: "silent", format: "json", name: "test" });
let dir = "";
let started: RedisProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-test-"));
});
afterEach(async () => {
  for (const redis of started) redis.kill("SIGKILL");
  await Promise.all(started.map((redis) => redis.exited));
  started = [];
  await rm(dir, { recursive: true });
});

async function start(dataDir = dir): Promise<RedisProcess> {
  const { signal } = new AbortController();
  const redis = await startPrivateRedis({ dataDir, ack: "disk", log, signal });
  started.push(redis);
  return redis;
}

function ask(url: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(decodeURIComponent(new URL(url).pathname), () =>
      socket.write(`${command}\r\n`),
    );
    socket.once("error", reject);
    socket.once("data", (reply) => {
      socket.destroy();
      resolve(reply.toString());
    });
  });
}

describe("the private Redis", () => {
  it("[OP9] has the engine's settings and no TCP port", async () => {
    const { url } = await start();
    const expected = {
      "maxmemory-policy": "noeviction",
      appendonly: "yes",
      appendfsync: "always",
      port: "0",
    };
    for (const [name, value] of Object.entries(expected)) {
      expect(await ask(url, `CONFIG GET ${name}`)).toContain(`\r\n${value}\r\n`);
    }
    expect((await stat(join(dir, "redis.sock"))).mode & 0o077).toBe(0);
  });

  it("[OP9] is found by other commands while it runs, and keeps its data", async () => {
    const first = await start();
    await ask(first.url, "SET kept yes");
    expect(await findPrivateRedis(dir)).toBe(first.url);
    await first.stop(10_000);
    expect(await findPrivateRedis(dir)).toBeNull();
    const second = await start();
    expect(await ask(second.url, "GET kept")).toContain("yes");
  });

  it("[OP9] takes over from a Redis whose supervisor was killed", async () => {
    const orphan = await start();
    await ask(orphan.url, "SET kept yes");
    const next = await start();
    expect(await orphan.exited).toMatch(/ended/);
    expect(next.pid).not.toBe(orphan.pid);
    expect(await ask(next.url, "GET kept")).toContain("yes");
  });

  it("[OP9] works in a folder whose path is too long for a socket", async () => {
    const deep = join(dir, "d".repeat(60), "e".repeat(60));
    await mkdir(deep, { recursive: true });
    const redis = await start(deep);
    expect(await ask(redis.url, "PING")).toBe("+PONG\r\n");
    expect(await findPrivateRedis(deep)).toBe(redis.url);
    await rm(await socketFolder(deep), { recursive: true });
  });

  it("[OP9] works in a folder with spaces and signs", async () => {
    const odd = join(dir, "a b%20ü#?");
    const redis = await start(odd);
    expect(await ask(redis.url, "PING")).toBe("+PONG\r\n");
  });

  it("[OP10] says why it does not start", async () => {
    await mkdir(join(dir, "redis", "appendonlydir"), { recursive: true });

    await writeFile(join(dir, "redis", "appendonlydir", "appendonly.aof.manifest"), "nonsense\n");
    await expect(start()).rejects.toThrow(/manifest/i);
  });
});

describe("the lock of a folder", () => {
  it("[OP10] lets one in and tells the second what to do", async () => {
    const lock = await lockFolder(dir);
    await expect(lockFolder(dir)).rejects.toThrow(/runs in .* already.*DATA_DIR/);
    await lock.release();
    await (await lockFolder(dir)).release();
  });

  it("[OP10] is free again after its holder died without a word", async () => {
    const path = join(dir, "start.lock");
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    expect(() => execFileSync(process.execPath, ["-e", script], { stdio: "ignore" })).toThrow();
    expect((await stat(path)).isSocket()).toBe(true);
    await (await lockFolder(dir)).release();
  });
});
