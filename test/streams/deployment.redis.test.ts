import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { startProjector } from "../../src/projectors/worker.ts";
import { openDeployment } from "../../src/streams/deployment.ts";
import { Keys } from "../../src/streams/keys.ts";
import { Scene, SILENT } from "../projectors/scene.ts";

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => scene.stop());

describe("deployment", () => {
  it("[IN2] is created by the first process and joined by the others", async () => {
    const opened = await Promise.all(
      Array.from({ length: 5 }, () => openDeployment(scene.redis, new Keys(16))),
    );
    expect(opened).toEqual(Array.from({ length: 5 }, () => ({ epoch: 1 })));
    expect(await scene.redis.hgetall("chat:cfg")).toEqual({
      layout: "2",
      partitions: "16",
      epoch: "1",
    });
  });

  it("[IN2] refuses another number of partitions", async () => {
    await openDeployment(scene.redis, new Keys(16));
    const other = openDeployment(scene.redis, new Keys(8));
    await expect(other).rejects.toMatchObject({ name: "DeploymentMismatchError" });
    await expect(other).rejects.toThrow(/PARTITIONS=16, not 8/);
  });

  it("[IN2] refuses another layout", async () => {
    await scene.redis.hset("chat:cfg", "layout", "1");
    const opened = openDeployment(scene.redis, new Keys(16));
    await expect(opened).rejects.toThrow(/holds layout 1, .* only layout 2/);
  });

  it("[IN2] keeps its epoch", async () => {
    await scene.redis.hset("chat:cfg", "epoch", "7");
    expect(await openDeployment(scene.redis, new Keys(16))).toEqual({ epoch: 7 });
  });

  it("[OP55] a projector that may not start leaves no connection behind", async () => {
    await openDeployment(scene.redis, new Keys(16));
    const before = Number(
      (await scene.redis.info("clients")).match(/connected_clients:(\d+)/)?.[1],
    );
    const started = startProjector({
      redisUrl: scene.server.url,
      partitions: 8,
      ack: "memory",
      historyPerRoom: 100,
      leaseTtlMs: 1_000,
      leaseRenewMs: 300,
      log: SILENT,
    });
    await expect(started).rejects.toThrow(/PARTITIONS=16/);
    await expect
      .poll(async () => (await scene.redis.info("clients")).match(/connected_clients:(\d+)/)?.[1])
      .toBe(String(before));
  });
});
