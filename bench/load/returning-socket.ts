/**
 * One client that comes back: connects, resumes its rooms from its cursors, and does
 * it again when that fails, as the SDK does.
 *
 *   away ──connect──▶ opening ──open──▶ greeting ──welcome──▶ catchingUp ──all──▶ caughtUp
 *     ▲                  │                 │                      │
 *     └──── pause ◀──────┴─────────────────┴──────────────────────┘ closed
 */
import { WebSocket } from "ws";

import { decodeServerFrame, encodeClientFrame } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { ClientFrameOf } from "../../src/protocol/frames.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { SUBPROTOCOL } from "../../src/protocol/version.ts";
import type { CatchUpLedger } from "./catch-up-ledger.ts";
import { EntriesReader, isEntriesFrame, isPageFrame, roomOf } from "./entries-frame.ts";
import { socketUrl } from "./talk.ts";

const RETRY_MS = 250;
const RETRY_MS_MAX = 4_000;
/** Pauses are spread, so that those who failed together do not come back together. */
const RETRY_SPREAD = 97;

/** A room that is followed; `follower` is its place in the ledger. */
export interface Followed {
  readonly room: RoomId;
  readonly follower: number;
  readonly cursor: Cursor;
}
interface Follow extends Followed {
  /** What came last: its cursor is only read when it is needed. */
  newest: Buffer | null;
  /** The last page has come. */
  live: boolean;
}

type State = "away" | "opening" | "greeting" | "catchingUp" | "caughtUp";

/** What all of them share and report to. */
export interface Storm {
  readonly ledger: CatchUpLedger;
  readonly missed: number;
  nowMs(): number;
  failed(reason: string): void;
  interrupted(): void;
  gap(): void;
}

const reader = new EntriesReader();

export class ReturningSocket {
  readonly #index: number;
  readonly #url: string;
  readonly #hello: ClientFrameOf<"hello">;
  readonly #follows: readonly Follow[];
  readonly #storm: Storm;
  #state: State = "away";
  #attempts = 0;
  #socket: WebSocket | null = null;
  /** Of the connection that caught up. */
  openedMs = 0;
  welcomedMs = 0;
  caughtUpMs = 0;

  constructor(
    index: number,
    address: string,
    options: { hello: ClientFrameOf<"hello">; follows: readonly Followed[]; storm: Storm },
  ) {
    this.#index = index;
    this.#url = socketUrl(address);
    this.#hello = options.hello;
    this.#follows = options.follows.map((each) => ({ ...each, newest: null, live: false }));
    this.#storm = options.storm;
  }

  #become(state: State): void {
    this.#state = state;
  }

  get isCaughtUp(): boolean {
    return this.#state === "caughtUp";
  }

  connect(): void {
    const socket = new WebSocket(this.#url, [SUBPROTOCOL.binary], { perMessageDeflate: false });
    this.#socket = socket;
    this.#become("opening");
    let reason: string | null = null;
    socket.on("open", () => {
      this.openedMs = this.#storm.nowMs();
      this.#become("greeting");
      socket.send(encodeClientFrame(this.#hello));
    });
    socket.on("message", (data: Buffer) => this.#received(data));
    socket.on("error", (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message));
    socket.on("close", (code) => this.#closed(reason ?? String(code)));
  }

  /** For good. */
  end(): void {
    this.#socket?.removeAllListeners("close").terminate();
  }

  #closed(reason: string): void {
    this.#storm.failed(reason);
    // It would have to be caught up again, and what it is sent then is still checked.
    this.#become("away");
    for (const follow of this.#follows) follow.live = false;
    const pause = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#attempts++);
    const share = (this.#index % RETRY_SPREAD) / RETRY_SPREAD;
    setTimeout(() => this.connect(), pause * (1 + share));
  }

  #received(data: Buffer): void {
    if (isPageFrame(data)) this.#page(data);
    else if (isEntriesFrame(data)) this.#entries(data);
    else this.#other(data);
  }

  #page(data: Buffer): void {
    const follow = this.#followOf(data);
    const { ledger } = this.#storm;
    let count = 0;
    const { continues, more } = reader.readPage(data, ({ seq, n }) => {
      count++;
      ledger.arrived(follow.follower, seq, n);
    });
    if (!continues) {
      this.#storm.gap();
      return;
    }
    if (count > 0) follow.newest = data;
    follow.live = !more;
    if (more) this.#resume([follow]);
    else this.#look();
  }

  #entries(data: Buffer): void {
    const follow = this.#followOf(data);
    reader.read(data, ({ seq, n }) => this.#storm.ledger.arrived(follow.follower, seq, n));
    follow.newest = data;
    this.#look();
  }

  #other(data: Buffer): void {
    const frame = decodeServerFrame(data);
    if (frame.type === "welcome") {
      this.welcomedMs = this.#storm.nowMs();
      this.#become("catchingUp");
      this.#resume(this.#follows);
    } else if (frame.type === "unsubscribed") {
      this.#storm.interrupted();
      const follow = this.#follows.find(({ room }) => room === frame.room) as Follow;
      follow.live = false;
      setTimeout(() => this.#resumeLater(follow), RETRY_MS);
    } else if (frame.type !== "beat") {
      throw new Error(`the engine answered a resume with ${frame.type}`);
    }
  }

  /** Unless the connection has ended meanwhile: the next one resumes everything. */
  #resumeLater(follow: Follow): void {
    const isConnected = this.#state === "catchingUp" || this.#state === "caughtUp";
    if (isConnected && !follow.live) this.#resume([follow]);
  }

  #resume(follows: readonly Follow[]): void {
    const rooms = follows.map((follow) => {
      return { room: follow.room, cursor: cursorOf(follow), limit: LIMITS.pageEntries };
    });
    this.#socket?.send(encodeClientFrame({ type: "resume", rooms }));
  }

  #look(): void {
    if (this.#state !== "catchingUp") return;
    const { ledger, missed } = this.#storm;
    const isDone = this.#follows.every(
      ({ live, follower }) => live && ledger.has(follower, missed),
    );
    if (!isDone) return;
    this.caughtUpMs = this.#storm.nowMs();
    this.#become("caughtUp");
  }

  #followOf(data: Buffer): Follow {
    const room = roomOf(data);
    const follow = this.#follows.find((each) => each.room === room);
    if (!follow) throw new Error(`socket ${this.#index} was sent entries of ${room}`);
    return follow;
  }
}

/** Of the newest entry. */
function cursorOf({ newest, cursor }: Follow): Cursor {
  if (newest === null) return cursor;
  const frame = decodeServerFrame(newest);
  const entries = frame.type === "resumed" || frame.type === "entries" ? frame.entries : [];
  return entries.at(-1)?.cursor ?? cursor;
}
