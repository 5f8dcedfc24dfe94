/** One Prometheus on loopback: over the roles of `start` for people, over anything for tests. */
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { monotonicMs } from "../ops/clock.ts";

const READY_MS_MAX = 60_000;
const READY_POLL_MS = 50;
const STOP_MS = 10_000;
const LINES_KEPT = 5;

export interface PrometheusOptions {
  readonly binary: string;
  /** Holds configuration and data; is made if it is not there. */
  readonly dir: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** In the form of prometheus.yml. */
  readonly config: object;
  /** Ends it. */
  readonly signal: AbortSignal;
}
export interface RunningPrometheus {
  /** `http://127.0.0.1:port`. */
  readonly address: string;
  /** Resolves with a sentence when it has ended, for whatever reason. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

export interface ScrapeTimes {
  /** Prometheus durations, for instance `5s`; also the pause between two evaluations of rules. */
  readonly interval: string;
  readonly timeout: string;
}

/** Scrapes what the file at `targets` names and evaluates the rule files. */
export function scrapeConfig(
  targets: string,
  rules: readonly string[],
  { interval, timeout }: ScrapeTimes,
): object {
  const scrape = {
    job_name: "millrace",
    file_sd_configs: [{ files: [targets], refresh_interval: interval }],
  };
  return {
    // Lines of JSON are lines of YAML.
    global: {
      scrape_interval: interval,
      scrape_timeout: timeout,
      evaluation_interval: interval,
    },
    rule_files: rules,
    scrape_configs: [scrape],
  };
}

/** Resolves when it answers; rejects with its last words when it does not. */
export async function startPrometheus(options: PrometheusOptions): Promise<RunningPrometheus> {
  const { binary, dir, config, signal } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, "prometheus.yml");
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
  const port = options.port === 0 ? await freePort() : options.port;
  const child = spawn(
    binary,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      // k6 writes its metrics to it.
      "--web.enable-remote-write-receiver",
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const lastLines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    lastLines.push(line);
    if (lastLines.length > LINES_KEPT) lastLines.shift();
  });
  let running = true;
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`${binary} cannot be run: ${error.message}`));
    child.once("close", (code, by) => resolve(`${binary} ended with ${by ?? code}`));
  }).then((how) => {
    running = false;
    return [how, ...lastLines].join("\n");
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  };
  const address = `http://127.0.0.1:${port}`;
  const deadline = monotonicMs() + READY_MS_MAX;
  while (!(await isReady(address))) {
    if (!running) throw new Error(await ended);
    if (signal.aborted || monotonicMs() > deadline) {
      await stop();
      throw new Error(`${binary} was not ready in time`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  return { address, ended, stop };
}

async function isReady(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`${address}/-/ready`);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false; // it does not listen yet
  }
}

/** Prometheus does not say which port it took, so it is given one. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
