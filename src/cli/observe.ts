/** `millrace observe`: a Prometheus over the engine that `millrace start` runs from the same DATA_DIR. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { ConfigError, type Config } from "../config.ts";
import { scrapeConfig, startPrometheus } from "./prometheus.ts";
import { targetsFile } from "./scrape-targets.ts";

/** The same distance from src/cli and from dist/cli. */
const GRAFANA = fileURLToPath(new URL("../../grafana/", import.meta.url));
const SCRAPES = { interval: "5s", timeout: "4s" } as const;

/** Runs until `stopping` is raised or Prometheus ends by itself; the exit code. */
export async function observe(
  config: Config,
  stopping: AbortSignal,
  say: (text: string) => void,
): Promise<number> {
  const targets = resolve(targetsFile(config.dataDir));
  const prometheus = await startPrometheus({
    binary: config.prometheus,
    dir: resolve(join(config.dataDir, "prometheus")),
    port: config.prometheusPort,
    config: scrapeConfig(targets, [join(GRAFANA, "alerts", "*.yaml")], SCRAPES),
    signal: stopping,
  }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`Prometheus did not start: ${reason}`);
  });
  say(whereToLook(prometheus.address, existsSync(targets) ? null : config.dataDir));
  const stopped = stopping.aborted ? Promise.resolve() : once(stopping, "abort");
  const ended = await Promise.race([stopped.then(() => null), prometheus.ended]);
  if (ended === null) {
    await prometheus.stop();
    return 0;
  }
  say(ended);
  return 1;
}

/** `waitsFor` is the folder in which no engine runs yet. */
function whereToLook(address: string, waitsFor: string | null): string {
  const query = encodeURIComponent("sum(rate(millrace_edge_deliveries_total[1m]))");
  return [
    "",
    `  Prometheus   ${address}`,
    `  targets      ${address}/targets`,
    `  alerts       ${address}/alerts`,
    `  a graph      ${address}/graph?g0.expr=${query}&g0.tab=0`,
    "",
    "  Dashboards: import grafana/dashboards/*.json into a Grafana with this Prometheus",
    "  as data source. What to do when a panel is red: grafana/README.md   Stop: Ctrl-C",
    ...(waitsFor === null ? [] : ["", `  No engine runs in ${waitsFor} yet: npm start`]),
    "",
  ].join("\n");
}
