/**
 * One device of one user: connected or on the way to it, with its commands and
 * at most one room that it follows. It comes back by itself.
 *
 *             connect()              welcome            follow()
 *   away ────────────────▶ connecting ──────▶ connected ────────▶ resuming ──▶ following
 *    ▲                         │                 ▲  unfollow()        │   ◀──hole──  │
 *    │                         │                 └────────────────────┴──────────────┤
 *    └── lost, drop() ─────────┴──────────────────────────────────────────────────◀──┘
 *                                    leave() from anywhere: left, for good
 *
 * `#become` is the only writer of `#state`.
 */
import { setTimeout } from "k6/timers";

import type { Cursor } from "../../src/protocol/cursor.ts";
import type { Entry, ServerFrame, ServerFrameOf } from "../../src/protocol/frames.ts";
import { buyTicket, signToken } from "./credentials.ts";
import * as measures from "./measures.ts";
import { formatMessage, type Message } from "./message-text.ts";
import { Outbox, type Draft, type Outcome } from "./outbox.ts";
import type { Plan } from "./plan.ts";
import type { RoomLedger } from "./room-ledger.ts";
import { Wire } from "./wire.ts";

const PAGE_ENTRIES = 100;
const BACKOFF_MS = { first: 250, most: 5_000 } as const;

export interface DeviceOptions {
  readonly plan: Plan;
  readonly url: string;
  readonly user: string;
  readonly device: string;
  /** Buys a ticket for each connection, instead of showing its token. */
  readonly tickets: boolean;
  readonly onPresence?: (frame: ServerFrameOf<"presence">) => void;
}

type DeviceState =
  | { readonly name: "away" | "connecting" | "connected" | "following" | "left" }
  | { readonly name: "resuming"; readonly askedMs: number };

export class Device {
  readonly #options: DeviceOptions;
  readonly #token: string;
  readonly #outbox: Outbox;
  #state: DeviceState = { name: "away" };
  #wire: Wire | null = null;
  #ledger: RoomLedger | null = null;
  /** When the way back to a followed room began; null when it is not on it. */
  #backSinceMs: number | null = null;
  /** Attends what it follows, on every connection. */
  #attends = false;
  /** Up to where it has said that it has read. */
  #readTo = "";
  #failures = 0;
  #pausedUntilMs = 0;
  /** Those who wait until it is where it should be. */
  #waiting: (() => void)[] = [];

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.#token = signToken(options.plan, options.user);
    this.#outbox = new Outbox((command, again) => {
      this.#wire?.send(command);
      if (again) measures.resent.add(1);
    });
  }

  #become(state: DeviceState): void {
    this.#state = state;
    const settled =
      state.name === "following" ||
      state.name === "left" ||
      (state.name === "connected" && this.#ledger === null);
    if (settled) for (const arrived of this.#waiting.splice(0)) arrived();
  }

  get #isConnecting(): boolean {
    return this.#state.name === "connecting";
  }
  get isFollowing(): boolean {
    return this.#state.name === "following";
  }
  /** No command waits for its outcome. */
  get isSettled(): boolean {
    return this.#outbox.isEmpty;
  }

  /** Resolves when it is connected, and follows the room that it followed before. */
  async connect(): Promise<void> {
    if (this.#state.name !== "away") return;
    const sinceMs = Date.now();
    this.#become({ name: "connecting" });
    if (this.#ledger !== null) this.#backSinceMs = sinceMs;
    const arrived = this.#arrival();
    const { url, device, tickets } = this.#options;
    try {
      const token = tickets ? await buyTicket(url, this.#token) : this.#token;
      // It may have been dropped while it was at the counter.
      if (!this.#isConnecting) return;
      this.#wire = new Wire({
        url,
        device,
        token,
        onWelcome: () => this.#welcomed(sinceMs),
        onFrame: (frame, atMs) => this.#received(frame, atMs),
        onClosed: (asked, why) => this.#closed(asked, why),
      });
    } catch (error) {
      this.#closed(false, String(error));
    }
    await arrived;
  }

  /** Resolves with the outcome; everything but `applied` is counted as an error. */
  perform(draft: Draft): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#outbox.add(draft, (outcome) => {
        if (outcome !== "applied") measures.failed("command", `${draft.type} was ${outcome}`);
        resolve(outcome);
      });
      this.#flush();
    });
  }

  /** Says something in the followed room, now or when it is back. */
  say(message: Message): void {
    if (this.#ledger === null) throw new Error("there is no room to speak in");
    measures.sent.add(1);
    void this.perform({ type: "send", room: this.#ledger.room, text: formatMessage(message) });
  }

  /** Reads the room from the ledger's cursor on; resolves when it is followed live. */
  follow(ledger: RoomLedger): Promise<void> {
    this.#ledger = ledger;
    const arrived = this.#arrival();
    if (this.#wire?.live === true) this.#ask(ledger);
    return arrived;
  }

  unfollow(): void {
    const ledger = this.#ledger;
    this.#ledger = null;
    if (ledger === null || this.#wire?.live !== true) return;
    this.#wire.send({ type: "unsubscribe", rooms: [ledger.room] });
    this.#become({ name: "connected" });
  }

  attend(): void {
    this.#attends = true;
    if (this.isFollowing) this.#attendNow();
  }
  #attendNow(): void {
    if (this.#ledger !== null) this.#wire?.send({ type: "attend", rooms: [this.#ledger.room] });
  }

  /** That its user types in the attended room, and nothing while it is on its way back. */
  typing(): void {
    if (!this.isFollowing || !this.#attends || this.#ledger === null) return;
    this.#wire?.send({ type: "typing", room: this.#ledger.room, on: true });
  }

  /** That its user has read everything that is here, when that is new. */
  readAlong(): void {
    const ledger = this.#ledger;
    if (!this.isFollowing || ledger === null || ledger.cursor === this.#readTo) return;
    this.#readTo = ledger.cursor;
    this.#wire?.send({ type: "read", room: ledger.room, through: ledger.cursor as Cursor });
  }

  /** Loses the connection. What the server sent or was sent meanwhile may be lost with it. */
  drop(): void {
    if (this.#state.name === "left") return;
    this.#disconnect();
    measures.reconnects.add(1);
  }

  leave(): void {
    this.#disconnect();
    this.#become({ name: "left" });
  }

  #disconnect(): void {
    const wire = this.#wire;
    this.#wire = null;
    wire?.close();
    this.#outbox.disconnected();
    this.#become({ name: "away" });
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #welcomed(sinceMs: number): void {
    measures.connectMs.add(Date.now() - sinceMs);
    this.#failures = 0;
    this.#pausedUntilMs = 0;
    if (this.#ledger === null) this.#become({ name: "connected" });
    else this.#ask(this.#ledger);
    this.#flush();
  }

  /** Only what nobody asked for is an error, and is followed by another attempt. */
  #closed(asked: boolean, why: string): void {
    if (asked || this.#state.name === "left") return;
    measures.failed("connection", `${this.#options.device}: ${why}`);
    this.#disconnect();
    const pause = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** this.#failures);
    this.#failures++;
    setTimeout(() => void this.connect(), pause);
  }

  #flush(): void {
    if (this.#wire?.live === true && Date.now() >= this.#pausedUntilMs) this.#outbox.flush();
  }

  #received(frame: ServerFrame, atMs: number): void {
    switch (frame.type) {
      case "entries":
        // While a page is on its way, these are of the time before it was asked for.
        if (this.isFollowing && frame.room === this.#ledger?.room) {
          if (!this.#take(this.#ledger, frame.entries, atMs, true)) this.#ask(this.#ledger);
        }
        break;
      case "resumed":
        this.#resumed(frame, atMs);
        break;
      case "applied":
      case "rejected":
        this.#outbox.settle(frame.k, frame.type);
        break;
      case "deferred":
        measures.deferred.add(1);
        this.#outbox.putOff(frame.k);
        this.#pausedUntilMs = Date.now() + frame.retryAfterMs;
        setTimeout(() => this.#flush(), frame.retryAfterMs + 1);
        return;
      case "unsubscribed":
      case "error":
        measures.failed(frame.type, frame.code);
        break;
      case "presence":
        this.#options.onPresence?.(frame);
        break;
      case "welcome":
      case "accepted":
      case "receipts":
      case "readers":
      case "typists":
      case "unread":
      case "roomsChanged":
      case "beat":
        break;
    }
    this.#flush();
  }

  #ask(ledger: RoomLedger): void {
    this.#become({ name: "resuming", askedMs: Date.now() });
    const { room, cursor } = ledger;
    const limit = PAGE_ENTRIES;
    this.#wire?.send({ type: "resume", rooms: [{ room, cursor: cursor as Cursor, limit }] });
  }

  #resumed(page: ServerFrameOf<"resumed">, atMs: number): void {
    const ledger = this.#ledger;
    if (ledger === null || page.room !== ledger.room) return;
    const state = this.#state;
    if (state.name === "resuming") {
      measures.pageMs.add(Math.max(0, atMs - state.askedMs), { via: "socket" });
    }
    if (page.status !== "ok") {
      measures.failed("page", `${page.room} ${page.status} at ${ledger.cursor}`);
      return;
    }
    // A page that nobody asked for ends a time in which the server had stopped pushing.
    const whole = this.#take(ledger, page.entries, atMs, state.name === "following");
    if (page.more || !whole) {
      this.#ask(ledger);
      return;
    }
    const wasFollowing = state.name === "following";
    this.#become({ name: "following" });
    if (this.#attends && !wasFollowing) this.#attendNow();
    if (this.#backSinceMs !== null) measures.resumeMs.add(Date.now() - this.#backSinceMs);
    this.#backSinceMs = null;
  }

  /** False at an entry that does not follow; it and all after it are left out. */
  #take(ledger: RoomLedger, entries: readonly Entry[], atMs: number, live: boolean): boolean {
    const { user, device } = this.#options;
    for (const entry of entries) {
      const taken = ledger.take(entry);
      if (taken === "hole") return false;
      if (entry.by === user && entry.device === device) this.#outbox.settle(entry.k, "applied");
      if (typeof taken === "string") continue;
      measures.delivered.add(1);
      const latencyMs = atMs - taken.dueMs;
      if (live && !taken.late) measures.deliveryMs.add(latencyMs);
      // Someone who has just come reads old messages, which says nothing about delivery.
      else if (live || this.#backSinceMs !== null) measures.catchUpMs.add(latencyMs);
    }
    return true;
  }
}
