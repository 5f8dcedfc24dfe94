/** What an edge and a projector tell of a conversation whose every step is known. */
import { beforeAll, describe, expect, it } from "vitest";

import type { MetricRole } from "../../src/ops/metric-row.ts";
import { METRICS } from "../../src/ops/metric-table.ts";
import type { Metrics } from "../../src/ops/metrics.ts";
import type { RunningEdge } from "../../src/edge/edge.ts";
import { startProjector, type RunningProjector } from "../../src/projectors/worker.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { engineOfFile, silent, type Engine } from "./engine.ts";

const start = engineOfFile();
const PATIENCE = { timeout: PATIENCE_MS };
let engine: Engine;
let edge: RunningEdge;
beforeAll(async () => {
  engine = await start({ projector: false });
  edge = await engine.edge();
});

/** `name{labels}` to value. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.scrape()).split("\n").filter((line) => /^\w/.test(line));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

/** Metrics of a role of which a scrape shows nothing. */
function missing(role: MetricRole, found: ReadonlyMap<string, number>): string[] {
  const shown = new Set([...found.keys()].map((key) => key.split("{")[0]));
  return Object.entries(METRICS)
    .filter(([, { roles }]) => (roles as readonly string[]).includes(role))
    .map(([name, { type }]) => (type === "histogram" ? `${name}_count` : name))
    .filter((name) => !shown.has(name) && !/^(process|nodejs|millrace_event_loop)_/.test(name));
}

function startWorker(): Promise<RunningProjector> {
  return startProjector({
    redisUrl: engine.redis.url,
    partitions: engine.keys.partitions,
    ack: "memory",
    historyPerRoom: 1_000,
    leaseTtlMs: 6_000,
    leaseRenewMs: 2_000,
    log: silent,
  });
}

describe("metrics", () => {
  it("[OB1, OB10] of an edge and a projector are all there and tell what happened", async () => {
    const ann = await engine.peer(edge, "ann");
    const bob = await engine.peer(edge, "bob", { encoding: "json" });
    for (const k of [1, 2])
      ann.command({ type: "create", room: "r", kind: "public", name: "R" }, k);
    ann.command({ type: "send", room: "r", text: "the number of the second create" }, 2);
    await expect
      .poll(async () => (await samples(edge.metrics)).get("millrace_edge_accepted_total"), PATIENCE)
      .toBe(3);

    const waiting = await samples(edge.metrics);
    const partition = `partition="${engine.keys.partitionOf("r" as never)}"`;
    const lag = `{group="core",${partition}}`;
    expect(waiting.get(`millrace_partition_lag_commands${lag}`)).toBe(3);
    expect(waiting.get(`millrace_partition_lag_seconds${lag}`)).toBeGreaterThan(0);
    expect(waiting.get(`millrace_partition_dead_letters{${partition}}`)).toBe(0);

    const projector = await startWorker();
    await ann.until("three outcomes", () => {
      const told = ann.frames.filter(({ type }) => type === "applied" || type === "rejected");
      return told.length >= 3 || null;
    });
    await bob.run({ type: "send", room: "r", text: "may I?" });
    await bob.run({ type: "join", room: "r" });
    await bob.follow("r");
    await ann.follow("r");
    await ann.say("r", "both hear this");
    await bob.until("it", () => bob.texts("r").includes("both hear this") || null);
    await engine.http(edge, "ann", "/v1/rooms");

    const decided = await samples(projector.metrics);
    expect(missing("projector", decided)).toEqual([]);
    const outcomes = (outcome: string, code = ""): number | undefined =>
      decided.get(`millrace_projector_decided_total{outcome="${outcome}",code="${code}"}`);
    expect(outcomes("duplicate")).toBe(1);
    expect(outcomes("rejected", "roomExists")).toBe(1);
    expect(outcomes("rejected", "notAllowed") ?? NaN).toBe(0);
    expect(outcomes("rejected", "forbidden")).toBe(1);
    expect(outcomes("applied")).toBe(3);
    expect(decided.get('millrace_projector_partitions{state="owned"}')).toBe(
      engine.keys.partitions,
    );
    expect(decided.get("millrace_projector_leases_taken_total")).toBe(engine.keys.partitions);
    expect(decided.get("millrace_projector_batch_commands_sum")).toBe(6);

    const edgeNow = await samples(edge.metrics);
    expect(missing("edge", edgeNow)).toEqual([]);
    expect(edgeNow.get("millrace_edge_connections")).toBe(2);
    expect(edgeNow.get("millrace_edge_accepted_total")).toBe(6);
    expect(edgeNow.get("millrace_edge_deliveries_total")).toBe(2);
    expect(edgeNow.get('millrace_edge_resumes_total{status="snapshot"}')).toBe(2);
    expect(edgeNow.get('millrace_edge_http_requests_total{status="200"}')).toBe(1);
    expect(edgeNow.get(`millrace_partition_lag_commands${lag}`)).toBe(0);
    expect(edgeNow.get("millrace_edge_delivery_seconds_count")).toBe(1);
    expect(edgeNow.get("millrace_store_up")).toBe(1);
    expect(edgeNow.get('millrace_redis_connected{link="hot"}')).toBe(1);
    expect(edgeNow.get('millrace_redis_sent_bytes_total{link="hot"}')).toBeGreaterThan(500);
    await projector.stop();
  });

  it("[OB10] tell what was read, what happened and whose list changed", async () => {
    const projector = await startWorker();
    const cat = await engine.peer(edge, "cat");
    await cat.run({ type: "join", room: "r" });
    await cat.follow("r");
    // Own messages are read as they are, so it takes somebody else's.
    const dan = await engine.peer(edge, "dan");
    await dan.run({ type: "join", room: "r" });
    await dan.say("r", "read this");
    await cat.until("it", () => cat.texts("r").includes("read this") || null);
    const heard = cat.rooms.get("r" as never)?.at(-1);
    cat.send({ type: "read", room: "r" as never, through: heard?.cursor as never });
    await cat.next("unread");

    const lists = 'millrace_projector_list_changes_total{outcome="changed"}';
    await expect.poll(async () => (await samples(projector.metrics)).get(lists), PATIENCE).toBe(2);
    const found = await samples(projector.metrics);
    const happened = (type: string): number | undefined =>
      found.get(`millrace_projector_entries_total{type="${type}"}`);
    expect(["message.sent", "member.joined", "message.edited"].map(happened)).toEqual([1, 2, 0]);
    const told = await samples(edge.metrics);
    expect(told.get('millrace_edge_readings_total{fate="taken"}')).toBe(1);
    expect(told.get("millrace_edge_reading_facts_total")).toBe(1);
    const partition = engine.keys.partitionOf("r" as never);
    expect(told.get(`millrace_outbox_changes{partition="${partition}"}`)).toBe(0);
    for (const peer of [cat, dan]) peer.terminate();
    await expect
      .poll(async () => (await samples(edge.metrics)).get("millrace_edge_connections"), PATIENCE)
      .toBe(2);
    await projector.stop();
  });

  it("[OB6] are there without Redis, less what only Redis knows", async () => {
    engine.redis.pause();
    const found = await samples(edge.metrics);
    engine.redis.resume();
    expect(found.get("millrace_store_up")).toBe(0);
    expect(found.get("millrace_edge_connections")).toBe(2);
    const names = [...found.keys()];
    expect(names.filter((name) => /partition_|store_memory/.test(name))).toEqual([]);
    await expect
      .poll(async () => (await samples(edge.metrics)).get("millrace_store_up"), PATIENCE)
      .toBe(1);
    const links = await samples(edge.metrics);
    expect(links.get('millrace_redis_reconnects_total{link="reads"}')).toBeGreaterThan(0);
  });
});
