import type { ErrorCode } from "../protocol/errors.ts";
import type { ClientCommand, Entry, ServerFrame } from "../protocol/frames.ts";
import {
  ROOM_ID,
  type CommandNumber,
  type DeviceId,
  type RoomId,
  type Seq,
} from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { parseAddress } from "./address.ts";
import { Agenda, systemClock, type Clock } from "./agenda.ts";
import { ClientError, mayIgnore } from "./client-error.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { Device, memoryDevice, type DeviceStore } from "./device.ts";
import { Emitter } from "./emitter.ts";
import { Http, type Fetch, type ListedRoom } from "./http.ts";
import { Outbox, type CommandDraft, type Outcome, type OutboxItem } from "./outbox.ts";
import { Room } from "./room.ts";
import type { SocketConstructor } from "./socket.ts";
import { Subscription } from "./subscription.ts";
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
}

export interface ClientEvents {
  state: ConnectionState;
  /** In order, each once. `live` is false while catching up. */
  entry: { readonly room: Room; readonly entry: Entry; readonly live: boolean };
  /** Forget what was shown of this room; entries follow. */
  reset: { readonly room: Room };
  /** The entries between `after` and `before` are to be fetched with `room.history`. */
  gap: { readonly room: Room; readonly after: Seq; readonly before: Seq };
  /** `room.state` changed. */
  room: { readonly room: Room };
  /** `room.pending` changed. */
  pending: { readonly room: Room };
  outcome: { readonly command: ClientCommand; readonly outcome: Outcome | ClientError };
  /** The server says something about no command in particular. */
  error: { readonly code: ErrorCode; readonly message: string };
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
  readonly #entriesKept: number;
  readonly #rooms = new Map<RoomId, Followable>();
  /** Rooms to be asked for together, at the end of this turn. */
  readonly #toResume = new Set<Subscription>();
  #whenLive: { resolve: () => void; reject: (error: ClientError) => void }[] = [];

  /** Throws TypeError or RangeError for options that cannot work. */
  constructor(options: ClientOptions) {
    const urls = typeof options.urls === "string" ? [options.urls] : options.urls;
    if (urls.length === 0) throw new RangeError("at least one url is needed");
    const WebSocket = options.WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
    if (!WebSocket) throw new TypeError("no global WebSocket here: pass the one of `ws`");
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#entriesKept = options.entriesKept ?? ENTRIES_KEPT;
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
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }
  get device(): DeviceId {
    return this.#device.id;
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
    return this.#followable(id).room;
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
   * The rooms that this user is in or invited to, the one with the newest message first. A change
   * of membership shows within moments; what is told of each room holds now.
   */
  rooms(): Promise<readonly ListedRoom[]> {
    return this.#http.rooms();
  }

  #followable(id: string): Followable {
    const known = this.#rooms.get(id as RoomId);
    if (known) return known;
    if (!ROOM_ID.test(id)) throw new ClientError("invalid", `a room id is like ${ROOM_ID.source}`);
    const made = this.#makeRoom(id as RoomId);
    this.#rooms.set(id as RoomId, made);
    return made;
  }

  #makeRoom(id: RoomId): Followable {
    const emitter = this.#emitter;
    const subscription = new Subscription(id, {
      clock: this.#clock,
      agenda: this.#agenda,
      random: this.#random,
      entriesKept: this.#entriesKept,
      connected: () => this.state.name === "live",
      mayFollow: (asking) => this.#mayFollow(asking),
      requestResume: (asking) => this.#requestResume(asking),
      unsubscribe: (room) => this.#connection.send({ type: "unsubscribe", rooms: [room] }),
      entry: (entry, live) => {
        room.settle();
        emitter.emit("entry", { room, entry, live });
      },
      reset: () => {
        this.#outbox.entriesSkipped(id);
        emitter.emit("reset", { room });
      },
      gap: (after, before) => {
        this.#outbox.entriesSkipped(id);
        emitter.emit("gap", { room, after, before });
      },
      stateChanged: () => {
        room.settle();
        emitter.emit("room", { room });
      },
    });
    const room = new Room(
      id,
      {
        submit: (draft, adopt) => this.#submit(draft, adopt),
        history: (room, query) => this.#http.history(room, query),
        info: (room) => this.#http.room(room),
        pendingChanged: () => emitter.emit("pending", { room }),
      },
      subscription,
    );
    return { room, subscription };
  }

  #mayFollow(asking: Subscription): boolean {
    let followed = 0;
    for (const { subscription } of this.#rooms.values()) {
      if (subscription !== asking && subscription.followed) followed += 1;
    }
    return followed < LIMITS.roomsPerConnection;
  }

  #connectionChanged(state: ConnectionState): void {
    if (state.name === "live") this.#live();
    if (state.name === "waiting") this.#offline(state.next);
    if (state.name === "stopped") {
      const { code, reason } = state.drop;
      const error = new ClientError(code === null ? "closed" : "stopped", reason || undefined);
      this.#offline("resume");
      for (const { subscription } of this.#rooms.values()) subscription.stopped(error);
      for (const { reject } of this.#whenLive.splice(0)) reject(error);
    }
    this.#emitter.emit("state", state);
  }

  /** Rooms before commands, so that the server knows what is followed when own messages come. */
  #live(): void {
    this.#outbox.reconnected();
    for (const { subscription } of this.#rooms.values()) subscription.connected();
    this.#flushResumes();
    this.#flushOutbox();
    for (const { resolve } of this.#whenLive.splice(0)) resolve();
  }

  #offline(next: "resume" | "refetch"): void {
    this.#toResume.clear();
    this.#agenda.cancel("outbox");
    this.#agenda.cancel("outcomes");
    for (const { subscription } of this.#rooms.values()) subscription.disconnected(next);
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
        this.#settleOwn(frame.room, frame.entries);
        this.#rooms.get(frame.room)?.subscription.received(frame.entries);
        return this.#flushOutbox();
      case "resumed":
        this.#settleOwn(frame.room, frame.entries);
        this.#rooms.get(frame.room)?.subscription.resumed(frame);
        return this.#flushOutbox();
      case "beat":
        for (const { room, seq } of frame.heads) this.#rooms.get(room)?.subscription.headIs(seq);
        return;
      case "unsubscribed":
        return this.#rooms.get(frame.room)?.subscription.unsubscribed(frame.code);
    }
  }

  #requestResume(subscription: Subscription): void {
    if (this.#toResume.size === 0) queueMicrotask(() => this.#flushResumes());
    this.#toResume.add(subscription);
  }

  #flushResumes(): void {
    const asking = [...this.#toResume].filter(({ state }) => state.name === "resuming");
    this.#toResume.clear();
    if (this.state.name !== "live") return;
    for (let at = 0; at < asking.length; at += LIMITS.roomsPerResume) {
      const some = asking.slice(at, at + LIMITS.roomsPerResume);
      this.#connection.send({ type: "resume", rooms: some.map((one) => one.request()) });
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
    if (command.type === "send") this.#rooms.get(command.room)?.room.itemChanged(item);
    if (state.name === "applied")
      this.#emitter.emit("outcome", { command, outcome: state.outcome });
    if (state.name === "failed") this.#emitter.emit("outcome", { command, outcome: state.error });
  }
}

interface Followable {
  readonly room: Room;
  readonly subscription: Subscription;
}
