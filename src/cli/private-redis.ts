/**
 * The Redis that `millrace start` runs for itself when REDIS_URL names none: on
 * a unix socket without a TCP port, so that nobody else on the machine or the
 * network can reach it.
 */
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

import { ConfigError } from "../config.ts";
import type { Log } from "../ops/log.ts";
import type { AckLevel } from "../protocol/frames.ts";
import {
  findRedisBinary,
  pingSocket,
  shutDownSocket,
  socketUrl,
  startRedisProcess,
  type RedisProcess,
} from "./redis-process.ts";
import { socketFolder } from "./private-place.ts";

const OLD_ONE_STOPS_MS = 30_000;

export interface PrivateRedisOptions {
  readonly dataDir: string;
  readonly ack: AckLevel;
  readonly log: Log;
  /** Gives up while the server starts. */
  readonly signal: AbortSignal;
}

/** Starts it over the data of the last run. The caller holds the folder's lock. */
export async function startPrivateRedis(options: PrivateRedisOptions): Promise<RedisProcess> {
  const { dataDir, ack, log, signal } = options;
  const binary = await findRedisBinary();
  if (binary === null) {
    throw new ConfigError(
      "neither redis-server nor valkey-server can be run: install one of them, or set REDIS_URL",
    );
  }
  const socket = await socketOf(dataDir);
  // A supervisor that was killed leaves its Redis running over the same files.
  if (!(await shutDownSocket(socket, OLD_ONE_STOPS_MS))) {
    throw new ConfigError(`a Redis from an earlier run does not let go of ${socket}`);
  }
  await rm(socket, { force: true });
  const dir = join(resolve(dataDir), "redis");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const onLine = (line: string): void => logLine(log, line);
  return startRedisProcess({ binary, dir, socket, ack, detached: true, onLine, signal });
}

/** The address of the private Redis of a data folder if it runs, else null. */
export async function findPrivateRedis(dataDir: string): Promise<string | null> {
  const socket = await socketOf(dataDir);
  return (await pingSocket(socket)) === "absent" ? null : socketUrl(socket);
}

async function socketOf(dataDir: string): Promise<string> {
  return join(await socketFolder(dataDir), "redis.sock");
}

/** `123:M 01 Jan 2025 10:00:00.000 * Ready`: a mark for the level, then the text. */
const LINE = /^\d+:\w \d+ \w+ \d+ [\d:.]+ [.*#-] (.*)$/;
/** Redis marks its greetings as warnings too, so its words decide. */
const TROUBLE = /warning|error|fail|corrupt|denied|refus|can't|cannot|unable|bad |crash|full/i;

function logLine(log: Log, line: string): void {
  const text = LINE.exec(line)?.[1] ?? line;
  if (text.trim() === "") return;
  log.debug(text);
  // Advice for administrators runs over many sentences; the first one says what it is about.
  if (TROUBLE.test(text)) log.warn(text.replace(/([.!]) .*$/, "$1"));
}
