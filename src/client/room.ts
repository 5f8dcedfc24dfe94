import type { Entry, RoomKind } from "../protocol/frames.ts";
import type { CommandNumber, Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { mayIgnore } from "./client-error.ts";
import type { ThreadQuery } from "./http.ts";
import type { ChangeCommand, Message } from "./message.ts";
import type { CommandDraft, Outcome, OutboxItem } from "./outbox.ts";
import type { PendingMessage } from "./own-commands.ts";
import type { Presence } from "./presence.ts";
import type {
  HistoryPage,
  HistoryQuery,
  MessageVersion,
  Pin,
  ReactorsPage,
  RoomInfo,
  ThreadPage,
} from "./replies.ts";
import type { Member } from "./room-details.ts";
import type { RoomParts } from "./room-parts.ts";
import type { FollowOptions, SubscriptionState } from "./subscription.ts";
import type { Older } from "./timeline.ts";

/** What a room needs of the client. */
export interface RoomHost {
  /** Whether others are told what is read here, unless `read` says so. */
  readonly receipts: ReceiptsOption;
  submit(draft: CommandDraft, adopt?: (item: OutboxItem) => void): Promise<Outcome>;
  history(room: RoomId, query: HistoryQuery): Promise<HistoryPage>;
  info(room: RoomId): Promise<RoomInfo>;
  versions(room: RoomId, seq: Seq): Promise<readonly MessageVersion[]>;
  reactions(room: RoomId, seq: Seq, after?: string): Promise<ReactorsPage>;
  thread(room: RoomId, seq: Seq, query: ThreadQuery): Promise<ThreadPage>;
  pins(room: RoomId): Promise<readonly Pin[]>;
}

/** Whether others are told how far this user has read. */
export type ReceiptsOption = "public" | "private";

/** What names a message in a command: a message, or its first entry. */
export type MessageRef = Pick<Message, "cursor">;

/** Whom a message calls. */
export interface CallOptions {
  /** Members; others are left out by the server. */
  readonly mentions?: readonly string[];
  /** The whole room; not everybody may. */
  readonly everyone?: boolean;
}
export interface SendOptions extends CallOptions {
  /** A reply to a reply joins the same thread. */
  readonly replyTo?: MessageRef;
}
export interface RoomFollowOptions extends FollowOptions {
  /** The same as `attend`. */
  readonly attend?: boolean;
}

/** A handle on one room; `client.room(id)` gives the same one each time. */
export class Room {
  readonly id: RoomId;
  readonly #host: RoomHost;
  readonly #parts: RoomParts;

  /** Made by `ChatClient.room`. */
  constructor(id: RoomId, host: RoomHost, parts: RoomParts) {
    this.id = id;
    this.#host = host;
    this.#parts = parts;
  }

  get state(): SubscriptionState {
    return this.#parts.subscription.state;
  }
  /**
   * The newest entries, oldest first: a live view without a hole, at most `entriesKept` long, or
   * ENTRIES_HELD_MAX after `loadOlder`.
   */
  get entries(): readonly Entry[] {
    return this.#parts.subscription.timeline.entries;
  }
  /**
   * The newest messages with all their changes, oldest first: a live view, as long as `entries`
   * may be. A message is a value, and a new one after each change.
   */
  get messages(): readonly Message[] {
    return this.#parts.subscription.timeline.messages.list;
  }
  /** Whether there is anything for `loadOlder` to load. */
  get older(): Older {
    return this.#parts.subscription.timeline.older;
  }
  /** One of `messages`, by its seq. */
  message(seq: Seq): Message | null {
    return this.#parts.subscription.timeline.messages.find(seq);
  }
  /** Seq of the newest entry known here, or null. */
  get lastSeq(): Seq | null {
    return this.#parts.subscription.timeline.last;
  }
  /** Known from the first page on. */
  get epoch(): Epoch | null {
    return this.#parts.subscription.epoch;
  }
  /** Own messages that are not in `entries` yet, or failed, in order. */
  get pending(): readonly PendingMessage[] {
    return this.#parts.own.sends;
  }
  /** Null until `loadDetails`. */
  get name(): string | null {
    return this.#parts.details.name;
  }
  /** Null until `loadDetails`. */
  get kind(): RoomKind | null {
    return this.#parts.details.kind;
  }
  /**
   * Whether others are told who has read how far: while it is off `receipts` is empty. Null until
   * `loadDetails`.
   */
  get receiptsOn(): boolean | null {
    return this.#parts.details.receiptsOn;
  }
  /** Empty until `loadDetails`; current from then on while the room is followed. */
  get members(): ReadonlyMap<UserId, Member> {
    return this.#parts.details.members;
  }
  /** Who is there, while this room is attended: a new value after each change. */
  get presence(): Presence {
    return this.#parts.presence.shown;
  }
  /** Who else types, while this room is attended. */
  get typists(): readonly UserId[] {
    return this.#parts.typing.typists;
  }
  /**
   * The newest entry that each member has read, while this room is attended: a live view. Of a
   * large room it is not told who has read, only how many: `readersOf`.
   */
  get receipts(): ReadonlyMap<UserId, Seq> {
    return this.#parts.receipts.marks;
  }
  /** Up to here this user has read, on any device. Null until the list of rooms was loaded. */
  get through(): Seq | null {
    return this.#parts.reading.through;
  }
  /** Messages after `through` by others. Null until the list of rooms was loaded. */
  get unread(): number | null {
    return this.#parts.reading.counts?.unread ?? null;
  }
  /** Those of them that call this user. */
  get mentions(): number | null {
    return this.#parts.reading.counts?.mentions ?? null;
  }

  /**
   * Follows the room until `unfollow`, over every reconnect; entries come as
   * events of the client. A room that was followed starts anew. Resolves when
   * caught up; rejects with ClientError `forbidden`, `tooManyRooms` or `closed`.
   */
  follow({ attend = false, ...options }: RoomFollowOptions = {}): Promise<void> {
    if (attend) this.attend();
    return mayIgnore(this.#parts.subscription.follow(options));
  }

  unfollow(): void {
    this.#parts.unfollow();
  }

  /**
   * Takes part while the room is followed, over every reconnect: is seen there, and is told who
   * else is there, who types and who has read how far. Ends with `unfollow`.
   */
  attend(): void {
    this.#parts.attend();
  }

  /** Reads the room's name and members, which stay current from then on. Rejects with ClientError. */
  loadDetails(): Promise<void> {
    return this.#parts.details.load();
  }

  /**
   * Sends a message, now or when there is a connection. Resolves when it is in
   * effect; rejects with ClientError (`forbidden`, `invalid`, `outboxFull`, …).
   */
  send(text: string, { replyTo, ...call }: SendOptions = {}): Promise<Outcome> {
    const reply = replyTo === undefined ? {} : { replyTo: replyTo.cursor };
    this.#parts.typing.sent();
    return this.#host.submit(
      { type: "send", room: this.id, text, ...reply, ...callOf(call) },
      (item) => this.#parts.own.add(item),
    );
  }

  /** Removes a failed message from `pending`. */
  dismiss(k: CommandNumber): void {
    this.#parts.own.dismiss(k);
  }

  /**
   * Gives a message another text, and other calls. Like all changes it shows in the message's
   * `pending` until it is in effect; rejects with ClientError, for example `noSuchMessage`.
   */
  edit(message: MessageRef, text: string, call: CallOptions = {}): Promise<Outcome> {
    return this.#change({ type: "edit", text, ...callOf(call) }, message);
  }
  delete(message: MessageRef): Promise<Outcome> {
    return this.#change({ type: "delete" }, message);
  }
  /** An emoji or a short name; once more does nothing. */
  react(message: MessageRef, reaction: string): Promise<Outcome> {
    return this.#change({ type: "react", reaction }, message);
  }
  unreact(message: MessageRef, reaction: string): Promise<Outcome> {
    return this.#change({ type: "unreact", reaction }, message);
  }
  pin(message: MessageRef): Promise<Outcome> {
    return this.#change({ type: "pin" }, message);
  }
  unpin(message: MessageRef): Promise<Outcome> {
    return this.#change({ type: "unpin" }, message);
  }

  /**
   * Has read everything up to a message or entry, or up to the newest one known here. Only ever
   * rises, counts at once, and is said until the server has confirmed it. Of a `private` one
   * (default: the client's `receipts`) others are not told; what was read in private stays so
   * until something later is read or sent.
   */
  read(upTo?: MessageRef, options: { readonly private?: boolean } = {}): void {
    const through = upTo?.cursor ?? this.#parts.subscription.timeline.cursor;
    const isPrivate = options.private ?? this.#host.receipts === "private";
    if (through !== null) this.#parts.reading.read({ through, isPrivate });
  }
  /**
   * Replies to one of `messages` that this user has not read, counted like `unread` of `thread`.
   * Null for any other message, and while `through` is.
   */
  unreadReplies({ seq }: Pick<Message, "seq">): number | null {
    const { through } = this;
    const { messages } = this.#parts.subscription.timeline;
    return through === null ? null : messages.unreadReplies(seq, through);
  }
  /** The message and all after it count as unread again. */
  markUnread({ cursor }: MessageRef): Promise<Outcome> {
    this.#parts.reading.goBack();
    return this.#host.submit({ type: "markUnread", room: this.id, message: cursor });
  }
  /** Who has read the message, as far as `receipts` tells; its author left out. */
  seenBy(message: Pick<Message, "seq" | "by">): UserId[] {
    return this.#parts.receipts.seenBy(message);
  }
  /**
   * How many have read the message, its author left out: in a room of any size. In a large one it
   * is a second or so behind, and of older messages at least so many.
   */
  readersOf(message: Pick<Message, "seq" | "by">): number {
    return this.#parts.receipts.readersOf(message);
  }

  /** To be called with each change of what is typed, and with false when it was given up. */
  typing(on = true): void {
    this.#parts.typing.sign(on);
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
  /** Switches `receipts` on or off for everybody in the room; for its owner. */
  setReceipts(on: boolean): Promise<Outcome> {
    return this.#host.submit({ type: "setReceipts", room: this.id, on });
  }

  /**
   * Puts the page before `entries` in front of them, and its messages in front of `messages`, where
   * they change like all others. Resolves with `older`. Calls at the same time share one request,
   * with the limit of the first (1 to LIMITS.pageEntries; 50). When the room begins anew meanwhile
   * (`reset`, `gap`) the page is dropped. Rejects with ClientError: `invalid` before `follow` has
   * brought the first page, `historyChanged` shortly before a `reset`.
   */
  loadOlder(limit?: number): Promise<Older> {
    return mayIgnore(this.#parts.older.load(limit));
  }
  /**
   * Any page of entries; it does not become part of `entries`. `messagesOf` makes messages of them.
   */
  history(query: HistoryQuery = {}): Promise<HistoryPage> {
    return this.#host.history(this.id, query);
  }
  info(): Promise<RoomInfo> {
    return this.#host.info(this.id);
  }
  /** The texts that a message had, oldest first; for its author and those who may see them all. */
  versions({ seq }: Pick<Message, "seq">): Promise<readonly MessageVersion[]> {
    return this.#host.versions(this.id, seq);
  }
  /** Everybody who reacted to a message, some hundreds at a time: `after` is the `next` before. */
  reactions({ seq }: Pick<Message, "seq">, after?: string): Promise<ReactorsPage> {
    return this.#host.reactions(this.id, seq, after);
  }
  /** Replies to a message, oldest first. */
  thread({ seq }: Pick<Message, "seq">, query: ThreadQuery = {}): Promise<ThreadPage> {
    return this.#host.thread(this.id, seq, query);
  }
  /** In the order in which they were pinned. */
  pins(): Promise<readonly Pin[]> {
    return this.#host.pins(this.id);
  }

  #change(change: ChangeDraft, { cursor }: MessageRef): Promise<Outcome> {
    const draft: CommandDraft = { ...change, room: this.id, message: cursor };
    return this.#host.submit(draft, (item) => this.#parts.own.add(item));
  }
}

type ChangeDraft = {
  [T in ChangeCommand["type"]]: Omit<Extract<ChangeCommand, { type: T }>, "k" | "room" | "message">;
}[ChangeCommand["type"]];

function callOf({ mentions, everyone }: CallOptions): {
  mentions?: readonly UserId[];
  everyone?: boolean;
} {
  return {
    ...(mentions && mentions.length > 0 ? { mentions: mentions as readonly UserId[] } : {}),
    ...(everyone ? { everyone } : {}),
  };
}
