/**
 * One socket of the uWebSockets.js adapter.
 *
 * Its `publish` queues per subscriber until the loop turns. `send` and the close
 * frame flush that queue first, `subscribe` joins later messages only, and
 * `unsubscribe` leaves the queue alone, so the order of calls is the order on the
 * wire. One exception: leaving the *last* topic throws the queue away
 * (uNetworking/uWebSockets#1673). So every socket keeps one topic for life.
 */
import type { Encoded } from "../../protocol/codec.ts";
import type { Encoding } from "../../protocol/version.ts";
import type { Wire } from "./socket-guard.ts";

/** The part of uWebSockets.js's WebSocket that is used here; all of it throws once closed. */
export interface UwsWebSocket {
  send(data: Encoded, isBinary: boolean): number;
  getBufferedAmount(): number;
  subscribe(topic: string): boolean;
  unsubscribe(topic: string): boolean;
  end(code: number, reason: string): void;
  close(): void;
}

/** No room can be called so: ids have no control characters. */
const KEPT_TOPIC = "\u0000kept";

export class UwsWire implements Wire {
  readonly encoding: Encoding;
  readonly remoteAddress: string;
  readonly #ws: UwsWebSocket;

  constructor(
    ws: UwsWebSocket,
    peer: { readonly encoding: Encoding; readonly remoteAddress: string },
  ) {
    this.#ws = ws;
    this.encoding = peer.encoding;
    this.remoteAddress = peer.remoteAddress;
    ws.subscribe(KEPT_TOPIC);
  }

  send(data: Encoded): void {
    this.#ws.send(data, typeof data !== "string");
  }
  bufferedBytes(): number {
    return this.#ws.getBufferedAmount();
  }
  subscribe(topic: string): void {
    this.#ws.subscribe(topic);
  }
  unsubscribe(topic: string): void {
    this.#ws.unsubscribe(topic);
  }
  end(code: number, reason: string): void {
    this.#ws.end(code, reason);
  }
  drop(): void {
    this.#ws.close();
  }
}
