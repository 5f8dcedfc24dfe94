/**
 * The little that the edge needs of a WebSocket server. Two adapters implement
 * it (uWebSockets.js, and `ws` on node:http); one contract suite runs on both.
 */
import type { Encoded } from "../../protocol/codec.ts";
import type { Encoding } from "../../protocol/version.ts";

export interface Socket {
  readonly encoding: Encoding;
  readonly remoteAddress: string;
  /**
   * Queues one message after everything sent or published before it. Never
   * drops: whoever sends watches `bufferedBytes`. A no-op once closed.
   */
  send(data: Encoded): void;
  /** Bytes accepted but not yet taken by the kernel; 0 once closed. */
  bufferedBytes(): number;
  /** From now on receives what is published to `topic`. */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Sends what is queued, then a close frame. `closed` follows once. */
  close(code: number, reason: string): void;
  /** Drops the connection at once, without a close frame. `closed` follows once. */
  terminate(): void;
}

/** What the edge makes of one open socket; the adapter calls it. */
export interface Connection {
  /** `data` is text for text messages; bytes are valid during the call only. */
  message(data: Encoded): void;
  /** The buffer has emptied after backpressure. */
  drained(): void;
  /** Called exactly once, whatever ended the connection. */
  closed(code: number): void;
}

export interface UpgradeRequest {
  readonly path: string;
  readonly origin: string | null;
  /** The Host header: where the client believes it is. */
  readonly host: string | null;
  readonly protocols: readonly string[];
  readonly remoteAddress: string;
}
export type UpgradeVerdict =
  | { readonly accept: true; readonly protocol: string; readonly encoding: Encoding }
  | { readonly accept: false; readonly status: number; readonly message: string };

export interface SocketHandlers {
  upgrade(request: UpgradeRequest): UpgradeVerdict;
  open(socket: Socket): Connection;
  /** Everything that is not an upgrade; the body is capped by `httpBodyBytesMax`. */
  http(request: Request, remoteAddress: string): Promise<Response>;
  /** A handler threw: the adapter has closed that one connection with 4004 or answered 500. */
  failed(error: unknown): void;
}

export interface SocketServerOptions {
  /** A message past this ends the connection inside the transport, without a code of ours. */
  readonly messageBytesMax: number;
  readonly httpBodyBytesMax: number;
  /** A peer that answers no ping for this long is closed; whole seconds from 8 to 960. */
  readonly idleTimeoutSec: number;
}

export interface SocketServer {
  readonly adapter: "uws" | "ws";
  /** Resolves to the port bound (0 asks for a free one); rejects when it cannot be bound. */
  listen(host: string, port: number): Promise<number>;
  /** One message to every subscriber of `topic`, in the order of calls. */
  publish(topic: string, data: Encoded): void;
  /** New connections are refused from here on; the open ones stay. */
  stopListening(): void;
  /** Stops listening and drops every connection. */
  close(): Promise<void>;
}
export type CreateSocketServer = (
  handlers: SocketHandlers,
  options: SocketServerOptions,
) => SocketServer;
