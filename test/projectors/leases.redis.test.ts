import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import {
  beatScript,
  releaseScript,
  renewScript,
  type Fence,
  type Grant,
} from "../../src/projectors/runtime/scripts.ts";
import { CORE_GROUP } from "../../src/streams/keys.ts";
import { Hand } from "./commands.ts";
import { Scene } from "./scene.ts";

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => scene.stop());

const lease = (): string => scene.keys.lease(scene.partition);
const checkpoint = (): string => scene.keys.checkpoint(scene.partition);
const renew = (fence: Fence, ttlMs = 60_000): Promise<boolean> =>
  renewScript.run(scene.redis, [lease(), checkpoint()], [fence, ttlMs]);
const release = (fence: Fence): Promise<boolean> =>
  releaseScript.run(scene.redis, [lease(), checkpoint()], [fence]);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function granted(owner: string, ttlMs?: number, graceMs?: number): Promise<Grant> {
  const acquired = await scene.tryAcquire(owner, ttlMs, graceMs);
  if (acquired.outcome !== "granted") throw new Error("taken");
  return acquired;
}

describe("lease", () => {
  it("[LE1] is held by one worker until it ends, and every grant has a fence of its own", async () => {
    const one = await granted("w1", 500);
    const taken = await scene.tryAcquire("w2");
    expect(taken.outcome).toBe("taken");
    const leftMs = taken.outcome === "taken" ? taken.leftMs : 0;
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(500);
    await pause(leftMs + 5);
    const other = await granted("w2");
    expect([one.fence, other.fence]).toEqual(["1:w1", "2:w2"]);
  });

  it("[LE1] is given again to its own holder, with a new fence", async () => {
    await granted("w1");
    expect((await granted("w1")).fence).toBe("2:w1");
  });

  it("[LE3] is renewed with its fence alone", async () => {
    const { fence } = await granted("w1", 50);
    expect(await renew(fence, 60_000)).toBe(true);
    expect(await scene.tryAcquire("w2")).toMatchObject({ outcome: "taken" });
    const next = await scene.acquire("w2");
    expect(await renew(fence)).toBe(false);
    expect(await renew(next.fence)).toBe(true);
  });

  it("[LE3] that ran out while nobody wanted it can still be renewed", async () => {
    const { fence } = await granted("w1", 1);
    await pause(10);
    expect(await renew(fence)).toBe(true);
  });

  it("[LE4] given back is free at once, and neither renewed nor given back a second time", async () => {
    const { fence } = await granted("w1");
    expect(await release(fence)).toBe(true);
    expect(await renew(fence)).toBe(false);
    expect(await release(fence)).toBe(false);
    expect((await granted("w2")).fence).toBe("2:w2");
    expect(await release(fence)).toBe(false);
    expect(await scene.tryAcquire("w1")).toMatchObject({ outcome: "taken" });
  });

  it("[LE5] that ended is left to the preferred worker for the grace time", async () => {
    const { fence } = await granted("w1");
    await release(fence);
    expect(await scene.tryAcquire("other", 60_000, 5_000)).toMatchObject({ outcome: "taken" });
    expect(await granted("preferred", 60_000, 0)).toMatchObject({ fence: "2:preferred" });
  });

  it("[LE5] that ended is anybody's after the grace time", async () => {
    await release((await granted("w1")).fence);
    await pause(30);
    expect(await granted("other", 60_000, 20)).toMatchObject({ fence: "2:other" });
  });

  it("[LE6] is not made eternal by a clock that was set back", async () => {
    await granted("w1", 60_000);
    await scene.redis.hincrby(lease(), "expires", 24 * 3_600_000);
    const taken = await scene.tryAcquire("w2", 60_000);
    expect(taken.outcome === "taken" && taken.leftMs).toBeLessThanOrEqual(60_000);
  });
});

describe("acquiring", () => {
  it("[PR1] begins at the checkpoint", async () => {
    const ann = new Hand("ann");
    await scene.append(ann.creates(), ann.says("one"));
    const first = await scene.acquire("w1");
    expect(first).toMatchObject({ checkpoint: "0-0", commands: 0, entries: 0 });
    const batch = await scene.decide(first);
    await scene.apply(first, batch);
    const second = await scene.acquire("w2");
    expect(second).toMatchObject({ checkpoint: batch.to, commands: 2, entries: 1 });
  });

  it("[PR4] leaves no consumer of a dead worker and nothing pending in the group", async () => {
    const ann = new Hand("ann");
    await scene.append(ann.creates());
    const events = scene.keys.events(scene.partition);
    for (const worker of ["w1", "w2", "w3"]) {
      const grant = await scene.acquire(worker);
      await scene.apply(grant, await scene.decide(grant), worker);
      await scene.append(ann.says("more"));
      await scene.redis.xreadgroup("GROUP", CORE_GROUP, "operator", "STREAMS", events, ">");
    }
    await scene.acquire("w4");
    expect(await scene.redis.xinfo("CONSUMERS", events, CORE_GROUP)).toEqual([]);
    const group = await scene.group();
    expect(group.get("pending")).toBe("0");
    expect(group.get("entries-read")).toBe("3");
    expect(group.get("lag")).toBe("1");
  });

  it("[PR8] counts the tries at one checkpoint, and starts anew when it moves", async () => {
    const ann = new Hand("ann");
    await scene.append(ann.creates());
    const tries = [];
    for (const worker of ["w1", "w2", "w3"]) tries.push((await scene.acquire(worker)).tries);
    expect(tries).toEqual([1, 2, 3]);
    const grant = await scene.acquire("w4");
    await scene.apply(grant, await scene.decide(grant));
    expect((await scene.acquire("w5")).tries).toBe(1);
  });

  it("[PR8] starts anew as well when the lease was given back in good order", async () => {
    await granted("w1");
    const grant = await scene.acquire("w2");
    expect(grant.tries).toBe(2);
    await release(grant.fence);
    expect((await scene.acquire("w3")).tries).toBe(1);
  });

  const note = (place: string): Promise<number> => scene.redis.hset(lease(), "suspect", place);
  const strikes = async (worker: string): Promise<[string, number]> => {
    const grant = await scene.acquire(worker);
    return [grant.struck, grant.strikes];
  };

  it("[PR8] counts deaths at one noted command", async () => {
    expect(await strikes("w1")).toEqual(["", 0]);
    await note("5-0/3");
    expect(await strikes("w2")).toEqual(["5-0/3", 1]);
    await note("5-0/3");
    expect(await strikes("w3")).toEqual(["5-0/3", 2]);
    await note("5-0/4");
    expect(await strikes("w4")).toEqual(["5-0/4", 1]);
  });

  it("[PR8] counts no death of a worker that had noted nothing, nor one that is alive", async () => {
    await scene.acquire("w1");
    await note("5-0/3");
    expect(await strikes("w2")).toEqual(["5-0/3", 1]);
    expect(await strikes("w3")).toEqual(["5-0/3", 1]);
    await note("5-0/3");
    expect(await strikes("w3")).toEqual(["5-0/3", 1]);
  });
});

describe("signs of life", () => {
  it("[LE7] list all that live, in one order, and forget the others", async () => {
    const beat = (worker: string, ttlMs: number): Promise<readonly string[]> =>
      beatScript.run(scene.redis, [scene.keys.workers()], [worker, ttlMs]);
    await beat("w2", 60_000);
    await beat("w3", 1);
    await pause(10);
    const seen = await beat("w1", 60_000);
    expect([...seen].sort()).toEqual(["w1", "w2"]);
    expect(await beat("w2", 60_000)).toHaveLength(2);
  });
});
