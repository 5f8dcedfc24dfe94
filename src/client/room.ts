import type { Entry } from "../protocol/frames.ts";
import type { CommandNumber, Epoch, RoomId, Seq } from "../protocol/ids.ts";
import { mayIgnore, type ClientError } from "./client-error.ts";
import type { HistoryPage, HistoryQuery, RoomInfo } from "./http.ts";
import type { CommandDraft, Outcome, OutboxItem } from "./outbox.ts";
import type { FollowOptions, Subscription, SubscriptionState } from "./subscription.ts";

/** Failed messages of a room that stay in `pending`; older ones go. */
export const FAILED_KEPT = 50;

/** An own message that is not yet part of `entries`. */
export interface PendingMessage {
  readonly k: CommandNumber;
  readonly text: string;
  readonly state: PendingState;
}
export type PendingState =
  | { readonly name: "queued" | "sent" | "accepted" }
  | { readonly name: "failed"; readonly error: ClientError };

/** What a room needs of the client, besides what its subscription needs. */
export interface RoomHost {
  submit(draft: CommandDraft, adopt?: (item: OutboxItem) => void): Promise<Outcome>;
  history(room: RoomId, query: HistoryQuery): Promise<HistoryPage>;
  info(room: RoomId): Promise<RoomInfo>;
  pendingChanged(): void;
}

/** A handle on one room; `client.room(id)` gives the same one each time. */
export class Room {
  readonly id: RoomId;
  readonly #host: RoomHost;
  readonly #subscription: Subscription;
  /** Own messages in the order they were sent, until their entry is there. */
  readonly #own = new Set<OutboxItem>();

  /** Made by `ChatClient.room`. */
  constructor(id: RoomId, host: RoomHost, subscription: Subscription) {
    this.id = id;
    this.#host = host;
    this.#subscription = subscription;
  }

  get state(): SubscriptionState {
    return this.#subscription.state;
  }
  /** The newest entries, oldest first: a live view, at most `entriesKept` long. */
  get entries(): readonly Entry[] {
    return this.#subscription.timeline.entries;
  }
  /** Seq of the newest entry known here, or null. */
  get lastSeq(): Seq | null {
    return this.#subscription.timeline.last;
  }
  /** Known from the first page on. */
  get epoch(): Epoch | null {
    return this.#subscription.epoch;
  }
  /** Own messages that are not in `entries` yet, or failed, in order. */
  get pending(): readonly PendingMessage[] {
    return [...this.#own].map(pendingMessage);
  }

  /**
   * Follows the room until `unfollow`, over every reconnect; entries come as
   * events of the client. A room that was followed starts anew. Resolves when
   * caught up; rejects with ClientError `forbidden`, `tooManyRooms` or `closed`.
   */
  follow(options: FollowOptions = {}): Promise<void> {
    return mayIgnore(this.#subscription.follow(options));
  }

  unfollow(): void {
    this.#subscription.unfollow();
  }

  /**
   * Sends a message, now or when there is a connection. Resolves when it is in
   * effect; rejects with ClientError (`forbidden`, `invalid`, `outboxFull`, …).
   */
  send(text: string): Promise<Outcome> {
    return this.#host.submit({ type: "send", room: this.id, text }, (item) => {
      this.#own.add(item);
      this.#host.pendingChanged();
    });
  }

  /** Removes a failed message from `pending`. */
  dismiss(k: CommandNumber): void {
    for (const item of this.#own) {
      if (item.k === k && item.state.name === "failed") this.#own.delete(item);
    }
    this.#host.pendingChanged();
  }

  join(): Promise<Outcome> {
    return this.#host.submit({ type: "join", room: this.id });
  }
  leave(): Promise<Outcome> {
    return this.#host.submit({ type: "leave", room: this.id });
  }
  invite(user: string): Promise<Outcome> {
    return this.#host.submit({ type: "invite", room: this.id, user: user as never });
  }
  rename(name: string): Promise<Outcome> {
    return this.#host.submit({ type: "rename", room: this.id, name });
  }

  /** A page of older (or missed) entries; it does not become part of `entries`. */
  history(query: HistoryQuery = {}): Promise<HistoryPage> {
    return this.#host.history(this.id, query);
  }
  info(): Promise<RoomInfo> {
    return this.#host.info(this.id);
  }

  /** Called by the client when one of this room's messages changed its state. */
  itemChanged(item: OutboxItem): void {
    if (!this.#own.has(item)) return;
    if (item.state.name === "failed") this.#dropOldFailures();
    this.settle();
  }

  /** Forgets messages whose entry has arrived, or never will because nobody follows. */
  settle(): void {
    if (this.#own.size === 0) return;
    const { followed, timeline } = this.#subscription;
    for (const item of this.#own) {
      if (item.state.name !== "applied") continue;
      if (!followed || (timeline.last ?? 0) >= item.state.outcome.seq) this.#own.delete(item);
    }
    this.#host.pendingChanged();
  }

  #dropOldFailures(): void {
    const failed = [...this.#own].filter((item) => item.state.name === "failed");
    for (const item of failed.slice(0, -FAILED_KEPT)) this.#own.delete(item);
  }
}

function pendingMessage(item: OutboxItem): PendingMessage {
  const text = item.command.type === "send" ? item.command.text : "";
  const { state, k } = item;
  if (state.name === "failed") return { k, text, state: { name: "failed", error: state.error } };
  // In effect, but its entry is still on the way.
  if (state.name === "applied") return { k, text, state: { name: "accepted" } };
  return { k, text, state: { name: state.name } };
}
