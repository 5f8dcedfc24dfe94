/** The engine that k6 talks to: one that was started for the run, as users start it, or one that runs. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { findAuthSecret } from "../../src/cli/auth-secret.ts";
import { readConfig } from "../../src/config.ts";
import { readableLine } from "../../src/ops/log-line.ts";
import type { Sizes } from "../k6/plan.ts";
import type { EngineWanted } from "./command-line.ts";

const STOP_MS = 60_000;
const HEALTH_ANSWER_MS = 5_000;
/** What the engine says when it cannot start. */
const LAST_WORDS = "millrace: ";
/** What the engine keeps of a room unless it is told. */
const HISTORY_MIN = 10_000;
const HISTORY_MAX = 10_000_000;

export interface Engine {
  readonly urls: readonly string[];
  readonly secret: string;
  readonly audience: string;
  /** Resident memory of each process, in MiB; empty where that is not known. */
  memory(): ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** There is no engine to measure, with a sentence for a person. */
export class EngineError extends Error {}

/** Throws EngineError, or ConfigError when the environment has a setting that is wrong. */
export function openEngine(wanted: EngineWanted, sizes: Sizes, root: string): Promise<Engine> {
  return wanted.kind === "running" ? findEngine(wanted) : startEngine(wanted, sizes, root);
}

async function findEngine(wanted: EngineWanted & { kind: "running" }): Promise<Engine> {
  const flags = wanted.dataDir === null ? {} : { dataDir: wanted.dataDir };
  const config = readConfig("token", flags);
  const secret = await findAuthSecret(config);
  if (secret === null) {
    throw new EngineError("there is no secret to sign tokens with: set AUTH_SECRET, or --data-dir");
  }
  await Promise.all(wanted.urls.map(seeHealth));
  return {
    urls: wanted.urls,
    secret,
    audience: config.authAudience,
    memory: () => new Map(),
    stop: () => Promise.resolve(),
  };
}

async function seeHealth(url: string): Promise<void> {
  const signal = AbortSignal.timeout(HEALTH_ANSWER_MS);
  const health = await fetch(`${url}/health`, { signal }).catch((error: unknown) => {
    throw new EngineError(`nothing answers at ${url}`, { cause: error });
  });
  if (!health.ok) throw new EngineError(`${url} is not well: ${await health.text()}`);
}

async function startEngine(
  wanted: EngineWanted & { kind: "private" },
  sizes: Sizes,
  root: string,
): Promise<Engine> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-k6-"));
  const secret = randomBytes(32).toString("base64url");
  const words = ["--port", "0", "--data-dir", dir, "--no-demo", "--ack", wanted.ack];
  const counts = ["--edges", `${wanted.edges}`, "--projectors", `${wanted.projectors}`];
  const history = ["--history-per-room", `${historyFor(sizes)}`, "--log-format", "json"];
  const main = join(root, "bin", "millrace.mjs");
  const child = spawn(process.execPath, [main, "start", ...words, ...counts, ...history], {
    env: { ...process.env, AUTH_SECRET: secret, AUTH_AUDIENCE: "k6", REDIS_URL: "" },
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C is for k6: the engine ends when k6 has.
    detached: true,
  });
  const ended = once(child, "close");
  const stop = async (): Promise<void> => {
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    child.kill("SIGTERM");
    await ended;
    clearTimeout(timer);
    await rm(dir, { recursive: true, force: true });
  };
  const pids = new Map<string, number>();
  const urls = await Promise.race([addressesOf(child, pids), ended]);
  if (child.exitCode !== null) {
    await stop();
    throw new EngineError("the engine did not start, see above");
  }
  const memory = (): ReadonlyMap<string, number> =>
    new Map([...pids].flatMap(([name, pid]) => residentMib(name, pid)));
  return { urls: urls as string[], secret, audience: "k6", memory, stop };
}

/** Every socket reads its room from the first entry on, so all of them have to be kept. */
function historyFor({ messages, rate, seconds, vus, sockets }: Sizes): number {
  const entries = messages + rate * seconds + 2 * vus * sockets;
  return Math.min(HISTORY_MAX, Math.max(HISTORY_MIN, 2 * entries));
}

/** Resolves when the engine runs. Keeps `pids` up to date, and passes on what is worse than `info`. */
function addressesOf(child: ChildProcess, pids: Map<string, number>): Promise<string[]> {
  return new Promise((resolve) => {
    const heard = (line: string): void => {
      const record = parseRecord(line);
      const message = String(record?.["msg"]);
      const ready = / is ready$/.exec(message);
      if (ready) pids.set(message.slice(0, ready.index), Number(record?.["child"]));
      if (message === "millrace runs") resolve(record?.["addresses"] as string[]);
      if (record && /^(error|fatal)$/.test(String(record["level"]))) {
        process.stderr.write(`${readableLine(line, { color: false, source: true })}\n`);
      }
      if (!record && line.startsWith(LAST_WORDS)) process.stderr.write(`${line}\n`);
    };
    if (child.stdout) createInterface({ input: child.stdout }).on("line", heard);
    if (child.stderr) createInterface({ input: child.stderr }).on("line", heard);
  });
}

/** Null for what is no record of the engine's log. */
function parseRecord(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function residentMib(name: string, pid: number): [string, number][] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return [[name, Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024)]];
  } catch {
    return []; // it has ended, or this is no Linux
  }
}
