/**
 * A TCP proxy in front of a Redis that can do what networks do: be slow, swallow
 * bytes, cut a line in the middle, lose exactly one reply.
 *
 * Faults hold for every connection, open or new, until `heal`. What a black hole
 * holds back is not thrown away but delivered after healing, as TCP would.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export type Direction = "toServer" | "toClient";
const DIRECTIONS: readonly Direction[] = ["toServer", "toClient"];

/** Bytes that a delayed direction may hold; past it the sender is paused. */
const DELAYED_BYTES_MAX = 1_048_576;

/** Swallow the first reply after a request that contains `request`, then reset. */
interface Drop {
  readonly request: string;
  readonly done: () => void;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes that may still pass before the cut, or null for no cut. */
  readonly budget: Record<Direction, number | null>;
  readonly delayed: Record<Direction, number>;
  drop: Drop | null;
}

export class FaultProxy {
  readonly #server: Server;
  readonly #target: string;
  readonly #links = new Set<Link>();
  readonly #delayMs: Record<Direction, number> = { toServer: 0, toClient: 0 };
  readonly #blackHole: Record<Direction, boolean> = { toServer: false, toClient: false };
  #refusing = false;
  #drops: Drop[] = [];
  #accepted = 0;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** `target` is the path of a unix socket; the proxy listens on a free loopback port. */
  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }
  /** Connections accepted since the start, refused ones included. */
  get accepted(): number {
    return this.#accepted;
  }
  get open(): number {
    return this.#links.size;
  }

  /** Ends every standing fault; what was held back is delivered now. */
  heal(): void {
    this.#refusing = false;
    this.#drops = [];
    for (const direction of DIRECTIONS) {
      this.#delayMs[direction] = 0;
      this.#blackHole[direction] = false;
    }
    for (const link of this.#links) {
      link.drop = null;
      for (const direction of DIRECTIONS) {
        link.budget[direction] = null;
        source(link, direction).resume();
      }
    }
  }

  /** Everything in `direction` arrives `ms` later, in order. */
  delay(direction: Direction, ms: number): void {
    this.#delayMs[direction] = ms;
  }

  /** Nothing in `direction` arrives any more; connections stay open. */
  blackHole(...directions: readonly Direction[]): void {
    for (const direction of directions) {
      this.#blackHole[direction] = true;
      for (const link of this.#links) source(link, direction).pause();
    }
  }

  /** Cuts every open connection with RST. New ones are still accepted. */
  reset(): void {
    for (const link of this.#links) this.#cut(link);
  }

  /** Cuts everything, and every new connection at once, as if the server were gone. */
  refuse(): void {
    this.#refusing = true;
    this.reset();
  }

  /**
   * The next request containing `request` reaches the server; the first bytes of
   * an answer after it are swallowed and the connection is reset. Resolves then.
   */
  dropReply(request: string): Promise<void> {
    return new Promise((done) => this.#drops.push({ request, done }));
  }

  /** Each open connection passes `bytes` more in `direction` and is then reset. */
  cutAfter(direction: Direction, bytes: number): void {
    for (const link of this.#links) link.budget[direction] = bytes;
  }

  async stop(): Promise<void> {
    this.refuse();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    this.#accepted++;
    client.on("error", ignoreBrokenLine);
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.#target);
    server.on("error", ignoreBrokenLine);
    const link: Link = {
      client,
      server,
      budget: { toServer: null, toClient: null },
      delayed: { toServer: 0, toClient: 0 },
      drop: null,
    };
    this.#links.add(link);
    for (const direction of DIRECTIONS) {
      const from = source(link, direction);
      from.on("data", (chunk) => this.#carry(link, direction, chunk));
      // A line that ends on one side ends on the other; a black hole hides that too.
      from.on("close", () => this.#blackHole[direction] || this.#cut(link));
      if (this.#blackHole[direction]) from.pause();
    }
  }

  #carry(link: Link, direction: Direction, chunk: Buffer): void {
    if (direction === "toServer") this.#armDrop(link, chunk);
    else if (link.drop) {
      const { done } = link.drop;
      this.#cut(link);
      done();
      return;
    }
    const delayMs = this.#delayMs[direction];
    if (delayMs === 0 && link.delayed[direction] === 0) {
      this.#deliver(link, direction, chunk);
      return;
    }
    link.delayed[direction] += chunk.length;
    if (link.delayed[direction] > DELAYED_BYTES_MAX) source(link, direction).pause();
    setTimeout(() => {
      link.delayed[direction] -= chunk.length;
      if (!this.#blackHole[direction]) source(link, direction).resume();
      this.#deliver(link, direction, chunk);
    }, delayMs);
  }

  #armDrop(link: Link, chunk: Buffer): void {
    const found = this.#drops.find((drop) => chunk.includes(drop.request));
    if (!found) return;
    this.#drops = this.#drops.filter((drop) => drop !== found);
    link.drop = found;
  }

  #deliver(link: Link, direction: Direction, chunk: Buffer): void {
    const to = direction === "toServer" ? link.server : link.client;
    const budget = link.budget[direction];
    if (to.destroyed) return;
    if (budget === null || chunk.length < budget) {
      if (budget !== null) link.budget[direction] = budget - chunk.length;
      to.write(chunk);
      return;
    }
    // RST would overtake bytes that are still queued, so the last ones are flushed first.
    to.write(chunk.subarray(0, budget), () => this.#cut(link));
    link.budget[direction] = 0;
  }

  #cut(link: Link): void {
    if (!this.#links.delete(link)) return;
    link.client.resetAndDestroy();
    link.server.destroy();
  }
}

function source(link: Link, direction: Direction): Socket {
  return direction === "toServer" ? link.client : link.server;
}

/** Broken lines are this proxy's purpose; `close` follows and does what is needed. */
function ignoreBrokenLine(): void {}
