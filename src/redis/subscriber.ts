/**
 * Pub/sub channels on a connection of their own. What is published while the link
 * is down is lost; it is replaced when it falls silent, and subscribes again by itself.
 */
import type { Log } from "../ops/log.ts";
import { connectForSubscription, tallyOf, type Redis } from "./connect.ts";
import type { LinkTally } from "./link-tally.ts";

/** A link that answers no ping is replaced. */
const PING_EVERY_MS = 10_000;

export class Subscriber {
  readonly #redis: Redis;
  readonly #pinging: NodeJS.Timeout;
  onMessage: (channel: string, message: Buffer) => void = () => {};

  private constructor(redis: Redis, log: Log) {
    this.#redis = redis;
    redis.on("messageBuffer", (channel: Buffer, message: Buffer) => {
      this.onMessage(channel.toString(), message);
    });
    this.#pinging = setInterval(() => {
      if (redis.status !== "ready") return;
      redis.ping().catch((error: unknown) => {
        log.debug({ err: error }, "a subscription fell silent, replacing the connection");
        if (redis.status === "ready") redis.disconnect(true);
      });
    }, PING_EVERY_MS);
  }

  /** Rejects when the server is not there. */
  static async connect(
    options: { url: string; name: string; log: Log },
    ...channels: readonly string[]
  ): Promise<Subscriber> {
    const redis = await connectForSubscription(options);
    try {
      await redis.subscribe(...channels);
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    redis.on("ready", () => {
      redis.subscribe(...channels).catch((error: unknown) => {
        options.log.debug({ err: error }, "not subscribed, the next connection tries again");
        if (redis.status === "ready") redis.disconnect(true);
      });
    });
    return new Subscriber(redis, options.log);
  }

  get tally(): LinkTally {
    return tallyOf(this.#redis);
  }

  close(): void {
    clearInterval(this.#pinging);
    this.#redis.disconnect();
  }
}
