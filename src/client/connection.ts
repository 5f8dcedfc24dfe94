import { decodeServerFrame, encodeClientFrame } from "../protocol/codec.ts";
import { afterClose } from "../protocol/errors.ts";
import type { AckLevel, ClientFrame, ServerFrame, ServerFrameOf } from "../protocol/frames.ts";
import type { DeviceId, UserId } from "../protocol/ids.ts";
import { SchemaError } from "../protocol/schema.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/version.ts";
import type { Address } from "./address.ts";
import type { Agenda, Clock } from "./agenda.ts";
import { Backoff } from "./backoff.ts";
import type { CloseEventLike, MessageEventLike, SocketConstructor, SocketLike } from "./socket.ts";

/** From the start of a connection to `welcome`, the application's token included. */
export const WELCOME_TIMEOUT_MS = 10_000;
/** So many beats may be missed before the connection counts as dead. */
export const BEATS_MISSED_MAX = 2.5;
/** Between finding silence and believing it. */
const SECOND_LOOK_MS = 100;
/** An answer to `ping` has to come within this time. */
export const PING_TIMEOUT_MS = 5_000;

/** Why a connection ended; `code` is null where this client gave it up, else the close code. */
export interface Drop {
  readonly code: number | null;
  readonly reason: string;
}

/**
 * The one connection of a client.
 *
 *          connect               welcome
 *   idle ──────────▶ connecting ─────────▶ live
 *                     ▲  │  ▲               │
 *       pause over,   │  │  │ connect       │ closed by 4000-4199 or the network,
 *       wake          │  │  │               │ silence, unreadable frame
 *                     │  ▼  │               │
 *                   waiting │ ◀─────────────┤
 *                        │  │               │ closed by 4400-4499, close()
 *                        ▼  │               │
 *                      stopped ◀────────────┘     close() leads here from any state
 *
 * `become` is the only writer of `state`.
 */
export type ConnectionState =
  | { readonly name: "idle" }
  | { readonly name: "connecting"; readonly attempt: number }
  | {
      readonly name: "live";
      readonly user: UserId;
      /** Which server answered. */
      readonly edge: string;
      readonly ack: AckLevel;
      readonly beatMs: number;
    }
  | {
      readonly name: "waiting";
      readonly attempt: number;
      readonly delayMs: number;
      readonly drop: Drop;
      /** Whether the cursors of the rooms still mean something. */
      readonly next: "resume" | "refetch";
    }
  | { readonly name: "stopped"; readonly drop: Drop };

const NEXT: Record<ConnectionState["name"], readonly ConnectionState["name"][]> = {
  idle: ["connecting", "stopped"],
  connecting: ["live", "waiting", "stopped"],
  live: ["waiting", "stopped"],
  waiting: ["connecting", "stopped"],
  stopped: ["connecting"],
};

export interface ConnectionOptions {
  readonly addresses: readonly Address[];
  readonly token: () => Promise<string>;
  readonly device: DeviceId;
  readonly agent: string;
  readonly WebSocket: SocketConstructor;
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly random: () => number;
}

export interface ConnectionHandlers {
  stateChanged(state: ConnectionState): void;
  frame(frame: ServerFrame): void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #handlers: ConnectionHandlers;
  readonly #backoff: Backoff;
  #state: ConnectionState = { name: "idle" };
  #addressAt = 0;
  /** One attempt; whatever an earlier one still reports is ignored. */
  #attempt: symbol | null = null;
  #socket: SocketLike | null = null;
  #heardAtMs = 0;

  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#backoff = new Backoff(options.random);
  }

  get state(): ConnectionState {
    return this.#state;
  }
  /** The server in use, or to be tried next. */
  get address(): Address {
    return this.#options.addresses[this.#addressAt] as Address;
  }

  connect(): void {
    if (this.#state.name === "idle" || this.#state.name === "stopped") this.#dial();
  }

  /** Nothing is sent unless the connection is live. */
  send(frame: ClientFrame): void {
    if (this.#state.name === "live" && this.#socket) transmit(this.#socket, frame);
  }

  /** The page woke up or the network came back: find out now whether the connection lives. */
  wake(): void {
    if (this.#state.name === "waiting") return this.#dial();
    if (this.#state.name !== "live") return;
    this.send({ type: "ping" });
    const askedAtMs = this.#options.clock.now();
    this.#options.agenda.set("ping", askedAtMs + PING_TIMEOUT_MS, () => {
      if (this.#heardAtMs <= askedAtMs) this.#lose({ code: null, reason: "no answer to ping" });
    });
  }

  /** Drops a live connection for a new one. */
  restart(reason: string): void {
    if (this.#state.name === "live") this.#lose({ code: null, reason });
  }

  close(): void {
    if (this.#state.name !== "stopped") this.#stop({ code: null, reason: "closed by this client" });
  }

  #dial(): void {
    const { agenda, clock, token } = this.#options;
    const attempt = Symbol("attempt");
    this.#attempt = attempt;
    this.#become({ name: "connecting", attempt: this.#backoff.attempt + 1 });
    agenda.set("watchdog", clock.now() + WELCOME_TIMEOUT_MS, () => {
      this.#lose({ code: null, reason: "no welcome in time" });
    });
    token().then(
      (token) => {
        if (this.#attempt === attempt) this.#open(attempt, token);
      },
      (error: unknown) => {
        if (this.#attempt === attempt)
          this.#lose({ code: null, reason: `no token: ${String(error)}` });
      },
    );
  }

  #open(attempt: symbol, token: string): void {
    const { WebSocket, device, agent } = this.#options;
    const socket = new WebSocket(this.address.socketUrl, [SUBPROTOCOL.binary]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    const current = (): boolean => this.#attempt === attempt;
    socket.addEventListener("open", () => {
      if (!current()) return;
      const hello: ClientFrame = { type: "hello", version: PROTOCOL_VERSION, token, device, agent };
      transmit(socket, hello);
    });
    socket.addEventListener("message", (event) => {
      if (current()) this.#received((event as MessageEventLike).data);
    });
    socket.addEventListener("close", (event) => {
      const { code, reason } = event as CloseEventLike;
      if (current()) this.#closed({ code, reason });
    });
    // `close` follows every error and says more; `ws` throws when nobody listens.
    socket.addEventListener("error", () => undefined);
  }

  #received(data: unknown): void {
    this.#heardAtMs = this.#options.clock.now();
    let frame: ServerFrame;
    try {
      frame = decodeServerFrame(data instanceof ArrayBuffer ? new Uint8Array(data) : String(data));
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      return this.#lose({ code: null, reason: `unreadable frame: ${error.message}` });
    }
    if (frame.type === "welcome") this.#welcomed(frame);
    else this.#handlers.frame(frame);
  }

  #welcomed({ user, edge, ack, beatMs }: ServerFrameOf<"welcome">): void {
    if (this.#state.name !== "connecting") return;
    this.#backoff.succeeded(this.#heardAtMs);
    this.#watch(beatMs * BEATS_MISSED_MAX);
    this.#become({ name: "live", user, edge, ack, beatMs });
  }

  /** Looks only when it is due, so that a message costs no timer. */
  #watch(patienceMs: number): void {
    const { agenda, clock } = this.#options;
    const silent = (): boolean => clock.now() - this.#heardAtMs >= patienceMs;
    agenda.set("watchdog", this.#heardAtMs + patienceMs, () => {
      if (!silent()) return this.#watch(patienceMs);
      // After a long pause of this process timers run before what has arrived is read.
      agenda.set("watchdog", clock.now() + SECOND_LOOK_MS, () => {
        if (!silent()) return this.#watch(patienceMs);
        this.#lose({ code: null, reason: "the server fell silent" });
      });
    });
  }

  #closed(drop: { code: number; reason: string }): void {
    const next = afterClose(drop.code);
    if (next === "stop") this.#stop(drop);
    else this.#lose(drop, next);
  }

  #lose(drop: Drop, next: "resume" | "refetch" = "resume"): void {
    const { agenda, clock, addresses } = this.#options;
    this.#drop("abrupt");
    const nowMs = clock.now();
    const delayMs = this.#backoff.failed(nowMs);
    this.#addressAt = (this.#addressAt + 1) % addresses.length;
    agenda.set("retry", nowMs + delayMs, () => this.#dial());
    this.#become({ name: "waiting", attempt: this.#backoff.attempt, delayMs, drop, next });
  }

  #stop(drop: Drop): void {
    this.#drop("orderly");
    this.#become({ name: "stopped", drop });
  }

  /** Lets go of the socket, whatever state it is in. A dead one would never answer a close frame. */
  #drop(how: "orderly" | "abrupt"): void {
    for (const name of ["watchdog", "retry", "ping"]) this.#options.agenda.cancel(name);
    const socket = this.#socket;
    this.#attempt = null;
    this.#socket = null;
    if (how === "abrupt" && socket?.terminate) socket.terminate();
    else socket?.close(1000);
  }

  #become(state: ConnectionState): void {
    if (!NEXT[this.#state.name].includes(state.name)) {
      throw new Error(`a connection cannot go from ${this.#state.name} to ${state.name}`);
    }
    if (state.name === "connecting") this.#options.agenda.cancel("retry");
    this.#state = state;
    this.#handlers.stateChanged(state);
  }
}

function transmit(socket: SocketLike, frame: ClientFrame): void {
  // The codec never packs into shared memory, which browsers refuse to send.
  socket.send(encodeClientFrame(frame) as Uint8Array<ArrayBuffer> | string);
}
