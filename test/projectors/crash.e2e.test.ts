/** Projectors as processes, and what becomes of their partitions when they are killed. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { ProjectorChild } from "./child.ts";
import { Hand } from "./commands.ts";
import { Compiled } from "./compiled.ts";
import { Deployment, LEASE } from "./deployment.ts";
import { pause } from "./talkers.ts";

const ROOM = "general";
const KILLER = "killer";

let deployment: Deployment;
let compiled: Compiled;
const children: ProjectorChild[] = [];
beforeAll(async () => {
  deployment = await Deployment.start(8);
  compiled = await Compiled.fromSources();
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop()));
  await deployment.clear();
});
afterAll(async () => {
  compiled.remove();
  await deployment.stop();
});

async function start(from = compiled): Promise<ProjectorChild> {
  const child = await ProjectorChild.start(from, deployment.bareOptions);
  children.push(child);
  return child;
}

describe("a projector that is killed", () => {
  it("[LE8] is succeeded in all its partitions by the end of its lease and a second", async () => {
    const [victim, ...others] = await Promise.all([start(), start(), start()]);
    const survivors = others.map(({ worker }) => worker);
    const owned = async (by: readonly string[]): Promise<boolean> =>
      (await deployment.owners()).every((owner) => owner !== null && by.includes(owner));
    const shares = async (): Promise<number> => new Set(await deployment.owners()).size;
    while (!(await owned([victim.worker, ...survivors])) || (await shares()) < 3) await pause(10);

    victim.kill();
    const killedAt = performance.now();
    while (!(await owned(survivors))) await pause(5);
    const tookMs = performance.now() - killedAt;
    // Another second for a machine that is busy with other tests.
    expect(tookMs).toBeLessThan(LEASE.leaseTtlMs + 2_000);
  });

  it("[PR1] again and again, at any point of its work, loses and doubles nothing", async () => {
    const ann = new Hand("ann");
    let lines = 0;
    await deployment.write(ann.creates(ROOM));
    for (let round = 0; round < 6; round++) {
      const child = await start();
      for (let i = 0; i < 60; i++) await deployment.write(ann.says(`${++lines}`, ROOM));
      await pause(round * 4);
      child.kill();
      await child.exited;
    }
    await start();
    await deployment.folded();
    expect(await deployment.texts(ROOM)).toEqual(
      Array.from({ length: lines }, (_, i) => `${i + 1}`),
    );
    expect(await deployment.verify()).toEqual([]);
  });

  it("[LE2] or only suspended past its lease, wakes up fenced and joins in again", async () => {
    const [sleeper] = await Promise.all([start(), start()]);
    const ann = new Hand("ann");
    const rooms = ["a", "b", "c", "d", "e", "f"];
    for (const room of rooms) await deployment.write(ann.creates(room));
    for (let round = 0; round < 3; round++) {
      sleeper.suspend(2 * LEASE.leaseTtlMs);
      for (let i = 0; i < 50; i++) {
        for (const room of rooms) await deployment.write(ann.says(`${round} ${i}`, room));
        await pause(20);
      }
      await deployment.folded();
    }
    expect(await deployment.verify()).toEqual([]);
    const owns = async (): Promise<boolean> => (await deployment.owners()).includes(sleeper.worker);
    while (!(await owns())) await pause(20);
  });

  it("[PR8] by a command is so no more than five times, and by none of its neighbours", async () => {
    const mutant = compiled.mutant(
      "domain/decide.js",
      "return decideSend(room, command, by, subject);",
      `if (command.text === "${KILLER}") process.exit(66);
       return decideSend(room, command, by, subject);`,
    );
    const ann = new Hand("ann");
    await deployment.write(ann.creates(ROOM));
    for (let i = 0; i < 30; i++) await deployment.write(ann.says(`${i}`, ROOM));
    await deployment.write(ann.says("before", ROOM), ann.says(KILLER, ROOM), ann.says("30", ROOM));
    for (let i = 31; i < 60; i++) await deployment.write(ann.says(`${i}`, ROOM));

    const partition = deployment.partitionOf(ROOM);
    let deaths = 0;
    while (!(await deployment.atTail(partition))) {
      const child = await start(mutant).catch(() => null);
      const code = child === null ? 66 : await Promise.race([child.exited, folded(partition)]);
      if (code === 66) deaths++;
    }
    mutant.remove();
    expect(deaths).toBeGreaterThan(0);
    expect(deaths).toBeLessThanOrEqual(5);
    const letters = await deployment.deadLetters(partition);
    expect(letters.map(({ position, reason }) => [position?.split("/")[1], reason])).toEqual([
      ["1", "killed its worker again and again"],
    ]);
    expect(letters[0]?.["content"]).toContain(KILLER);
    const numbers = Array.from({ length: 60 }, (_, i) => `${i}`);
    expect(await deployment.texts(ROOM)).toEqual([
      ...numbers.slice(0, 30),
      "before",
      ...numbers.slice(30),
    ]);
  });

  async function folded(partition: Parameters<Deployment["atTail"]>[0]): Promise<null> {
    while (!(await deployment.atTail(partition))) await pause(10);
    return null;
  }
});
