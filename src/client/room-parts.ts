/**
 * What a client keeps of one room, each part for itself: its entries and messages,
 * commands on their way, details, who is there, who types, who has read how far. The
 * room's frames and entries come in here and go to the parts that they concern.
 */
import type { ClientFrame, Entry, ServerFrame } from "../protocol/frames.ts";
import type { RoomId, Seq, UserId } from "../protocol/ids.ts";
import type { Agenda, Clock } from "./agenda.ts";
import type { Message } from "./message.ts";
import { OlderPages } from "./older.ts";
import { OwnCommands } from "./own-commands.ts";
import { PresenceView } from "./presence.ts";
import { Reading } from "./reading.ts";
import { Receipts } from "./receipts.ts";
import type { HistoryPage, HistoryQuery, RoomInfo } from "./replies.ts";
import { RoomDetails } from "./room-details.ts";
import { Subscription } from "./subscription.ts";
import { Typing } from "./typing.ts";

/** A frame that concerns one room, and no command. */
export type RoomFrame = Extract<
  ServerFrame,
  { room: RoomId; type: Exclude<ServerFrame["type"], "applied"> }
>;

/** What a room tells, beside which room it is. */
export interface RoomEvents {
  entry: { readonly entry: Entry; readonly live: boolean };
  older: { readonly entries: readonly Entry[] };
  message: { readonly message: Message };
  gap: { readonly after: Seq; readonly before: Seq };
  reset: object;
  room: object;
  pending: object;
  details: object;
  presence: object;
  typists: object;
  receipts: object;
  unread: object;
}
/** Events that only say that something is different. */
type RoomChange = Exclude<keyof RoomEvents, "entry" | "older" | "message" | "gap">;

/** What the parts of a room need of the client. */
export interface PartsHost {
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly random: () => number;
  readonly entriesKept: number;
  me(): UserId | null;
  connected(): boolean;
  send(frame: ClientFrame): void;
  mayFollow(subscription: Subscription): boolean;
  requestResume(subscription: Subscription): void;
  /** Soon, together with other rooms. */
  requestAttend(parts: RoomParts): void;
  /** An own entry may be among those that were left out. */
  entriesSkipped(room: RoomId): void;
  history(room: RoomId, query: HistoryQuery): Promise<HistoryPage>;
  info(room: RoomId): Promise<RoomInfo>;
  tell<E extends keyof RoomEvents>(room: RoomId, event: E, about: RoomEvents[E]): void;
  /** After the parts have taken it. */
  entry(room: RoomId, entry: Entry): void;
  unreadChanged(room: RoomId): void;
  /** What is known of unread messages may be wrong. */
  doubt(): void;
}

export class RoomParts {
  readonly id: RoomId;
  readonly subscription: Subscription;
  readonly older: OlderPages;
  readonly own: OwnCommands;
  readonly details: RoomDetails;
  readonly presence = new PresenceView();
  readonly receipts = new Receipts();
  readonly typing: Typing;
  readonly reading: Reading;
  readonly #host: PartsHost;
  /** To be seen there, and told of others, whenever it is followed. */
  #attends = false;

  constructor(id: RoomId, host: PartsHost) {
    this.id = id;
    this.#host = host;
    this.subscription = this.#makeSubscription();
    const { timeline } = this.subscription;
    this.older = new OlderPages({
      timeline,
      followed: () => this.subscription.followed,
      epoch: () => this.subscription.epoch,
      history: (query) => host.history(id, query),
      loaded: (entries) => this.#older(entries),
    });
    this.own = new OwnCommands(
      timeline.messages,
      () => ({ followed: this.subscription.followed, last: timeline.last }),
      () => {
        this.#emit("pending");
        this.#tellMessages();
      },
    );
    this.details = new RoomDetails(
      () => host.info(id),
      () => this.#emit("details"),
    );
    const { clock, agenda } = host;
    const about = { clock, agenda, name: id, me: () => host.me() };
    this.typing = new Typing({
      ...about,
      mayType: () => this.#attends && this.#isLive,
      send: (on) => host.send({ type: "typing", room: id, on }),
      changed: () => this.#emit("typists"),
    });
    this.reading = new Reading({
      ...about,
      // The server takes positions only of rooms that are followed.
      connected: () => this.#isLive,
      send: ({ through, isPrivate }) => {
        host.send({ type: "read", room: id, through, ...(isPrivate && { private: true }) });
      },
      doubt: () => host.doubt(),
      changed: () => {
        this.#emit("unread");
        host.unreadChanged(id);
      },
    });
  }

  get attends(): boolean {
    return this.#attends;
  }

  attend(): void {
    this.#attends = true;
    if (this.#isLive) this.#host.requestAttend(this);
  }

  unfollow(): void {
    this.#attends = false;
    this.subscription.unfollow();
  }

  connected(): void {
    this.subscription.connected();
  }

  received(frame: RoomFrame): void {
    switch (frame.type) {
      case "entries":
        return this.subscription.received(frame.entries);
      case "resumed":
        return this.subscription.resumed(frame);
      case "unsubscribed":
        return this.subscription.unsubscribed(frame.code);
      case "presence":
        if (this.presence.take(frame)) this.#emit("presence");
        return;
      case "receipts":
        this.receipts.take(frame);
        return this.#emit("receipts");
      case "readers":
        this.receipts.takeReaders(frame);
        return this.#emit("receipts");
      case "typists":
        return this.typing.told(frame.users);
      case "unread":
        return this.reading.tell(frame);
    }
  }

  #makeSubscription(): Subscription {
    const host = this.#host;
    return new Subscription(this.id, {
      clock: host.clock,
      agenda: host.agenda,
      random: host.random,
      entriesKept: host.entriesKept,
      me: () => host.me(),
      connected: () => host.connected(),
      mayFollow: (asking) => host.mayFollow(asking),
      requestResume: (asking) => host.requestResume(asking),
      unsubscribe: (room) => host.send({ type: "unsubscribe", rooms: [room] }),
      restarted: (another) => this.#restarted(another),
      entry: (entry, live) => this.#entry(entry, live),
      reset: () => {
        host.entriesSkipped(this.id);
        this.#emit("reset");
      },
      gap: (after, before) => {
        host.entriesSkipped(this.id);
        host.tell(this.id, "gap", { after, before });
      },
      stateChanged: () => this.#stateChanged(),
    });
  }

  get #isLive(): boolean {
    return this.subscription.state.name === "live";
  }

  #entry(entry: Entry, live: boolean): void {
    this.own.arrived(entry.seq);
    this.own.settle();
    this.details.take(entry);
    this.reading.take(entry, live);
    if (this.receipts.happened(entry)) this.#emit("receipts");
    if (entry.event.type === "message.sent") this.typing.said(entry.by);
    this.#host.entry(this.id, entry);
    this.#host.tell(this.id, "entry", { entry, live });
    this.#tellMessages();
  }

  #older(entries: readonly Entry[]): void {
    for (const { seq } of entries) this.own.arrived(seq);
    this.#host.tell(this.id, "older", { entries });
    this.#tellMessages();
  }

  #restarted(another: boolean): void {
    this.reading.restart(another);
    if (another) this.receipts.clear();
    // What it was told of members may be among the entries that are left out.
    if (this.details.isKnown) this.details.load().catch(() => undefined);
  }

  #stateChanged(): void {
    const { name } = this.subscription.state;
    this.own.settle();
    if (name === "live" && this.#attends) this.#host.requestAttend(this);
    const { last } = this.subscription.timeline;
    if (name === "live" && last !== null) this.reading.live(last);
    // While it resumes on the same connection the server goes on telling.
    if (name !== "live" && name !== "resuming") {
      this.typing.lost();
      if (this.presence.lost()) this.#emit("presence");
    }
    this.#emit("room");
  }

  #tellMessages(): void {
    const { messages } = this.subscription.timeline;
    for (const message of messages.drain()) {
      this.#host.tell(this.id, "message", { message });
    }
  }

  #emit(change: RoomChange): void {
    this.#host.tell(this.id, change, {});
  }
}
