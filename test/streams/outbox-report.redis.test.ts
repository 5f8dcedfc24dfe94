import { afterAll, beforeAll, expect, it } from "vitest";

import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { Keys } from "../../src/streams/keys.ts";
import { reportOutboxes } from "../../src/streams/outbox-report.ts";
import { outboxFields } from "../../src/streams/outbox.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import { Scene } from "../projectors/scene.ts";

const WAITED_MS = 90_000;

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterAll(async () => scene.stop());

it("[OB1] tells how many changes wait for the users' lists, and how long the oldest has", async () => {
  const keys = new Keys(4);
  const [user, room, seq] = ["ann" as UserId, "r" as RoomId, 1 as Seq];
  const fields = outboxFields({ user, room, seq, role: "owner" });
  const [seconds] = (await scene.redis.time()) as [number, number];
  const key = keys.outbox(2 as PartitionId);
  await scene.redis.xadd(key, `${seconds * 1_000 - WAITED_MS}-0`, ...fields);
  await scene.redis.xadd(key, "*", ...fields);

  const reports = await reportOutboxes(scene.redis, keys);
  expect(reports.map(({ changes }) => changes)).toEqual([0, 0, 2, 0]);
  const [, , late, idle] = reports;
  expect(late?.lagMs).toBeGreaterThanOrEqual(WAITED_MS);
  expect(idle?.lagMs).toBe(0);
});
