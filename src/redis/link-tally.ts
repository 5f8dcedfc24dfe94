/** What one connection to Redis has carried, in plain numbers. */
import { Distribution, SECONDS } from "../ops/distribution.ts";
import type { Publisher } from "../ops/metrics.ts";

/** The little of a connection that is read at a scrape. */
interface Link {
  readonly status: string;
  readonly stream: { readonly bytesRead: number; readonly bytesWritten: number } | undefined;
}

export class LinkTally {
  /** Pipelines without an answer. */
  failures = 0;
  /** Pipelines only: a blocking read takes as long as it is told to. */
  readonly #roundTrips = new Distribution(SECONDS);
  #commands = 0;
  #reconnects = 0;
  readonly #link: Link;
  /** The socket that is counted now, and what the ones before it carried. */
  #stream: Link["stream"];
  #readBefore = 0;
  #writtenBefore = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  /** The connection has a socket, perhaps a new one. */
  connected(): void {
    if (this.#stream === this.#link.stream) return;
    if (this.#stream) this.#reconnects++;
    this.#readBefore += this.#stream?.bytesRead ?? 0;
    this.#writtenBefore += this.#stream?.bytesWritten ?? 0;
    this.#stream = this.#link.stream;
  }

  travelled(commands: number, ms: number): void {
    this.#commands += commands;
    this.#roundTrips.note(ms / 1_000);
  }

  /** `link` is what the connection is for, one of a few words. */
  publish(to: Publisher, link: string): void {
    to.distribution("millrace_redis_round_trip_seconds", this.#roundTrips, { link });
    to.set("millrace_redis_commands_total", this.#commands, { link });
    to.set("millrace_redis_failures_total", this.failures, { link });
    to.set("millrace_redis_connected", this.#link.status === "ready" ? 1 : 0, { link });
    to.set("millrace_redis_reconnects_total", this.#reconnects, { link });
    const { bytesRead = 0, bytesWritten = 0 } = this.#stream ?? {};
    to.set("millrace_redis_received_bytes_total", this.#readBefore + bytesRead, { link });
    to.set("millrace_redis_sent_bytes_total", this.#writtenBefore + bytesWritten, { link });
  }
}
