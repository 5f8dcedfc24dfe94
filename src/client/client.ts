import type { Entry, ServerFrame } from "../protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId, UserId } from "../protocol/ids.ts";
import { parseAddress } from "./address.ts";
import { Agenda, systemClock, type Clock } from "./agenda.ts";
import { ClientError, mayIgnore } from "./client-error.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { Device, memoryDevice, type DeviceStore } from "./device.ts";
import { Emitter } from "./emitter.ts";
import type { ClientEvents } from "./events.ts";
import { Http, type Fetch } from "./http.ts";
import { RoomList } from "./list.ts";
import { Outbox, type CommandDraft, type Outcome, type OutboxItem } from "./outbox.ts";
import type { ListedRoom } from "./replies.ts";
import { Rooms } from "./rooms.ts";
import type { ReceiptsOption, Room } from "./room.ts";
import type { SocketConstructor } from "./socket.ts";
import { TokenSource, type TokenOption } from "./token.ts";

/** A command without an outcome is sent again after this time; the server knows copies. */
export const OUTCOME_PATIENCE_MS = 30_000;
/** `deferred` pauses are stretched by up to this part, or all clients would return at once. */
export const DEFER_JITTER = 0.25;
/** Newest entries of a followed room that stay in memory unless told otherwise. */
export const ENTRIES_KEPT = 500;

export interface ClientOptions {
  /** Servers, tried in turn: `http(s)://` or `ws(s)://`. */
  readonly urls: string | readonly string[];
  /** A JWT, or a function that gets one; it is asked again for every connection. */
  readonly token: TokenOption;
  /** Default: a new device that ends with this client. */
  readonly device?: DeviceStore;
  /** Names this program to the server, at most 128 bytes. */
  readonly agent?: string;
  /** Default: the global one. Node before 22 has none: pass the one of `ws`. */
  readonly WebSocket?: SocketConstructor;
  readonly fetch?: Fetch;
  /** 0 to 1; for jitter and device ids. */
  readonly random?: () => number;
  readonly clock?: Clock;
  /** ENTRIES_KEPT; 0 keeps none, for programs that only listen. */
  readonly entriesKept?: number;
  /** `private`: others are not told what this user reads, except by `room.read` itself. Default: public. */
  readonly receipts?: ReceiptsOption;
}

/**
 * The chat client: one connection, the rooms it follows, and the commands on
 * their way. Frames come in here and go to the part that knows what to do.
 */
export class ChatClient {
  readonly #emitter = new Emitter<ClientEvents>();
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #agenda: Agenda;
  readonly #device: Device;
  readonly #outbox: Outbox;
  readonly #connection: Connection;
  readonly #http: Http;
  readonly #rooms: Rooms;
  readonly #list: RoomList;
  #user: UserId | null = null;
  #whenLive: { resolve: () => void; reject: (error: ClientError) => void }[] = [];

  /** Throws TypeError or RangeError for options that cannot work. */
  constructor(options: ClientOptions) {
    const urls = typeof options.urls === "string" ? [options.urls] : options.urls;
    if (urls.length === 0) throw new RangeError("at least one url is needed");
    const WebSocket = options.WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
    if (!WebSocket) throw new TypeError("no global WebSocket here: pass the one of `ws`");
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#agenda = new Agenda(this.#clock);
    this.#device = new Device(options.device ?? memoryDevice(), this.#random);
    this.#outbox = new Outbox(this.#device, (item) => this.#itemChanged(item));
    const token = new TokenSource(options.token);
    this.#connection = new Connection(
      {
        addresses: urls.map(parseAddress),
        token: () => token.fresh(),
        device: this.#device.id,
        agent: options.agent ?? "millrace",
        WebSocket,
        clock: this.#clock,
        agenda: this.#agenda,
        random: this.#random,
      },
      {
        stateChanged: (state) => this.#connectionChanged(state),
        frame: (frame) => this.#received(frame),
      },
    );
    this.#http = new Http({
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      baseUrl: () => this.#connection.address.httpUrl,
      token,
    });
    const { entriesKept = ENTRIES_KEPT, receipts = "public" } = options;
    this.#rooms = this.#makeRooms(entriesKept, receipts);
    this.#list = this.#makeList();
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }
  get device(): DeviceId {
    return this.#device.id;
  }
  /** Who this is, from the first welcome on. */
  get user(): UserId | null {
    return this.#user;
  }
  /** The user's rooms, with what is unread in them: `list.load` begins it. */
  get list(): RoomList {
    return this.#list;
  }
  /** Commands whose outcome is not known yet. */
  get unsettled(): number {
    return this.#outbox.size;
  }

  /** Returns a function that removes the listener. */
  on<E extends keyof ClientEvents>(
    event: E,
    listener: (value: ClientEvents[E]) => void,
  ): () => void {
    return this.#emitter.on(event, listener);
  }

  /**
   * Connects and stays connected until `close`. Resolves at the first welcome;
   * rejects with ClientError `stopped` or `closed` when there will be none.
   */
  connect(): Promise<void> {
    if (this.state.name === "live") return Promise.resolve();
    const whenLive = new Promise<void>((resolve, reject) => {
      this.#whenLive.push({ resolve, reject });
    });
    this.#connection.connect();
    return mayIgnore(whenLive);
  }

  /** Ends everything at once: commands without an outcome fail with `closed`. */
  close(): void {
    this.#connection.close();
    this.#outbox.failAll(new ClientError("closed"));
    this.#agenda.clear();
  }

  /** Call it when the page wakes up or the network is back: a dead connection is replaced soon. */
  wake(): void {
    this.#connection.wake();
  }

  /** Throws ClientError `invalid` for what cannot be a room id. */
  room(id: string): Room {
    return this.#rooms.handle(id);
  }

  /** Resolves when the room exists. Without `room` the server makes up an id. */
  async createRoom(options: {
    readonly room?: string;
    readonly kind: "public" | "private";
    readonly name: string;
  }): Promise<Room> {
    const room = (options.room ?? null) as RoomId | null;
    const { kind, name } = options;
    const outcome = await this.#submit({ type: "create", room, kind, name });
    return this.room(outcome.room);
  }

  /** The one room of the pair, made when it does not exist yet. */
  async direct(user: string): Promise<Room> {
    const outcome = await this.#submit({ type: "direct", user: user as never });
    return this.room(outcome.room);
  }

  /**
   * The rooms that this user is in or invited to as they are now, the one with the newest message
   * first. A change of membership shows within moments. `list` is the same, kept current.
   */
  rooms(): Promise<readonly ListedRoom[]> {
    return this.#http.rooms();
  }

  #makeRooms(entriesKept: number, receipts: ReceiptsOption): Rooms {
    const http = this.#http;
    return new Rooms({
      clock: this.#clock,
      agenda: this.#agenda,
      random: this.#random,
      entriesKept,
      receipts,
      emitter: this.#emitter,
      me: () => this.#user,
      connected: () => this.state.name === "live",
      send: (frame) => this.#connection.send(frame),
      submit: (draft, adopt) => this.#submit(draft, adopt),
      entriesSkipped: (room) => this.#outbox.entriesSkipped(room),
      entry: (room, entry) => this.#list.happened(room, entry),
      unreadChanged: (room) => this.#list.unreadChanged(room),
      doubt: () => this.#list.refresh(),
      history: (room, query) => http.history(room, query),
      info: (room) => http.room(room),
      versions: (room, seq) => http.versions(room, seq),
      reactions: (room, seq, after) => http.reactions(room, seq, after),
      thread: (room, seq, query) => http.thread(room, seq, query),
      pins: (room) => http.pins(room),
    });
  }

  #makeList(): RoomList {
    return new RoomList({
      clock: this.#clock,
      agenda: this.#agenda,
      random: this.#random,
      me: () => this.#user,
      connected: () => this.state.name === "live",
      fetch: () => this.#http.rooms(),
      reading: (room) => this.#rooms.get(room).reading,
      emit: (change) => this.#emitter.emit("list", change),
    });
  }

  #connectionChanged(state: ConnectionState): void {
    if (state.name === "live") this.#live(state.user);
    if (state.name === "waiting") this.#offline(state.next);
    if (state.name === "stopped") {
      const { code, reason } = state.drop;
      const error = new ClientError(code === null ? "closed" : "stopped", reason || undefined);
      this.#offline("resume");
      this.#rooms.stopped(error);
      for (const { reject } of this.#whenLive.splice(0)) reject(error);
    }
    this.#emitter.emit("state", state);
  }

  /** Rooms before commands, so that the server knows what is followed when own messages come. */
  #live(user: UserId): void {
    this.#user = user;
    this.#outbox.reconnected();
    this.#rooms.connected();
    this.#flushOutbox();
    this.#list.connected();
    for (const { resolve } of this.#whenLive.splice(0)) resolve();
  }

  #offline(next: "resume" | "refetch"): void {
    this.#agenda.cancel("outbox");
    this.#agenda.cancel("outcomes");
    this.#rooms.disconnected(next);
  }

  #received(frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome":
        return; // the connection has taken it
      case "error":
        return this.#emitter.emit("error", { code: frame.code, message: frame.message });
      case "accepted":
        return this.#outbox.accepted(frame.k);
      case "applied":
        this.#outbox.applied(frame.k, { room: frame.room, seq: frame.seq, again: frame.again });
        return this.#flushOutbox();
      case "rejected":
        this.#outbox.rejected(frame.k, new ClientError(frame.code));
        return this.#flushOutbox();
      case "deferred":
        return this.#deferred(frame.k, frame.retryAfterMs);
      case "entries":
      case "resumed":
        this.#settleOwn(frame.room, frame.entries);
        this.#rooms.received(frame);
        return this.#flushOutbox();
      case "beat":
        for (const head of frame.heads) this.#rooms.headIs(head);
        return;
      case "roomsChanged":
        return this.#list.refresh();
      case "unsubscribed":
      case "presence":
      case "receipts":
      case "readers":
      case "typists":
      case "unread":
        return this.#rooms.received(frame);
    }
  }

  #submit(draft: CommandDraft, adopt?: (item: OutboxItem) => void): Promise<Outcome> {
    return mayIgnore(this.#trySubmit(draft, adopt));
  }

  async #trySubmit(draft: CommandDraft, adopt?: (item: OutboxItem) => void): Promise<Outcome> {
    if (this.state.name === "stopped") throw new ClientError("closed");
    const item = this.#outbox.add(draft);
    adopt?.(item);
    this.#flushOutbox();
    return item.outcome;
  }

  #flushOutbox(): void {
    if (this.state.name !== "live") return;
    const nowMs = this.#clock.now();
    for (const command of this.#outbox.takeSendable(nowMs)) this.#connection.send(command);
    const { pausedUntilMs } = this.#outbox;
    if (pausedUntilMs > nowMs) {
      this.#agenda.set("outbox", pausedUntilMs, () => this.#flushOutbox());
    }
    if (!this.#agenda.has("outcomes") && this.#outbox.anyOnTheWire) {
      this.#agenda.set("outcomes", nowMs + OUTCOME_PATIENCE_MS, () => {
        this.#outbox.overdue(this.#clock.now() - OUTCOME_PATIENCE_MS);
        this.#flushOutbox();
      });
    }
  }

  #deferred(k: CommandNumber, retryAfterMs: number): void {
    const pauseMs = retryAfterMs * (1 + this.#random() * DEFER_JITTER);
    if (this.#outbox.deferred(k, this.#clock.now() + pauseMs)) return this.#flushOutbox();
    // Its entry came first, so it cannot be sent again; a new connection awaits nothing.
    this.#connection.restart(`command ${k} was deferred after its outcome`);
  }

  /**
   * An entry with this device's number is the outcome of that command, also where
   * the entry is not taken: no other outcome comes if the room was unfollowed just now.
   */
  #settleOwn(room: RoomId, entries: readonly Entry[]): void {
    if (this.state.name !== "live") return;
    const { user } = this.state;
    for (const { by, device, k, seq } of entries) {
      if (device !== this.#device.id || by !== user) continue;
      this.#outbox.applied(k, { room, seq, again: false });
    }
  }

  #itemChanged(item: OutboxItem): void {
    const { command, state } = item;
    this.#rooms.itemChanged(item);
    if (state.name === "applied")
      this.#emitter.emit("outcome", { command, outcome: state.outcome });
    if (state.name === "failed") this.#emitter.emit("outcome", { command, outcome: state.error });
  }
}
