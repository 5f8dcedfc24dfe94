import { parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Entry, ServerFrameOf } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Agenda, Clock } from "./agenda.ts";
import { Backoff } from "./backoff.ts";
import { ClientError } from "./client-error.ts";
import { Timeline } from "./timeline.ts";

/** Entries that a beat announces may still be on their way for this long. */
export const HEAD_GRACE_MS = 1_000;
/** A `resume` without an answer is sent again after this time. */
export const RESUME_PATIENCE_MS = 30_000;
/** What most rooms start with; one of another epoch answers `reset` and names its own. */
const FIRST_EPOCH = 1 as Epoch;

/**
 * Following one room.
 *
 *            follow             connected                     more=false
 *   idle ──────────▶ waiting ─────────────▶ resuming ──────────────────▶ live
 *    ▲                 ▲                     │  ▲  │ more=true            │
 *    │                 │   connection lost   │  │  └──▶ resuming          │
 *    │ unfollow        ├─────────────────────┴──┼─────────────────────────┤
 *    │ (from any)      │                 pause  │      seq skipped,       │
 *    │                 │                  over  │      head not reached   │
 *    │                 └─────────────── paused  ├─────────────────────────┤
 *    │                                    ▲     │                         │
 *    │       page does not connect ───────┴─────┼──── `unavailable` ──────┤
 *    │                                                                    │
 *    └── ended(code) ◀── `refused`, `forbidden` ──────────────────────────┘
 *
 * `become` is the only writer of `state`. One resume at a time: a second gap
 * while `resuming` changes nothing, the page to come covers it.
 */
export type SubscriptionState =
  | { readonly name: "idle" }
  | { readonly name: "waiting" }
  | { readonly name: "resuming" }
  | { readonly name: "live" }
  | { readonly name: "paused"; readonly delayMs: number }
  | { readonly name: "ended"; readonly code: ErrorCode };

/** Where to begin: the newest page, the first entry of all, or after an entry known from before. */
export type FollowFrom = "newest" | "origin" | Cursor;

export interface FollowOptions {
  readonly from?: FollowFrom;
  /** Entries of the first page, 1 to LIMITS.pageEntries; 50. */
  readonly limit?: number;
}
const FIRST_PAGE_ENTRIES = 50;

export type ResumeRequest = {
  readonly room: RoomId;
  readonly cursor: Cursor | null;
  readonly limit: number;
};

/** What a subscription needs of the client and tells it. */
export interface SubscriptionHost {
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly random: () => number;
  readonly entriesKept: number;
  /** Who looks at the room; null before the first welcome. */
  me(): UserId | null;
  connected(): boolean;
  /** False when the connection follows as many rooms as it may. */
  mayFollow(subscription: Subscription): boolean;
  /** Calls `request` soon and sends what it returns, together with other rooms' requests. */
  requestResume(subscription: Subscription): void;
  unsubscribe(room: RoomId): void;
  /** The timeline begins anew; the room's history may be `another` one. */
  restarted(another: boolean): void;
  /** After the entry became part of the timeline. */
  entry(entry: Entry, live: boolean): void;
  reset(): void;
  gap(after: Seq, before: Seq): void;
  stateChanged(): void;
}

export class Subscription {
  readonly room: RoomId;
  readonly #host: SubscriptionHost;
  readonly #timeline: Timeline;
  readonly #backoff: Backoff;
  #state: SubscriptionState = { name: "idle" };
  #pageEntries = FIRST_PAGE_ENTRIES;
  /** The origin's epoch as asked for, until the first entry has come. */
  #originEpoch: Epoch | null = null;
  #epoch: Epoch | null = null;
  /** The newest seq that the server has spoken of. */
  #head = 0;
  #waiters: { resolve: () => void; reject: (error: ClientError) => void }[] = [];

  constructor(room: RoomId, host: SubscriptionHost) {
    this.room = room;
    this.#host = host;
    this.#timeline = new Timeline(host.entriesKept, () => host.me());
    this.#backoff = new Backoff(host.random);
  }

  get state(): SubscriptionState {
    return this.#state;
  }
  get timeline(): Timeline {
    return this.#timeline;
  }
  get epoch(): Epoch | null {
    return this.#epoch;
  }
  get followed(): boolean {
    return this.#state.name !== "idle" && this.#state.name !== "ended";
  }

  /**
   * Resolves when the room is live for the first time. Rejects with ClientError:
   * `forbidden`, `invalid`, `tooManyRooms`, or `closed` when it is unfollowed before.
   */
  async follow({ from = "newest", limit = FIRST_PAGE_ENTRIES }: FollowOptions): Promise<void> {
    if (!Number.isInteger(limit) || limit < 1 || limit > LIMITS.pageEntries) {
      throw new ClientError("invalid", `limit: expected 1 to ${LIMITS.pageEntries}`);
    }
    if (from !== "newest" && from !== "origin" && !parseCursor(from)) {
      throw new ClientError("invalid", "from: expected newest, origin or a cursor");
    }
    if (!this.#host.mayFollow(this)) throw new ClientError("tooManyRooms");
    if (this.followed) this.unfollow();
    this.#pageEntries = limit;
    this.#originEpoch = null;
    this.#head = 0;
    if (from === "origin") this.#startAtOrigin(FIRST_EPOCH);
    else if (from === "newest") this.#timeline.replace();
    else this.#timeline.startAfter(from);
    this.#host.restarted(false);
    const whenLive = new Promise<void>((resolve, reject) =>
      this.#waiters.push({ resolve, reject }),
    );
    this.#become({ name: "waiting" });
    this.connected();
    return whenLive;
  }

  unfollow(): void {
    const { name } = this.#state;
    if (name === "idle") return;
    if (name !== "ended" && name !== "waiting") this.#host.unsubscribe(this.room);
    this.#become({ name: "idle" });
    this.#settleWaiters(new ClientError("closed", "the room was unfollowed"));
  }

  connected(): void {
    if (this.#state.name === "waiting" && this.#host.connected()) this.#resume();
  }

  /** `refetch`: the server says that cursors mean nothing any more. */
  disconnected(next: "resume" | "refetch"): void {
    if (!this.followed) return;
    if (next === "refetch") this.#timeline.forgetCursor();
    if (this.#state.name !== "waiting") this.#become({ name: "waiting" });
  }

  /** There will be no connection unless the application asks for one. */
  stopped(error: ClientError): void {
    this.#settleWaiters(error);
  }

  /** Called when the request is really sent. */
  request(): ResumeRequest {
    const { cursor } = this.#timeline;
    // A first page is as large as was asked for; whoever catches up takes whole pages.
    const limit = cursor === null ? this.#pageEntries : LIMITS.pageEntries;
    return { room: this.room, cursor, limit };
  }

  /**
   * A page: the answer to our request, or, while live, what the server held back
   * because this connection read too slowly.
   */
  resumed(frame: ServerFrameOf<"resumed">): void {
    const { name } = this.#state;
    if (name !== "resuming" && name !== "live") return;
    if (frame.status === "refused") return this.#end("forbidden");
    if (frame.status === "reset" && this.#wrongOrigin(frame.epoch)) return this.#resume();
    // The answer to a request from before the room was unfollowed and followed again.
    const stale = frame.status === "snapshot" && this.#timeline.cursor !== null;
    if (stale) return this.received(frame.entries);
    this.#epoch = frame.epoch;
    this.#originEpoch = null;
    this.#head = frame.head;
    if (frame.status !== "ok") this.#startOver(frame);
    if (!this.#appendAll(frame.entries, false)) return this.#pause();
    if (!this.followed) return;
    if (frame.more && frame.entries.length > 0) return this.#resume();
    this.#caughtUp(frame.head);
  }

  #caughtUp(head: Seq): void {
    this.#timeline.settleAt(head);
    this.#backoff.succeeded(this.#host.clock.now());
    if (this.#state.name !== "live") this.#become({ name: "live" });
    this.#settleWaiters(null);
    this.#checkHead();
  }

  received(entries: readonly Entry[]): void {
    if (this.#state.name === "resuming") {
      // Taken if it connects; what does not is covered by the page to come. A
      // newest page begins afresh, and nothing connects to it before it is there.
      if (this.#timeline.cursor !== null) this.#appendAll(entries, true);
    } else if (this.#state.name === "live" && !this.#appendAll(entries, true)) {
      this.#resume();
    }
  }

  /** The server's newest seq of this room. */
  headIs(seq: Seq): void {
    this.#head = Math.max(this.#head, seq);
    this.#checkHead();
  }

  unsubscribed(code: ErrorCode): void {
    if (!this.followed || this.#state.name === "waiting") return;
    if (code === "unavailable") this.#pause();
    else this.#end(code);
  }

  #startAtOrigin(epoch: Epoch): void {
    this.#originEpoch = epoch;
    this.#timeline.startAtOrigin(epoch);
  }

  /** The room is of another epoch than we guessed, and nothing was read yet. */
  #wrongOrigin(epoch: Epoch): boolean {
    if (this.#originEpoch === null || this.#originEpoch === epoch) return false;
    this.#startAtOrigin(epoch);
    return true;
  }

  #startOver({ status, entries, head }: ServerFrameOf<"resumed">): void {
    const last = this.#timeline.last;
    const first = entries[0]?.seq ?? ((head + 1) as Seq);
    this.#timeline.replace();
    this.#host.restarted(status === "reset");
    if (status === "gap") this.#host.gap(last ?? (0 as Seq), first);
    // A snapshot over known entries answers a cursor that was dropped.
    else if (status === "reset" || last !== null) this.#host.reset();
  }

  /** False when an entry does not connect; the rest is left out then. */
  #appendAll(entries: readonly Entry[], live: boolean): boolean {
    for (const entry of entries) {
      const placed = this.#timeline.append(entry);
      if (placed === "gap") return false;
      if (placed === "appended") this.#host.entry(entry, live);
      // A listener may have unfollowed the room.
      if (!this.followed) return true;
    }
    return true;
  }

  #checkHead(): void {
    const behind = (): boolean => this.#state.name === "live" && this.#head > (this.#last ?? 0);
    const name = `head ${this.room}`;
    const { agenda, clock } = this.#host;
    if (!behind() || agenda.has(name)) return;
    const awaited = this.#head;
    agenda.set(name, clock.now() + HEAD_GRACE_MS, () => {
      if (this.#state.name !== "live") return;
      if ((this.#last ?? 0) < awaited) this.#resume();
      else this.#checkHead();
    });
  }

  get #last(): Seq | null {
    return this.#timeline.last;
  }

  #resume(): void {
    this.#become({ name: "resuming" });
    const { agenda, clock } = this.#host;
    agenda.set(this.#patience, clock.now() + RESUME_PATIENCE_MS, () => this.#resume());
    this.#host.requestResume(this);
  }

  #pause(): void {
    const nowMs = this.#host.clock.now();
    const delayMs = this.#backoff.failed(nowMs);
    this.#become({ name: "paused", delayMs });
    this.#host.agenda.set(this.#patience, nowMs + delayMs, () => this.#resume());
  }

  get #patience(): string {
    return `resume ${this.room}`;
  }

  #end(code: ErrorCode): void {
    this.#become({ name: "ended", code });
    this.#settleWaiters(new ClientError(code));
  }

  #settleWaiters(error: ClientError | null): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (error) reject(error);
      else resolve();
    }
  }

  #become(state: SubscriptionState): void {
    // Every wait belongs to the state that began it.
    this.#host.agenda.cancel(this.#patience);
    if (state.name !== "live") this.#host.agenda.cancel(`head ${this.room}`);
    this.#state = state;
    this.#host.stateChanged();
  }
}
