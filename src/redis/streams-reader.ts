/**
 * Plain XREAD over many streams, blocking or not. It changes nothing in Redis,
 * so a read may be lost, doubled or abandoned at no cost.
 */
import { connectForBlocking, type ConnectOptions, type Redis, type RedisArg } from "./connect.ts";
import type { LinkTally } from "./link-tally.ts";
import { PlainLink } from "./plain-link.ts";
import type { Position } from "./position.ts";
import { readStreams, type StreamEntry } from "./replies.ts";

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
  readonly #link: PlainLink;
  #reading = false;

  private constructor(link: PlainLink) {
    this.#link = link;
  }

  static async connect(options: ConnectOptions): Promise<BlockingReader> {
    return new BlockingReader(await PlainLink.over(await connectForBlocking(options), options.log));
  }

  get tally(): LinkTally {
    return this.#link.tally;
  }
  get up(): boolean {
    return this.#link.up;
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

  async #wait(command: readonly RedisArg[], blockMs: number): Promise<Map<string, StreamEntry[]>> {
    this.#reading = true;
    try {
      const [reply] = await this.#link.send([command], blockMs + WATCHDOG_GRACE_MS);
      return readStreams(reply);
    } finally {
      this.#reading = false;
    }
  }

  /** Makes a read under way return early, with nothing, through another connection. */
  async interrupt(commands: Redis): Promise<void> {
    const { clientId } = this.#link;
    if (!this.#reading || clientId === null) return;
    await commands.client("UNBLOCK", clientId, "TIMEOUT");
  }

  close(): void {
    this.#link.disconnect();
  }
}
