/**
 * The only door to Redis. ioredis is set up so that it never sends a command
 * twice by itself: a lost reply rejects at once, and whoever sent the command
 * decides, because only they know whether a second copy is harmless.
 */
import { Redis, type RedisOptions } from "ioredis";
import { monotonicMs } from "../ops/clock.ts";
import type { Log } from "../ops/log.ts";
import { LinkTally } from "./link-tally.ts";
import { isRefusal } from "./replies.ts";

export type { Redis };
type Options = Omit<RedisOptions, "replyMapping">;
export type RedisArg = string | number | Buffer | Uint8Array;

/** A command that has not answered by then has an unknown outcome. */
const COMMAND_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 3_000;
/**
 * A link that owes an answer for so long is replaced: a time-out rejects the command but keeps the
 * link, and a half-open one would stay for the quarter of an hour that TCP takes to give up. For
 * blocking links this is longer than any BLOCK, and catches a hello that is never answered.
 */
const SILENCE_MS = { commands: COMMAND_TIMEOUT_MS, blocking: 10_000 } as const;
/** A link that is being dropped may be dead, so its farewell is hardly waited for. */
const FAREWELL_MS = 100;
const RECONNECT_MS_MAX = 1_000;

const base: Options = {
  // RESP2 gives XREAD as pairs; the default mapping of RESP3 is flat.
  protocol: 2,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: FAREWELL_MS,
  keepAlive: 10_000,
  // A link that was cut is back soon; thousands that wait for the same Redis come spread.
  retryStrategy: (attempt: number) =>
    Math.min(50 * 2 ** (attempt - 1), RECONNECT_MS_MAX) * (0.5 + Math.random() / 2),
};

export interface ConnectOptions {
  /** `redis://`, `rediss://` or `unix:///path/to/redis.sock`. */
  readonly url: string;
  /** Shown by CLIENT LIST, with colons for spaces. */
  readonly name: string;
  readonly log: Log;
}

/** For appends, scripts and reads that answer at once. Rejects when the server is not there. */
export async function connectForCommands(options: ConnectOptions): Promise<Redis> {
  const limits = { commandTimeout: COMMAND_TIMEOUT_MS, socketTimeout: SILENCE_MS.commands };
  return connect(options, { ...base, ...limits });
}

/** For blocking reads: no command timeout, the reader has a watchdog of its own. */
export async function connectForBlocking(options: ConnectOptions): Promise<Redis> {
  return connect(options, { ...base, socketTimeout: SILENCE_MS.blocking });
}

/**
 * For channels: it waits for messages in silence, and only its pings have to be answered. Whoever
 * subscribes does so again after a reconnect: what the client does by itself rejects unheard when
 * the link breaks once more.
 */
export async function connectForSubscription(options: ConnectOptions): Promise<Redis> {
  const subscribing = { commandTimeout: COMMAND_TIMEOUT_MS, autoResubscribe: false };
  return connect(options, { ...base, ...subscribing });
}

/** What can send commands in one write, and be counted. */
export interface Pipelining {
  readonly tally: LinkTally;
  send(commands: readonly (readonly RedisArg[])[], silenceMs: number): Promise<unknown[]>;
}

const tallies = new WeakMap<Redis, LinkTally>();

/** What a connection of this module has carried. */
export function tallyOf(redis: Redis): LinkTally {
  let tally = tallies.get(redis);
  if (!tally) {
    tally = new LinkTally(redis);
    tallies.set(redis, tally);
  }
  return tally;
}

async function connect({ url, name, log }: ConnectOptions, options: Options): Promise<Redis> {
  // Redis takes no name with a space in it.
  const named: Options = { ...options, connectionName: name.replaceAll(" ", ":") };
  if (url.startsWith("unix://")) named.path = decodeURIComponent(new URL(url).pathname);
  const redis = url.startsWith("unix://") ? new Redis(named) : new Redis(url, named);
  // One line for each change of state, not one for each attempt.
  let reported = false;
  redis.on("error", (error: Error) => {
    if (!reported) log.warn({ connection: name, reason: error.message }, "redis connection lost");
    reported = true;
  });
  redis.on("ready", () => {
    tallyOf(redis).connected();
    if (reported) log.info({ connection: name }, "redis connection is back");
    reported = false;
  });
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw new Error(`cannot reach Redis for ${name}: ${String(error)}`, { cause: error });
  }
  return redis;
}

/**
 * Runs commands in one write and one read. A command that Redis refused is an
 * Error in its place; a lost connection or a time-out rejects the whole call,
 * and then any of the commands may or may not have run.
 */
export async function pipeline(
  redis: Redis | Pipelining,
  commands: readonly (readonly RedisArg[])[],
): Promise<unknown[]> {
  const tally = redis instanceof Redis ? tallyOf(redis) : redis.tally;
  const sinceMs = monotonicMs();
  try {
    const replies =
      redis instanceof Redis
        ? await sendByClient(redis, commands)
        : await redis.send(commands, COMMAND_TIMEOUT_MS);
    tally.travelled(commands.length, monotonicMs() - sinceMs);
    return replies;
  } catch (error) {
    tally.failures++;
    throw error;
  }
}

async function sendByClient(
  redis: Redis,
  commands: readonly (readonly RedisArg[])[],
): Promise<unknown[]> {
  const batch = redis.pipeline();
  for (const [name, ...args] of commands) batch.callBuffer(String(name), args.map(sendable));
  const replies = await batch.exec();
  if (!replies) throw new Error("the pipeline was discarded");
  return replies.map(([error, reply]) => {
    if (!error) return reply;
    if (isRefusal(error)) return error;
    throw error;
  });
}

/** ioredis would send the numbers of a plain Uint8Array as text. The bytes are not copied. */
function sendable(arg: RedisArg): string | number | Buffer {
  if (!(arg instanceof Uint8Array) || Buffer.isBuffer(arg)) return arg;
  return Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength);
}
