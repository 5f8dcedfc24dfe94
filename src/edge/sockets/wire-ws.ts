/** One socket of the `ws` adapter, and who is subscribed to what. */
import type { WebSocket } from "ws";

import type { Encoded } from "../../protocol/codec.ts";
import type { Encoding } from "../../protocol/version.ts";
import { SOCKET_BUFFERED_BYTES_MAX, type Wire } from "./socket-guard.ts";

/** What the wire notices by itself. */
export interface WireEvents {
  drained(): void;
  /** More is queued than may ever be. */
  overflowed(): void;
}

export class WsWire implements Wire {
  readonly encoding: Encoding;
  readonly remoteAddress: string;
  readonly #ws: WebSocket;
  readonly #topics: Topics;
  readonly #events: WireEvents;
  readonly #joined = new Set<string>();
  #blocked = false;
  #heard = true;
  #pinged = false;

  constructor(
    ws: WebSocket,
    peer: { readonly encoding: Encoding; readonly remoteAddress: string },
    topics: Topics,
    events: WireEvents,
  ) {
    this.#ws = ws;
    this.encoding = peer.encoding;
    this.remoteAddress = peer.remoteAddress;
    this.#topics = topics;
    this.#events = events;
  }

  send(data: Encoded): void {
    this.sendBytes(data, typeof data !== "string");
  }
  /** Text that is bytes already: encoded once for all receivers of a topic. */
  sendBytes(data: Encoded, isBinary: boolean): void {
    this.#ws.send(data, { binary: isBinary }, this.#taken);
    this.checkBuffer();
  }
  bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }
  subscribe(topic: string): void {
    this.#joined.add(topic);
    this.#topics.join(topic, this);
  }
  unsubscribe(topic: string): void {
    this.#joined.delete(topic);
    this.#topics.leave(topic, this);
  }
  unsubscribeAll(): void {
    for (const topic of this.#joined) this.unsubscribe(topic);
  }
  end(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }
  drop(): void {
    this.#ws.terminate();
  }

  /** After everything that may have grown the buffer, pongs to a flood of pings included. */
  checkBuffer(): void {
    const bytes = this.#ws.bufferedAmount;
    if (bytes > 0) this.#blocked = true;
    if (bytes > SOCKET_BUFFERED_BYTES_MAX) this.#events.overflowed();
  }

  /** The peer has shown that it is there. */
  heard(): void {
    this.#heard = true;
    this.#pinged = false;
  }
  /**
   * One sweep of the idle timer: a peer that was quiet since the last one is
   * pinged. False: it was pinged at the last sweep and is still quiet.
   */
  answers(): boolean {
    if (!this.#heard && this.#pinged) return false;
    if (!this.#heard) {
      this.#pinged = true;
      this.#ws.ping();
    }
    this.#heard = false;
    return true;
  }

  /** The kernel has taken one message. An error shows again as the end of the socket. */
  readonly #taken = (): void => {
    if (!this.#blocked) return;
    // It was blocked, so this was taken because the peer reads.
    this.heard();
    if (this.#ws.bufferedAmount > 0) return;
    this.#blocked = false;
    this.#events.drained();
  };
}

export class Topics {
  readonly #members = new Map<string, Set<WsWire>>();

  join(topic: string, wire: WsWire): void {
    const members = this.#members.get(topic);
    if (members === undefined) this.#members.set(topic, new Set([wire]));
    else members.add(wire);
  }
  leave(topic: string, wire: WsWire): void {
    const members = this.#members.get(topic);
    members?.delete(wire);
    if (members?.size === 0) this.#members.delete(topic);
  }
  publish(topic: string, data: Encoded): void {
    const members = this.#members.get(topic);
    if (members === undefined) return;
    const isBinary = typeof data !== "string";
    const bytes = isBinary ? data : Buffer.from(data);
    for (const wire of members) wire.sendBytes(bytes, isBinary);
  }
}
