/**
 * One redis-server (or valkey-server) process with the settings that the engine
 * needs. `millrace start` runs its private Redis through this, and so do the
 * tests: no test meets other settings than users do.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { connect } from "node:net";

import type { AckLevel } from "../protocol/frames.ts";

export const REDIS_BINARIES = ["redis-server", "valkey-server"] as const;

/** Loading a log of some gigabytes takes minutes; past this something is wrong. */
const READY_MS_MAX = 10 * 60_000;
const READY_POLL_MS = 10;
const PING_MS_MAX = 1_000;
const OUTPUT_LINES_KEPT = 20;

export interface RedisProcessOptions {
  readonly binary: string;
  /** Holds the data; must exist. */
  readonly dir: string;
  /** Unix socket to listen on; there is no TCP port. */
  readonly socket: string;
  readonly ack: AckLevel;
  /** True keeps Ctrl-C on a terminal from it: whoever started it ends it when the roles are done. */
  readonly detached?: boolean;
  /** Settings on top of the engine's own. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  /** Kills it if it has not answered yet. */
  readonly signal?: AbortSignal;
}

export interface RedisProcess {
  readonly url: string;
  readonly pid: number;
  /** Resolves with a sentence when the process has ended, for whatever reason. */
  readonly exited: Promise<string>;
  /** Ends it in order; with SIGKILL after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** What the engine asks of any Redis, and gives to one of its own. */
export function engineSettings(ack: AckLevel): Readonly<Record<string, string>> {
  return {
    "maxmemory-policy": "noeviction",
    appendonly: "yes",
    appendfsync: ack === "disk" ? "always" : "everysec",
    "aof-use-rdb-preamble": "yes",
    save: "",
    // A room's first message costs 1.3 KB instead of 4.3 KB.
    "stream-node-max-bytes": "1024",
    "tcp-keepalive": "60",
  };
}

/** The first of the known servers that can be run, or null. */
export async function findRedisBinary(): Promise<string | null> {
  for (const binary of REDIS_BINARIES) {
    const runs = await new Promise<boolean>((resolve) => {
      execFile(binary, ["--version"], (error) => resolve(error === null));
    });
    if (runs) return binary;
  }
  return null;
}

/** Resolves when the server answers; rejects with its last words when it ends before that. */
export async function startRedisProcess(options: RedisProcessOptions): Promise<RedisProcess> {
  const { binary, dir, socket, ack } = options;
  const settings = { ...engineSettings(ack), ...options.settings };
  const listen = ["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"];
  const rest = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const args = [...listen, "--dir", dir, "--daemonize", "no", ...rest];
  const child = spawn(binary, args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: options.detached ?? false,
  });
  const lastLines = readLines(child, options.onLine);
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`${binary} cannot be run: ${error.message}`));
    child.once("exit", (code, signal) => resolve(`${binary} ended with ${signal ?? code}`));
  });
  let ended: string | null = null;
  void exited.then((reason) => (ended = reason));
  const deadline = performance.now() + READY_MS_MAX;
  while ((await pingSocket(socket)) !== "ready") {
    if (ended !== null) throw new Error([ended, ...lastLines].join("\n  "));
    if (options.signal?.aborted || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${binary} did not answer in time`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  return {
    url: socketUrl(socket),
    pid: child.pid as number,
    exited,
    kill: (signal) => void child.kill(signal),
    async stop(deadlineMs) {
      child.kill("SIGTERM"); // the same as SHUTDOWN
      const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

export function socketUrl(path: string): string {
  return `unix://${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** Hands out the lines of both outputs; the array keeps the newest for an error message. */
function readLines(child: ChildProcess, onLine: ((line: string) => void) | undefined): string[] {
  const kept: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    let rest = "";
    output?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        kept.push(line);
        if (kept.length > OUTPUT_LINES_KEPT) kept.shift();
        onLine?.(line);
      }
    });
  }
  return kept;
}

/** Whether a Redis answers on a unix socket; `loading` while it still reads its log. */
export function pingSocket(path: string): Promise<"ready" | "loading" | "absent"> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (state: "ready" | "loading" | "absent"): void => {
      socket.destroy();
      resolve(state);
    };
    socket.setTimeout(PING_MS_MAX, () => settle("absent"));
    socket.once("error", () => settle("absent"));
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (reply) =>
      settle(reply.toString().startsWith("+PONG") ? "ready" : "loading"),
    );
  });
}

/** Asks the Redis behind a socket to end and waits until it has let go; false when it has not. */
export async function shutDownSocket(path: string, deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while ((await pingSocket(path)) !== "absent") {
    if (performance.now() > deadline) return false;
    await new Promise<void>((resolve) => {
      const socket = connect(path, () => socket.write("SHUTDOWN\r\n"));
      socket.setTimeout(PING_MS_MAX, () => socket.destroy());
      socket.once("error", () => socket.destroy());
      socket.once("data", () => socket.destroy());
      socket.once("close", () => resolve());
    });
  }
  return true;
}
