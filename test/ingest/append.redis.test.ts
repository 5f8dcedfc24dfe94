import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { packCommands, unpackCommands } from "../../src/streams/command-log.ts";
import { appendScript } from "../../src/ingest/ingest.ts";
import { Hand } from "../projectors/commands.ts";
import { Scene } from "../projectors/scene.ts";

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => scene.stop());

const BACKLOG_MAX = 10;
const ann = new Hand("ann");

async function append(commands: number): Promise<string> {
  const { keys, partition, redis } = scene;
  const batch = Array.from({ length: commands }, () => ann.says("hi"));
  const appended = await appendScript.run(
    redis,
    [keys.events(partition), keys.log(partition), keys.checkpoint(partition)],
    [commands, BACKLOG_MAX, packCommands("e", batch) as Buffer],
  );
  return appended.outcome;
}
const entries = (): Promise<number> => scene.redis.xlen(scene.keys.events(scene.partition));

describe("append", () => {
  it("[IN4] writes one entry a batch, which reads back", async () => {
    const [one, two] = [ann.says("one"), ann.says("two")];
    await scene.append(one, two);
    const [entry] = await scene.read("0-0" as never);
    expect(unpackCommands(entry?.fields[1] as Buffer).commands).toEqual([one, two]);
  });

  it("[IN9] is accepted up to the limit of the backlog exactly, and refused one past it", async () => {
    expect(await append(9)).toBe("appended");
    expect(await append(1)).toBe("appended");
    const before = await scene.digest();
    expect(await append(1)).toBe("busy");
    expect(await scene.digest()).toBe(before);
    expect(await entries()).toBe(2);
  });

  it("[IN9] refuses a batch that would pass the limit, though a smaller one still fits", async () => {
    await append(8);
    expect(await append(3)).toBe("busy");
    expect(await append(2)).toBe("appended");
  });

  it("[IN9] is accepted again as far as the projector has come", async () => {
    for (let i = 0; i < BACKLOG_MAX; i++) await append(1);
    const grant = await scene.acquire("w1");
    await scene.apply(grant, await scene.decide(grant, 4));
    expect(await append(5)).toBe("busy");
    expect(await append(4)).toBe("appended");
    expect(await append(1)).toBe("busy");
  });
});
