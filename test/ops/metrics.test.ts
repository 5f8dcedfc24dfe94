import { connect } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { BATCH_SIZES, countsOf, Distribution } from "../../src/ops/distribution.ts";
import { createLog } from "../../src/ops/log.ts";
import { METRICS, type MetricName } from "../../src/ops/metric-table.ts";
import { serveMetrics, type MetricsServer } from "../../src/ops/metrics-server.ts";
import { Metrics, publishCounts } from "../../src/ops/metrics.ts";
import { ProcessTally } from "../../src/ops/process-tally.ts";

let failures: unknown[] = [];
let metrics: Metrics;
beforeEach(() => {
  failures = [];
  metrics = new Metrics("edge", (error) => failures.push(error));
});

/** The sample lines of one metric. */
async function lines(name: MetricName): Promise<string[]> {
  const text = await metrics.scrape();
  return text
    .split("\n")
    .filter((line) => new RegExp(`^${name}(_bucket|_sum|_count)?[ {]`).test(line));
}

describe("Distribution", () => {
  it("[OB2] counts a value in the first bucket that it does not exceed", () => {
    const sizes = new Distribution([1, 10]);
    for (const value of [0, 1, 1.5, 10, 11, 1e9]) sizes.note(value);
    expect(sizes.counts).toEqual([2, 2, 2]);
    expect(sizes.sum).toBe(1e9 + 23.5);
  });

  it("starts every name of a closed set at 0", () => {
    expect(countsOf(["a", "b"])).toEqual({ a: 0, b: 0 });
  });
});

describe("a scrape", () => {
  it("[OB1] has the metrics of the role and no others", async () => {
    const text = await metrics.scrape();
    for (const [name, { roles, type }] of Object.entries(METRICS)) {
      expect(text.includes(`# TYPE ${name} ${type}\n`), name).toBe(
        (roles as readonly string[]).includes("edge"),
      );
    }
  });

  it("[OB2] publishes what its sources hold at that moment", async () => {
    let connections = 3;
    const resumes = countsOf(["ok", "gap"]);
    metrics.add((to) => to.set("millrace_edge_connections", connections));
    metrics.add((to) => publishCounts(to, "millrace_edge_resumes_total", "status", resumes));
    resumes.gap++;
    expect(await lines("millrace_edge_connections")).toEqual(["millrace_edge_connections 3"]);
    connections = 1;
    resumes.ok = 7;
    expect(await lines("millrace_edge_connections")).toEqual(["millrace_edge_connections 1"]);
    expect(await lines("millrace_edge_resumes_total")).toEqual([
      'millrace_edge_resumes_total{status="ok"} 7',
      'millrace_edge_resumes_total{status="gap"} 1',
    ]);
  });

  it("[OB2] writes distributions as cumulative histograms", async () => {
    const times = new Distribution([0.1, 1]);
    for (const value of [0.05, 0.5, 0.5, 3]) times.note(value);
    metrics.add((to) =>
      to.distribution("millrace_redis_round_trip_seconds", times, { link: "hot" }),
    );
    expect(await lines("millrace_redis_round_trip_seconds")).toEqual([
      'millrace_redis_round_trip_seconds_bucket{link="hot",le="0.1"} 1',
      'millrace_redis_round_trip_seconds_bucket{link="hot",le="1"} 3',
      'millrace_redis_round_trip_seconds_bucket{link="hot",le="+Inf"} 4',
      'millrace_redis_round_trip_seconds_sum{link="hot"} 4.05',
      'millrace_redis_round_trip_seconds_count{link="hot"} 4',
    ]);
  });

  it("[OB6] leaves out what a source could not tell, instead of saying 0", async () => {
    metrics.add(async (to) => {
      to.set("millrace_store_up", 0);
      await Promise.reject(new Error("Redis is away"));
      to.set("millrace_store_commands_total", 5);
    });
    metrics.add((to) => to.set("millrace_edge_connections", 2));
    expect(await lines("millrace_store_up")).toEqual(["millrace_store_up 0"]);
    expect(await lines("millrace_store_commands_total")).toEqual([]);
    expect(await lines("millrace_edge_connections")).toHaveLength(1);
    expect(failures).toHaveLength(3);
  });

  it("refuses what another role publishes", async () => {
    metrics.add((to) => to.set("millrace_projector_dead_letters_total", 1));
    await metrics.scrape();
    expect(String(failures[0])).toContain("is not of edge");
  });

  it("[OB6] asks its sources once for all who scrape at a time", async () => {
    let asked = 0;
    metrics.add(async () => {
      asked++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    });
    const [one, other] = await Promise.all([metrics.scrape(), metrics.scrape()]);
    expect(one).toBe(other);
    await metrics.scrape();
    expect(asked).toBe(2);
  });

  it("[OB1] tells what the process costs", async () => {
    const tally = new ProcessTally();
    tally.start();
    metrics.add((to) => tally.publish(to));
    const [memory] = await lines("process_resident_memory_bytes");
    expect(Number(memory?.split(" ")[1])).toBeGreaterThan(1e7);
    const [started] = await lines("process_start_time_seconds");
    expect(
      Math.abs(Number(started?.split(" ")[1]) + process.uptime() - Date.now() / 1_000),
    ).toBeLessThan(5);
    expect((await lines("nodejs_gc_duration_seconds")).length).toBeGreaterThan(4 * 10);
    tally.stop();
  });

  it("has room for the largest batch in its buckets", () => {
    expect(BATCH_SIZES.at(-1)).toBeGreaterThanOrEqual(256);
  });
});

describe("the server", () => {
  const log = createLog({ level: "silent", format: "json", name: "test" });
  const servers: MetricsServer[] = [];
  const serve = async (port = 0): Promise<MetricsServer> => {
    const server = await serveMetrics({ metrics, host: "127.0.0.1", port, log });
    servers.push(server);
    return server;
  };
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  it("[OB7] answers GET and HEAD of /metrics", async () => {
    const { target } = await serve();
    metrics.add((to) => to.set("millrace_edge_connections", 4));
    const answer = await fetch(`http://${target}/metrics`);
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await answer.text()).toContain("\nmillrace_edge_connections 4\n");
    const head = await fetch(`http://${target}/metrics`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it.each([
    ["GET", "/", 404, "metrics are at /metrics"],
    ["GET", "/metrics/", 404, "metrics are at /metrics"],
    ["GET", "/debug/pprof", 404, "metrics are at /metrics"],
    ["POST", "/metrics", 405, "read with GET"],
    ["GET", "/metrics?name[]=up", 400, "takes no parameters"],
  ])("[OB7] refuses %s %s with the reason", async (method, path, status, reason) => {
    const { target } = await serve();
    const answer = await fetch(`http://${target}${path}`, { method });
    expect(answer.status).toBe(status);
    expect(await answer.text()).toContain(reason);
  });

  it("[OB7] lives through requests that are no HTTP", async () => {
    const { target } = await serve();
    const socket = connect(Number(target.split(":")[1]), "127.0.0.1");
    socket.end("\0\0 /metrics HTTP/9\r\n\r\n");
    const answer = await new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (chunk) => (text += String(chunk)));
      socket.on("close", () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect((await fetch(`http://${target}/metrics`)).status).toBe(200);
  });

  it("[OB7] takes a free port where its own is taken, and refuses a host that is not here", async () => {
    const first = await serve();
    const port = Number(first.target.split(":")[1]);
    const second = await serve(port);
    expect(second.target).not.toBe(first.target);
    expect((await fetch(`http://${second.target}/metrics`)).status).toBe(200);
    const elsewhere = serveMetrics({ metrics, host: "192.0.2.1", port: 0, log });
    await expect(elsewhere).rejects.toThrow("metrics cannot listen on 192.0.2.1");
  });
});
