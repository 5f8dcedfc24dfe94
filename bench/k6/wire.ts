/**
 * One WebSocket with the JSON sub-protocol, from the upgrade to its close.
 *
 *   connecting ──open──▶ greeting ──welcome──▶ live ──close()──▶ leaving
 *        │                   │                  │                   │
 *        └───────────────────┴──── lost ────────┴────── closed ◀────┘
 *
 * `#become` is the only writer of `#state`.
 */
import { WebSocket } from "k6/websockets";

import type { ClientFrame, ServerFrame } from "../../src/protocol/frames.ts";
import type { DeviceId } from "../../src/protocol/ids.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../../src/protocol/version.ts";

const AGENT = "k6";

export interface WireOptions {
  /** `http://host:port` of an edge. */
  readonly url: string;
  readonly device: string;
  /** JWT or ticket. */
  readonly token: string;
  readonly onWelcome: () => void;
  /** `atMs`: when it came out of the network, in ms since 1970 with fractions. */
  readonly onFrame: (frame: ServerFrame, atMs: number) => void;
  /** Called once. `asked`: it follows a `close()`. */
  readonly onClosed: (asked: boolean, why: string) => void;
}

type WireState = "connecting" | "greeting" | "live" | "leaving" | "closed";

/** What k6 gives at the end of a socket; its types name none of it. */
interface Closed {
  readonly code?: number;
  readonly reason?: string;
}

export class Wire {
  readonly #options: WireOptions;
  readonly #socket: WebSocket;
  #state: WireState = "connecting";
  #lastError = "";

  constructor(options: WireOptions) {
    this.#options = options;
    // k6 documents the header; the second argument is not in its types.
    const headers = { "Sec-WebSocket-Protocol": SUBPROTOCOL.json };
    const address = `${options.url.replace(/^http/, "ws")}/v1/socket`;
    this.#socket = new WebSocket(address, null, { headers });
    this.#socket.addEventListener("open", () => this.#opened());
    this.#socket.addEventListener("message", (event) => {
      if ("data" in event) this.#received(event.data as string, event.timestamp);
    });
    this.#socket.addEventListener("error", (event) => {
      if ("error" in event) this.#lastError = event.error;
    });
    this.#socket.addEventListener("close", (event) => {
      const { code, reason } = event as Closed;
      this.#closed(`${this.#lastError || (reason ?? "")} (${code ?? "no code"})`);
    });
  }

  #become(state: WireState): void {
    this.#state = state;
  }

  get live(): boolean {
    return this.#state === "live";
  }

  /** Only while live: what is sent before is nobody's to repeat. */
  send(frame: ClientFrame): void {
    if (this.#state !== "live") throw new Error(`${frame.type} was sent while ${this.#state}`);
    this.#socket.send(JSON.stringify(frame));
  }

  /** From here on nothing is received, so what is on its way is lost to this connection. */
  close(): void {
    if (this.#state === "closed" || this.#state === "leaving") return;
    this.#become("leaving");
    this.#socket.close();
  }

  #opened(): void {
    if (this.#state !== "connecting") return;
    this.#become("greeting");
    const { device, token } = this.#options;
    const hello: ClientFrame = {
      type: "hello",
      version: PROTOCOL_VERSION,
      token,
      device: device as DeviceId,
      agent: AGENT,
    };
    this.#socket.send(JSON.stringify(hello));
  }

  #received(data: string, atMs: number): void {
    const frame = JSON.parse(data) as ServerFrame;
    if (this.#state === "greeting" && frame.type === "welcome") {
      this.#become("live");
      this.#options.onWelcome();
    } else if (this.#state === "live") {
      this.#options.onFrame(frame, atMs);
    }
  }

  #closed(why: string): void {
    const asked = this.#state === "leaving";
    if (this.#state === "closed") return;
    this.#become("closed");
    this.#options.onClosed(asked, why);
  }
}
