import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { Log } from "../../src/ops/log.ts";
import { connectForCommands } from "../../src/redis/connect.ts";
import { checkRedis, UnfitRedisError } from "../../src/redis/requirements.ts";
import { Scene, SILENT } from "../projectors/scene.ts";
import { TestRedis } from "../support/redis-server.ts";

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => set({ appendfsync: "everysec", "stream-node-max-bytes": "1024" }));
afterAll(async () => scene.stop());

async function set(settings: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    await scene.redis.config("SET", name, value);
  }
}

function recording(lines: string[]): Log {
  return pino({ level: "warn", formatters: {} }, { write: (line: string) => lines.push(line) });
}

describe("the Redis it is given", () => {
  it("[OP55] fits with the settings that the tests, and start, give it", async () => {
    await expect(checkRedis(scene.redis, "memory", SILENT)).resolves.toBeUndefined();
  });

  it("[OP55] is refused with every setting that does not fit, and why", async () => {
    const settings = { "maxmemory-policy": "allkeys-lru", appendfsync: "no" };
    const server = await TestRedis.start({ appendonly: false, settings });
    const redis = await connectForCommands({ url: server.url, name: "unfit", log: SILENT });
    try {
      const refused = await checkRedis(redis, "memory", SILENT).catch((error: Error) => error);
      expect(refused).toBeInstanceOf(UnfitRedisError);
      const { message } = refused as Error;
      expect(message).toMatch(/maxmemory-policy is allkeys-lru, needed is noeviction: .*deletes/);
      expect(message).toMatch(/appendonly is no, needed is yes/);
      expect(message).toMatch(/appendfsync is no, needed is always or everysec/);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });

  it("[OP55] has to flush before it answers for the level disk", async () => {
    await expect(checkRedis(scene.redis, "disk", SILENT)).rejects.toThrow(
      /appendfsync is everysec/,
    );
    await set({ appendfsync: "always" });
    await expect(checkRedis(scene.redis, "disk", SILENT)).resolves.toBeUndefined();
    await expect(checkRedis(scene.redis, "memory", SILENT)).resolves.toBeUndefined();
  });

  it("[OP55] that only wastes memory is told so and taken", async () => {
    await set({ "stream-node-max-bytes": "4096" });
    const lines: string[] = [];
    await checkRedis(scene.redis, "memory", recording(lines));
    expect(lines.join()).toMatch(/stream-node-max-bytes is 4096/);
  });

  it("[OP55] that hides its settings is taken with a warning for each", async () => {
    await scene.redis.acl("SETUSER", "guest", "on", "nopass", "~*", "+@all", "-config");
    const guest = scene.redis.duplicate({ username: "guest", password: "any" });
    const lines: string[] = [];
    try {
      await guest.connect();
      await checkRedis(guest, "memory", recording(lines));
    } finally {
      guest.disconnect();
    }
    expect(lines).toHaveLength(4);
  });
});
