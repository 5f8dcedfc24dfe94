/** What happened on the sockets of a replay, seen from outside the SDK. */
import { WebSocket, type RawData } from "ws";

import type { SocketConstructor } from "../../client/socket.ts";
import { decodeServerFrame } from "../../protocol/codec.ts";
import { SERVER_FRAMES } from "../../protocol/frames.ts";

export class Tally {
  #open = 0;
  #openMost = 0;
  #opened = 0;
  /** Answers to `resume`, by status. */
  readonly resumes = new Map<string, number>();
  /** Commands that were put off, by code. */
  readonly deferred = new Map<string, number>();
  /** Ends of connections, by close code. */
  readonly closes = new Map<string, number>();

  /** The most sockets that were open at one time. */
  get openMost(): number {
    return this.#openMost;
  }
  /** Sockets that were opened in all. */
  get opened(): number {
    return this.#opened;
  }

  socketOpened(): void {
    this.#opened++;
    this.#open++;
    this.#openMost = Math.max(this.#openMost, this.#open);
  }
  socketClosed(code: number): void {
    this.#open--;
    count(this.closes, String(code));
  }

  /** Only the two kinds that are counted are decoded, a second time. */
  received(data: RawData): void {
    if (!(data instanceof ArrayBuffer)) return;
    const bytes = new Uint8Array(data);
    // The header of a short array is one byte; the frame's code follows.
    const code = bytes[1];
    if (code !== SERVER_FRAMES.resumed.code && code !== SERVER_FRAMES.deferred.code) return;
    const frame = decodeServerFrame(bytes);
    if (frame.type === "resumed") count(this.resumes, frame.status);
    if (frame.type === "deferred") count(this.deferred, frame.code);
  }
}

/** Sockets for the SDK that report to `tally`. */
export function countedSocket(tally: Tally): SocketConstructor {
  class CountedSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      // Nobody compresses here: the offer alone would cost memory on every socket.
      super(url, protocols, { perMessageDeflate: false });
      this.once("open", () => {
        tally.socketOpened();
        this.once("close", (code) => tally.socketClosed(code));
      });
      this.on("message", (data) => tally.received(data));
    }
  }
  return CountedSocket as unknown as SocketConstructor;
}

function count(into: Map<string, number>, what: string): void {
  into.set(what, (into.get(what) ?? 0) + 1);
}
