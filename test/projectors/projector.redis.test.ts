/** Whole projectors over a log, in this process. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { createLog } from "../../src/ops/log.ts";
import { startProjector, type RunningProjector } from "../../src/projectors/worker.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { CORE_GROUP } from "../../src/streams/keys.ts";
import { Hand } from "./commands.ts";
import { Deployment, LEASE } from "./deployment.ts";
import { pause } from "./talkers.ts";

const PARTITIONS = 4;
/** Rooms in two different partitions. */
const [HERE, THERE] = ["general", "dm.0123456789abcdef"] as const;

const AS_OPERATOR = ["GROUP", CORE_GROUP, "operator"] as const;

let deployment: Deployment;
const running: RunningProjector[] = [];
beforeAll(async () => (deployment = await Deployment.start(PARTITIONS)));
afterEach(async () => {
  await Promise.all(running.splice(0).map((projector) => projector.stop()));
  await deployment.clear();
});
afterAll(async () => deployment.stop());

async function start(
  lease: { leaseTtlMs: number; leaseRenewMs: number } = LEASE,
): Promise<RunningProjector> {
  const projector = await startProjector({ ...deployment.options, ...lease });
  running.push(projector);
  return projector;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}

describe("projector", () => {
  it("[PR1] folds what is there and what comes", async () => {
    const ann = new Hand("ann");
    await deployment.write(ann.creates(HERE), ann.says("one", HERE));
    await start();
    await deployment.write(ann.says("two", HERE));
    await deployment.write(ann.creates(THERE), ann.says("elsewhere", THERE));
    await deployment.folded();
    expect(await deployment.texts(HERE)).toEqual(["one", "two"]);
    expect(await deployment.texts(THERE)).toEqual(["elsewhere"]);
    expect(await deployment.verify()).toEqual([]);
  });

  it("[TA26] [PR1] goes on without pauses that grow while its links are cut again and again", async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const log = createLog({ level: "error", format: "json", name: "test", destination });
    const ann = new Hand("ann");
    await deployment.write(ann.creates(HERE));
    const projector = await startProjector({ ...deployment.options, log });
    running.push(projector);
    await deployment.folded();
    for (const link of ["projector", "projector:read"]) {
      const name = ` name=${link}:${projector.worker} `;
      for (let round = 0; round < 8; round++) {
        let cut: string | undefined;
        await until(async () => {
          const links = String(await deployment.redis.client("LIST")).split("\n");
          cut = links.find((line) => line.includes(name));
          return cut !== undefined;
        });
        await deployment.redis.client("KILL", "ID", /^id=(\d+) /.exec(cut ?? "")?.[1] ?? "");
        await deployment.write(ann.says(`over ${link} ${round}`, HERE));
        await deployment.folded();
      }
    }
    expect(await deployment.texts(HERE)).toHaveLength(16);
    expect(lines).toEqual([]);
  });

  it("[PR4] goes on while an operator plays with its group", async () => {
    const ann = new Hand("ann");
    const partition = deployment.partitionOf(HERE);
    const events = deployment.keys.events(partition);
    await deployment.write(ann.creates(HERE));
    await start();
    const plays: (() => Promise<unknown>)[] = [
      () => deployment.redis.xgroup("SETID", events, CORE_GROUP, "0"),
      () => deployment.redis.xgroup("SETID", events, CORE_GROUP, "$"),
      () => deployment.redis.xgroup("DESTROY", events, CORE_GROUP),
      () => deployment.redis.xreadgroup(...AS_OPERATOR, "COUNT", 5, "STREAMS", events, ">"),
    ];
    for (let i = 0; i < 60; i++) {
      await deployment.write(ann.says(`line ${i}`, HERE));
      // The group may be gone just now, from an earlier play.
      await plays[i % plays.length]?.().catch(() => null);
      if (i % 7 === 0) await pause(5);
    }
    // A play after the last command shows, and is repaired, with the next one.
    await deployment.folded();
    await deployment.write(ann.says("last", HERE));
    await deployment.folded();
    expect(await deployment.texts(HERE)).toHaveLength(61);
    expect(await deployment.verify()).toEqual([]);
  });

  it("[PR6] stands still, loudly, where its log was cut, and works on everywhere else", async () => {
    const ann = new Hand("ann");
    const events = deployment.keys.events(deployment.partitionOf(HERE));
    await deployment.write(ann.creates(HERE), ann.creates(THERE));
    for (let i = 0; i < 5; i++) await deployment.write(ann.says(`line ${i}`, HERE));
    await deployment.redis.xtrim(events, "MAXLEN", 2);
    const projector = await start();
    await until(async () => deployment.lines.some((line) => line.includes('"level":"fatal"')));

    await deployment.write(ann.creates(THERE));
    await until(async () => deployment.atTail(deployment.partitionOf(THERE)));
    await deployment.write(ann.says("unheard", HERE));
    await pause(2 * LEASE.leaseTtlMs); // were renewals starved, the lease would be gone
    expect(await deployment.texts(HERE)).toEqual([]);
    expect(await deployment.owners()).not.toContain(null);
    const loud = deployment.lines.filter((line) => line.includes('"level":"fatal"'));
    expect(loud).toHaveLength(1);
    expect(loud[0]).toMatch(/entries were trimmed away/);
    running.length = 0;
    await projector.stop();
    // Given back too: whoever takes it next is as loud about it.
    expect(await deployment.owners()).toEqual(Array(PARTITIONS).fill(null));
  });

  it("[PR7] puts an entry aside that cannot be read, whatever it holds, and goes on", async () => {
    const ann = new Hand("ann");
    const partition = deployment.partitionOf(HERE);
    await deployment.write(ann.creates(HERE), ann.says("before", HERE));
    await deployment.writeRaw(partition, Buffer.from("no commands"));
    await deployment.redis.xadd(deployment.keys.events(partition), "*", "other", "field");
    await deployment.redis.xadd(deployment.keys.events(partition), "*", "b", "");
    await deployment.write(ann.says("after", HERE));
    await start();
    await deployment.folded();
    expect(await deployment.texts(HERE)).toEqual(["before", "after"]);
    const letters = await deployment.deadLetters(partition);
    expect(letters).toHaveLength(3);
    expect(letters[0]?.["content"]).toBe(Buffer.from("no commands").toString("base64"));
    expect(letters[0]?.["reason"]).not.toBe("");
    expect(deployment.lines.some((line) => line.includes("dead letters"))).toBe(true);
  });

  it("[HI3] keeps the newest entries of a room and drops old ones, a hundred at a time", async () => {
    const ann = new Hand("ann");
    const options = { ...deployment.options, historyPerRoom: 100 };
    running.push(await startProjector(options));
    await deployment.write(ann.creates(HERE));
    for (let batch = 0; batch < 20; batch++) {
      const lines = Array.from({ length: 50 }, (_, i) => ann.says(`${batch * 50 + i}`, HERE));
      await deployment.write(...lines);
    }
    await deployment.folded();
    const texts = await deployment.texts(HERE);
    expect(texts).toHaveLength(100 + 1); // 1,001 entries: one since the last full hundred
    expect(texts).toEqual(
      Array.from({ length: texts.length }, (_, i) => `${1_000 - texts.length + i}`),
    );
    const room = deployment.keys.room(deployment.partitionOf(HERE), HERE as RoomId);
    expect(await deployment.redis.hget(room, "seq")).toBe("1001");
  });
});

describe("projectors together", () => {
  it("[LE4] hand over at once when one stops", async () => {
    const lease = { leaseTtlMs: 20_000, leaseRenewMs: 200 };
    const first = await start(lease);
    const second = await start(lease);
    running.splice(running.indexOf(first), 1);
    await first.stop();
    const stoppedAt = performance.now();
    await until(async () => (await deployment.owners()).every((owner) => owner === second.worker));
    // Sooner than a lease would take to run out.
    expect(performance.now() - stoppedAt).toBeLessThan(lease.leaseTtlMs / 2);
  });

  it("[LE7] share the partitions, and share again when one comes or goes", async () => {
    const shares = async (): Promise<number[]> => {
      const counts = new Map<string, number>();
      for (const owner of await deployment.owners()) {
        if (owner !== null) counts.set(owner, (counts.get(owner) ?? 0) + 1);
      }
      return [...counts.values()];
    };
    await start();
    await until(async () => String(await shares()) === "4");
    await start();
    await until(async () => String(await shares()) === "2,2");
    const [leaver] = running.splice(0, 1);
    await leaver?.stop();
    await until(async () => String(await shares()) === "4");
  });

  it("[PR1] lose nothing while partitions move between them under load", async () => {
    const ann = new Hand("ann");
    await start();
    await deployment.write(ann.creates(HERE));
    await deployment.write(ann.creates(THERE));
    let lines = 0;
    const talk = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await deployment.write(ann.says(`${++lines}`, HERE));
        await deployment.write(ann.says(`${lines}`, THERE));
        await pause(2);
      }
    };
    for (let round = 0; round < 3; round++) {
      await Promise.all([talk(), start()]);
      const [leaver] = running.splice(0, 1);
      await Promise.all([talk(), leaver?.stop()]);
    }
    await deployment.folded();
    const expected = Array.from({ length: lines }, (_, i) => String(i + 1));
    expect(await deployment.texts(HERE)).toEqual(expected);
    expect(await deployment.texts(THERE)).toEqual(expected);
    expect(await deployment.verify()).toEqual([]);
  });
});
