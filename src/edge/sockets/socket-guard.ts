/**
 * The life of one open socket, the same on both adapters. Two promises of the
 * port are kept here: no error of a handler escapes into the transport (in
 * uWebSockets.js it would end the process), and `closed` is called exactly once
 * and never from inside a call that the edge makes.
 *
 *   opening ──opened──▶ open ──close | terminate | gone | a handler threw──▶ closed
 *      │                                                                       ▲
 *      └──────────── close | terminate | gone | `open` threw ──────────────────┘
 *
 * `#become` is the only writer of `#state`.
 */
import type { Encoded } from "../../protocol/codec.ts";
import { CLOSE } from "../../protocol/errors.ts";
import type { Encoding } from "../../protocol/version.ts";
import type { Connection, Socket, SocketHandlers, SocketServerOptions } from "./socket-port.ts";

/**
 * Bytes queued for one socket past which the connection is dropped. The edge
 * stops a slow reader long before; this only bounds memory should it fail to,
 * and the connection is dropped because a dropped message would be a silent gap.
 */
export const SOCKET_BUFFERED_BYTES_MAX = 64 * 1024 * 1024;

/** What both transports can time; uWebSockets.js ends the process on anything else. */
const IDLE_TIMEOUT_SEC = { min: 8, max: 960 } as const;

/** The code of a connection that ended without a close frame. */
export const VANISHED = 1006;

/** What differs between the transports. Called only while the socket is not closed. */
export interface Wire {
  readonly encoding: Encoding;
  readonly remoteAddress: string;
  send(data: Encoded): void;
  bufferedBytes(): number;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  end(code: number, reason: string): void;
  drop(): void;
}

export type Report = (error: unknown) => void;

type SocketState =
  | { readonly name: "opening" }
  | { readonly name: "open"; readonly connection: Connection }
  | { readonly name: "closed"; readonly code: number };

export class GuardedSocket implements Socket {
  readonly #wire: Wire;
  readonly #report: Report;
  readonly #left: () => void;
  #state: SocketState = { name: "opening" };

  /** `left` is called once, at once, when the socket is closed for whatever reason. */
  constructor(wire: Wire, report: Report, left: () => void) {
    this.#wire = wire;
    this.#report = report;
    this.#left = left;
  }

  get encoding(): Encoding {
    return this.#wire.encoding;
  }
  get remoteAddress(): string {
    return this.#wire.remoteAddress;
  }

  send(data: Encoded): void {
    if (this.#state.name !== "closed") this.#wire.send(data);
  }
  bufferedBytes(): number {
    return this.#state.name === "closed" ? 0 : this.#wire.bufferedBytes();
  }
  subscribe(topic: string): void {
    if (this.#state.name !== "closed") this.#wire.subscribe(topic);
  }
  unsubscribe(topic: string): void {
    if (this.#state.name !== "closed") this.#wire.unsubscribe(topic);
  }
  close(code: number, reason: string): void {
    this.#end(code, () => this.#wire.end(code, reason));
  }
  terminate(): void {
    this.#end(VANISHED, () => this.#wire.drop());
  }

  /** For the adapter: hands the new socket to the edge. */
  opened(open: (socket: Socket) => Connection): void {
    try {
      const connection = open(this);
      if (this.#state.name === "closed") this.#tell(connection, this.#state.code);
      else this.#become({ name: "open", connection });
    } catch (error) {
      this.#fail(error);
    }
  }
  /** For the adapter: one message of the peer; nothing is heard once closed. */
  received(data: Encoded): void {
    this.#call((connection) => connection.message(data));
  }
  /** For the adapter: the buffer has emptied. */
  drained(): void {
    this.#call((connection) => connection.drained());
  }
  /** For the adapter: the connection has ended below us. */
  gone(code: number): void {
    this.#end(code, () => undefined);
  }

  #call(handler: (connection: Connection) => void): void {
    if (this.#state.name !== "open") return;
    try {
      handler(this.#state.connection);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#report(error);
    this.close(CLOSE.internal.code, CLOSE.internal.reason);
  }

  #end(code: number, onWire: () => void): void {
    const before = this.#state;
    if (before.name === "closed") return;
    this.#become({ name: "closed", code });
    this.#left();
    try {
      onWire();
    } catch (error) {
      this.#report(error);
      this.#wire.drop();
    }
    if (before.name === "open") this.#tell(before.connection, code);
  }

  /** A turn later, so that the edge is never re-entered from its own `close`. */
  #tell(connection: Connection, code: number): void {
    queueMicrotask(() => {
      try {
        connection.closed(code);
      } catch (error) {
        this.#report(error);
      }
    });
  }

  #become(state: SocketState): void {
    this.#state = state;
  }
}

/** `failed` of the handlers, made safe to call from inside a transport. */
export function reportTo(handlers: SocketHandlers): Report {
  return (error) => {
    try {
      handlers.failed(error);
    } catch {
      // The reporter itself failed: nobody is left to tell, and the process must live on.
    }
  };
}

/** Throws RangeError on options that a transport could only answer by ending the process. */
export function checkOptions(options: SocketServerOptions): void {
  const { min, max } = IDLE_TIMEOUT_SEC;
  const seconds = options.idleTimeoutSec;
  if (!Number.isInteger(seconds) || seconds < min || seconds > max) {
    throw new RangeError(`idleTimeoutSec must be a whole number from ${min} to ${max}`);
  }
}
