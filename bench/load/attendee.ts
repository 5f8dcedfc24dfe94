/**
 * One user with one socket in one room: follows it, attends it, talks and reads
 * along, and notes what it is told of the others.
 *
 *   away ──connect──▶ opening ──welcome──▶ greeted ◀──follow, unsubscribe──▶ following
 *    ▲                   │                    │                                  │
 *    └───────────────────┴── drop, closed ────┴──────────────────────────────────┘
 */
import { WebSocket } from "ws";

import { decodeServerFrame, encodeClientFrame } from "../../src/protocol/codec.ts";
import type {
  ClientCommand,
  ClientFrame,
  ClientFrameOf,
  ServerFrame,
  ServerFrameOf,
} from "../../src/protocol/frames.ts";
import type { CommandNumber, RoomId } from "../../src/protocol/ids.ts";
import { SUBPROTOCOL } from "../../src/protocol/version.ts";
import { EntriesReader, isEntriesFrame } from "./entries-frame.ts";

const RETRY_MS = 250;

type State = "away" | "opening" | "greeted" | "following";

/** What was received, as the socket had it to read: without the transport's own. */
export interface Received {
  bytes: number;
  presenceBytes: number;
  presenceFrames: number;
  receiptFrames: number;
  entries: number;
}

const reader = new EntriesReader();

export class Attendee {
  readonly user: string;
  readonly room: RoomId;
  readonly #url: string;
  readonly #hello: ClientFrameOf<"hello">;
  #state: State = "away";
  #socket: WebSocket | null = null;
  #lastK = 0;
  #nextSeq = 0;
  /** Newest frame of entries: its cursor is only read when it is needed. */
  #newest: Buffer | null = null;
  #waiting: (() => void)[] = [];
  readonly #outcomes = new Map<number, () => void>();
  readonly online = new Set<string>();
  /** Messages whose outcome has come. */
  applied = 0;
  /** What should not have happened, by what it is. */
  readonly faults: Record<string, number> = {};
  /** Connections that failed and were tried again. */
  retries = 0;
  readonly received: Received = {
    bytes: 0,
    presenceBytes: 0,
    presenceFrames: 0,
    receiptFrames: 0,
    entries: 0,
  };
  /** Called after each change of `online`. */
  onPresence: (() => void) | null = null;

  /** `url` of the WebSocket. */
  constructor(options: { user: string; room: RoomId; url: string; hello: ClientFrameOf<"hello"> }) {
    this.user = options.user;
    this.room = options.room;
    this.#url = options.url;
    this.#hello = options.hello;
  }

  #become(state: State): void {
    this.#state = state;
    if (state === "away" || state === "opening") return;
    for (const go of this.#waiting.splice(0)) go();
  }
  #fault(what: string): void {
    this.faults[what] = (this.faults[what] ?? 0) + 1;
  }
  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
  get isFollowing(): boolean {
    return this.#state === "following";
  }

  /** Resolves with `welcome`; tries again when it is refused a connection. */
  async connect(): Promise<void> {
    const welcomed = this.#changed();
    this.#open();
    await welcomed;
  }

  #open(): void {
    const socket = new WebSocket(this.#url, [SUBPROTOCOL.binary], { perMessageDeflate: false });
    this.#socket = socket;
    this.#become("opening");
    socket.on("open", () => socket.send(encodeClientFrame(this.#hello)));
    socket.on("message", (data: Buffer) => this.#heard(data));
    // Told by `close` as well.
    socket.on("error", () => undefined);
    socket.on("close", (code) => {
      if (this.#socket !== socket) return;
      if (this.#state !== "opening") this.#fault(`closed with ${code}`);
      this.retries++;
      this.#become("away");
      setTimeout(() => this.#open(), RETRY_MS);
    });
  }

  /** As a network that is gone. */
  drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#become("away");
    this.online.clear();
    socket?.terminate();
  }

  async follow(): Promise<void> {
    const followed = this.#changed();
    const rooms = [{ room: this.room, cursor: null, limit: 1 }];
    this.send({ type: "resume", rooms });
    await followed;
  }
  unfollow(): void {
    this.send({ type: "unsubscribe", rooms: [this.room] });
    this.online.clear();
    this.#become("greeted");
  }
  attend(): void {
    this.send({ type: "attend", rooms: [this.room] });
  }

  send(frame: ClientFrame): void {
    this.#socket?.send(encodeClientFrame(frame));
  }
  /** Resolves when it is applied; anything else is a fault. */
  perform(make: (k: CommandNumber) => ClientCommand): Promise<void> {
    const k = ++this.#lastK as CommandNumber;
    return new Promise((resolve) => {
      this.#outcomes.set(k, resolve);
      this.send(make(k));
    });
  }
  /** A frame that was made already, with this number in it. */
  sendMade(make: (k: number) => Buffer): void {
    this.#socket?.send(make(++this.#lastK));
  }

  /** Has read up to the newest entry; false when that was said already. */
  readAlong(): boolean {
    if (this.#newest === null) return false;
    const frame = decodeServerFrame(this.#newest);
    this.#newest = null;
    const through = frame.type === "entries" ? frame.entries.at(-1)?.cursor : undefined;
    if (through === undefined) return false;
    this.send({ type: "read", room: this.room, through });
    return true;
  }

  #heard(data: Buffer): void {
    this.received.bytes += data.length;
    if (isEntriesFrame(data) && this.#nextSeq > 0) this.#entries(data);
    else this.#frame(decodeServerFrame(data), data.length);
  }

  #entries(data: Buffer): void {
    reader.read(data, ({ seq }) => {
      this.received.entries++;
      if (seq !== this.#nextSeq) this.#fault("hole");
      this.#nextSeq = seq + 1;
    });
    this.#newest = data;
  }

  #frame(frame: ServerFrame, bytes: number): void {
    switch (frame.type) {
      case "welcome":
        this.#become("greeted");
        return;
      case "resumed":
        if (frame.status === "refused" || frame.more) this.#fault("not followed");
        this.#nextSeq = frame.head + 1;
        this.#become("following");
        return;
      case "presence":
        this.received.presenceBytes += bytes;
        this.received.presenceFrames++;
        this.#presence(frame);
        return;
      case "receipts":
      case "readers":
        this.received.receiptFrames++;
        return;
      case "applied":
        this.applied++;
        this.#outcomes.get(frame.k)?.();
        this.#outcomes.delete(frame.k);
        return;
      case "error":
      case "rejected":
      case "deferred":
      case "unsubscribed":
        this.#fault(`${frame.type} ${frame.code}`);
        return;
      case "entries":
      case "accepted":
      case "beat":
      case "unread":
      case "typists":
      case "roomsChanged":
      // Nothing that is counted here.
    }
  }

  #presence({ whole, online, offline }: ServerFrameOf<"presence">): void {
    if (whole) this.online.clear();
    for (const user of online) this.online.add(user);
    for (const { user } of offline) this.online.delete(user);
    this.onPresence?.();
  }
}
