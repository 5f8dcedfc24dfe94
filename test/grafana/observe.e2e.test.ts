/** A real Prometheus over a real engine: every panel has data, and alerts fire for what happened. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { DASHBOARDS, panelsOf } from "../../grafana/generate/all.ts";
import { findPrivateRedis } from "../../src/cli/private-redis.ts";
import { createLog } from "../../src/ops/log.ts";
import { connectForCommands } from "../../src/redis/connect.ts";
import { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import { remoteWrite } from "../support/remote-write.ts";
import { metricsIn } from "./metric-names.ts";
import { ObservedEngine } from "./observed-engine.ts";

/** What `$__rate_interval` stands for with a scrape a second. */
const WINDOW = "10s";
const PATIENCE = { timeout: 60_000, interval: 500 } as const;

let engine: ObservedEngine;
const started: ObservedEngine[] = [];
beforeAll(async () => {
  engine = await ObservedEngine.start();
  started.push(engine);
});
afterAll(async () => {
  for (const each of started) await each.stop();
});

function expressionsOf(dashboard: (typeof DASHBOARDS)[number]): string[] {
  const queries = panelsOf(dashboard).flatMap(({ queries }) => queries);
  return queries.map(({ expr }) => expr.replaceAll("$__rate_interval", WINDOW));
}

async function withoutData(expressions: readonly string[]): Promise<string[]> {
  const found = await Promise.all(expressions.map((expr) => engine.query(expr)));
  return expressions.filter((_, i) => found[i]?.length === 0);
}

describe("every query of every panel returns data", () => {
  it.each(DASHBOARDS.filter(({ name }) => name !== "k6").map((each) => [each.name, each] as const))(
    "[OB11] on the dashboard %s, from an engine under load",
    async (_, dashboard) => {
      await expect.poll(() => withoutData(expressionsOf(dashboard)), PATIENCE).toEqual([]);
    },
  );

  it("[OB11] on the dashboard k6, from samples as k6 writes them", async () => {
    const k6 = DASHBOARDS.find(({ name }) => name === "k6");
    const expressions = k6 ? expressionsOf(k6) : [];
    const names = [...new Set(expressions.flatMap(metricsIn))];
    let value = 0;
    await expect
      .poll(async () => {
        value++;
        await remoteWrite(
          engine.prometheus.address,
          names.map((name) => ({ labels: { __name__: name, what: "test" }, value })),
        );
        return withoutData(expressions);
      }, PATIENCE)
      .toEqual([]);
  });

  it("[OB11] and the figures are those of the load", async () => {
    const hold = [
      "sum (rate(millrace_edge_deliveries_total[10s])) > 0",
      "max (millrace_partition_lag_seconds) < 5",
      'count (up{job="millrace"} == 1) == 3',
    ];
    await expect.poll(() => withoutData(hold), PATIENCE).toEqual([]);
  });
});

describe("alerts", () => {
  it("[OB12] none fires while all is well", async () => {
    // How fast it is says more about this machine than about the engine.
    const wrong = async (): Promise<readonly string[]> =>
      (await engine.firing()).filter((alert) => !/Slow|Busy|Lag/.test(alert));
    await expect.poll(wrong, PATIENCE).toEqual([]);
  });

  it("[OB12] one fires for a projector that stands still, and ends when it goes on", async () => {
    const pid = engine.pidOf("projector");
    process.kill(pid, "SIGSTOP");
    try {
      await expect.poll(() => engine.firing(), PATIENCE).toContain("MillraceRoleDown projector");
      await expect.poll(() => engine.firing(), PATIENCE).toContain("MillracePartitionUnowned");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await expect.poll(() => engine.firing(), PATIENCE).not.toContain("MillraceRoleDown projector");
    await expect.poll(() => engine.firing(), PATIENCE).not.toContain("MillracePartitionUnowned");
  });

  it("[OB12] one fires for an edge that was killed, though it came back", async () => {
    process.kill(engine.pidOf("edge-1"), "SIGKILL");
    await expect.poll(() => engine.firing(), PATIENCE).toContain("MillraceRoleRestarted edge-1");
    const back = 'up{instance="edge-1"} == 1';
    await expect.poll(() => withoutData([back]), PATIENCE).toEqual([]);
  });

  it("[OB12] one fires for a dead letter", async () => {
    const url = (await findPrivateRedis(engine.dataDir)) as string;
    const log = createLog({ level: "silent", format: "json", name: "test" });
    const redis = await connectForCommands({ url, name: "test", log });
    await redis.xadd(new Keys(16).events(3 as PartitionId), "*", "b", "no batch of commands");
    redis.disconnect();
    await expect.poll(() => engine.firing(), PATIENCE).toContain("MillraceDeadLetters");
  });
});
