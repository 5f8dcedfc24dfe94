/**
 * Plain XREAD over many streams, blocking or not. It changes nothing in Redis,
 * so a read may be lost, doubled or abandoned at no cost.
 */
import type { Log } from "../ops/log.ts";
import { connectForBlocking, tallyOf, type Redis, type RedisArg } from "./connect.ts";
import type { LinkTally } from "./link-tally.ts";
import type { Position } from "./position.ts";
import { asInteger, readStreams, type StreamEntry } from "./replies.ts";

/** How long past its BLOCK a read may stay silent before the link counts as dead. */
const WATCHDOG_GRACE_MS = 2_000;

/** Command for entries after each position. Never `$`: it names another place on every call. */
export function readCommand(
  positions: ReadonlyMap<string, Position>,
  count: number,
  blockMs?: number,
): readonly RedisArg[] {
  const block = blockMs === undefined ? [] : ["BLOCK", blockMs];
  return ["XREAD", "COUNT", count, ...block, "STREAMS", ...positions.keys(), ...positions.values()];
}

/**
 * A connection for blocking reads, one at a time. Redis 7.0 returns only one of
 * several ready streams when it wakes a reader: never conclude from an answer
 * that the other streams have nothing.
 */
export class BlockingReader {
  readonly #redis: Redis;
  readonly #log: Log;
  #clientId: number | null = null;
  #reading = false;

  private constructor(redis: Redis, log: Log) {
    this.#redis = redis;
    this.#log = log;
  }

  static async connect(options: { url: string; name: string; log: Log }): Promise<BlockingReader> {
    const redis = await connectForBlocking(options);
    const reader = new BlockingReader(redis, options.log);
    try {
      await reader.#learnClientId();
    } catch (error) {
      reader.close();
      throw error;
    }
    redis.on("ready", () => {
      reader.#learnClientId().catch((error: unknown) => {
        options.log.debug({ err: error }, "no client id, interrupts wait for the next read");
      });
    });
    return reader;
  }

  get tally(): LinkTally {
    return tallyOf(this.#redis);
  }

  async #learnClientId(): Promise<void> {
    this.#clientId = null;
    this.#clientId = asInteger(await this.#redis.client("ID"));
  }

  /**
   * Waits up to `blockMs` for entries after the positions. Rejects when the link
   * breaks or falls silent; a silent link is replaced.
   */
  async read(
    positions: ReadonlyMap<string, Position>,
    count: number,
    blockMs: number,
  ): Promise<Map<string, StreamEntry[]>> {
    return this.#wait(readCommand(positions, count, blockMs), blockMs);
  }

  /**
   * Waits up to `blockMs` for entries that no consumer of `group` has been given yet. What it
   * brings is pending until acknowledged, also when the answer is lost on the way.
   */
  readGroup(
    { group, consumer, keys }: { group: string; consumer: string; keys: readonly string[] },
    count: number,
    blockMs: number,
  ): Promise<Map<string, StreamEntry[]>> {
    const who = ["XREADGROUP", "GROUP", group, consumer, "COUNT", count, "BLOCK", blockMs];
    return this.#wait([...who, "STREAMS", ...keys, ...keys.map(() => ">")], blockMs);
  }

  async #wait(
    [name, ...args]: readonly RedisArg[],
    blockMs: number,
  ): Promise<Map<string, StreamEntry[]>> {
    const watchdog = setTimeout(() => {
      this.#log.warn({ blockMs }, "blocking read fell silent, replacing the connection");
      this.#redis.disconnect(true);
    }, blockMs + WATCHDOG_GRACE_MS);
    this.#reading = true;
    try {
      return readStreams(await this.#redis.callBuffer(String(name), args as (string | Buffer)[]));
    } finally {
      this.#reading = false;
      clearTimeout(watchdog);
    }
  }

  /** Makes a read under way return early, with nothing, through another connection. */
  async interrupt(commands: Redis): Promise<void> {
    if (!this.#reading || this.#clientId === null) return;
    await commands.client("UNBLOCK", this.#clientId, "TIMEOUT");
  }

  close(): void {
    this.#redis.disconnect();
  }
}
