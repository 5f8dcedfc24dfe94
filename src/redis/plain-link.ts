/**
 * A connection for the few commands that a process sends again and again. ioredis
 * opens it, logs in and opens it again when it breaks; what goes over it is ours:
 * one write and one promise for a whole batch, where ioredis has a command, a
 * promise, a timer and a trace for each. That was up to a fifth of an edge's CPU time.
 *
 *   down ──ioredis is ready and has heard all its answers──▶ up
 *     ▲                                                       │
 *     └──────── closed, silent for too long, not RESP ────────┘
 *
 * Nothing is ever sent twice; whatever waits when the link goes down is rejected.
 */
import type { Log } from "../ops/log.ts";
import { tallyOf, type Pipelining, type Redis, type RedisArg } from "./connect.ts";
import type { LinkTally } from "./link-tally.ts";
import { asInteger } from "./replies.ts";
import { encodeCommands, ReplyReader } from "./resp.ts";

/** Batches that may wait for their answers at a time. */
export const BATCHES_AT_ONCE = 16;

type Stream = Redis["stream"];
type State =
  | { readonly name: "down" }
  | { readonly name: "up"; readonly stream: Stream; readonly clientId: number };

interface Batch {
  readonly size: number;
  readonly replies: unknown[];
  readonly resolve: (replies: unknown[]) => void;
  readonly reject: (reason: Error) => void;
  readonly watchdog: NodeJS.Timeout;
}

export class PlainLink implements Pipelining {
  readonly #redis: Redis;
  readonly #log: Log;
  #state: State = { name: "down" };
  /** In the order in which they were sent, which is that of the answers. */
  readonly #waiting: Batch[] = [];
  /** Called whenever the link comes up again, or goes down. */
  onUp: () => void = () => {};
  onDown: () => void = () => {};

  private constructor(redis: Redis, log: Log) {
    this.#redis = redis;
    this.#log = log;
  }

  /** Takes over a connection that is ready and used by nobody else. */
  static async over(redis: Redis, log: Log): Promise<PlainLink> {
    const link = new PlainLink(redis, log);
    try {
      await link.#takeOver();
    } catch (error) {
      link.disconnect();
      throw error;
    }
    redis.on("ready", () => {
      link.#takeOver().then(
        () => link.onUp(),
        (error: unknown) => log.debug({ err: error }, "a link broke before it was up"),
      );
    });
    return link;
  }

  get tally(): LinkTally {
    return tallyOf(this.#redis);
  }
  get up(): boolean {
    return this.#state.name === "up";
  }
  /** As CLIENT UNBLOCK knows it; null while the link is down. */
  get clientId(): number | null {
    return this.#state.name === "up" ? this.#state.clientId : null;
  }

  #become(state: State): void {
    this.#state = state;
  }

  async #takeOver(): Promise<void> {
    // The answer to this is the last that ioredis waits for: all that follow are ours.
    const clientId = asInteger(await this.#redis.client("ID"));
    const { stream } = this.#redis;
    const reader = new ReplyReader((reply) => this.#received(reply));
    stream.removeAllListeners("data");
    stream.on("data", (piece: Buffer) => {
      try {
        reader.push(piece);
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    stream.once("close", () => this.#closed(stream));
    if (stream.destroyed) throw new Error("the connection broke while it was taken over");
    this.#become({ name: "up", stream, clientId });
  }

  #closed(stream: Stream): void {
    if (this.#state.name !== "up" || this.#state.stream !== stream) return;
    this.#become({ name: "down" });
    for (const { reject, watchdog } of this.#waiting.splice(0)) {
      clearTimeout(watchdog);
      reject(new Error("the connection to Redis closed"));
    }
    this.onDown();
  }

  /**
   * One write, and the replies in order, refusals as Errors in their places.
   * Rejects when the link is down or breaks; then any of the commands may have
   * run. A link that owes an answer for `silenceMs` is replaced.
   */
  send(commands: readonly (readonly RedisArg[])[], silenceMs: number): Promise<unknown[]> {
    const state = this.#state;
    if (commands.length === 0) return Promise.resolve([]);
    if (state.name === "down") return Promise.reject(new Error("not connected to Redis"));
    if (this.#waiting.length >= BATCHES_AT_ONCE) {
      return Promise.reject(new Error(`${BATCHES_AT_ONCE} batches wait for Redis already`));
    }
    return new Promise((resolve, reject) => {
      const watchdog = setTimeout(() => this.#replace(silenceMs), silenceMs);
      this.#waiting.push({ size: commands.length, replies: [], resolve, reject, watchdog });
      state.stream.write(encodeCommands(commands));
    });
  }

  #received(reply: unknown): void {
    const [batch] = this.#waiting;
    if (!batch) throw new Error("Redis answered what nobody asked");
    batch.replies.push(reply);
    if (batch.replies.length < batch.size) return;
    this.#waiting.shift();
    clearTimeout(batch.watchdog);
    batch.resolve(batch.replies);
  }

  #replace(silenceMs: number): void {
    this.#log.warn({ silenceMs }, "a link to Redis fell silent, replacing it");
    this.#redis.disconnect(true);
  }

  disconnect(): void {
    this.#redis.disconnect();
  }
}
