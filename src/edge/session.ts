/**
 * The server's state for one socket.
 *
 *   greeting ──hello──▶ authenticating ──welcome──▶ live ◀──drained──┐
 *      │                      │                      │               │
 *      │ no hello in time     │ refused              └──buffer full──▶ lagging
 *      └──────────────────────┴──────────▶ closing ◀──────────────────┘
 *
 * SE1  Nothing but `hello` is read before `welcome`.
 * SE2  A room is followed from exactly the position up to which its page went.
 * SE3  A lagging session holds a cursor per room and no messages.
 *
 * `#become` is the only writer of the state.
 */
import { monotonicMs, now } from "../ops/clock.ts";
import {
  decodeClientFrame,
  encodeServerFrame,
  peekCommandNumber,
  type Encoded,
} from "../protocol/codec.ts";
import { CLOSE, type CloseName, type ErrorCode } from "../protocol/errors.ts";
import type { ClientCommand, ClientFrame, ClientFrameOf, ServerFrame } from "../protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { SchemaError, UnreadableError } from "../protocol/schema.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { Outcome } from "../streams/bell.ts";
import type { Sender } from "../ingest/ingest.ts";
import { Attendance, type Following } from "./attendance.ts";
import type { Identity } from "./auth.ts";
import { toCommand } from "./commands.ts";
import type { EdgeContext } from "./context.ts";
import { bytesOf } from "./edge-tally.ts";
import type { Connection, Socket } from "./sockets/socket-port.ts";
import { Subscriptions } from "./subscriptions.ts";

export type SessionState =
  | { readonly name: "greeting" }
  | { readonly name: "authenticating" }
  | Live
  | { readonly name: "closing" };
/** Live, or lagging: that is a matter of its subscriptions. */
interface Live {
  readonly name: "live";
  readonly identity: Identity;
  readonly device: DeviceId;
  readonly subscriptions: Subscriptions;
  readonly attendance: Attendance;
}

interface Pending {
  readonly room: RoomId;
  /** It makes an entry that names it, which is all that a follower of the room needs. */
  readonly isMessage: boolean;
  /** When it arrived, for one of some; 0 for the others. */
  readonly sinceMs: number;
}

/** Frames that cannot be read or are not allowed, after which the connection ends. */
const BAD_FRAMES_MAX = 20;
const RETRY_AFTER_MS = 250;
/**
 * Bytes in the buffer of a socket that still asks for more. Pages stop long
 * before; answers to commands and pings do not, and nobody reads them.
 */
const TOO_SLOW_BYTES = 16_777_216;
/** Of what was wrong with a frame; U+FFFD for a torn character may add two bytes. */
const MESSAGE_BYTES = 500;

/** Who keeps the sessions of an edge, and is told how they are. */
export interface SessionKeeper {
  identified(session: Session, user: UserId): void;
  /** A command was accepted: to be confirmed, unless its outcome comes sooner. */
  acceptedSoon(session: Session, k: CommandNumber): void;
  remove(session: Session): void;
}

export class Session implements Connection, Sender {
  /** Counts up on one edge: outcomes find their way home by it. */
  readonly id: number;
  readonly openedMs = monotonicMs();
  readonly #context: EdgeContext;
  readonly #keeper: SessionKeeper;
  readonly #socket: Socket;
  #state: SessionState = { name: "greeting" };
  /** Commands without an outcome. */
  readonly #pending = new Map<CommandNumber, Pending>();
  /**
   * Commands that were put off and have neither come again nor got an outcome. Later ones wait
   * for them, so that all keep their order. At most LIMITS.commandsInFlight.
   */
  readonly #held = new Set<CommandNumber>();
  #badFrames = 0;
  #beatRound = 0;

  constructor(id: number, context: EdgeContext, keeper: SessionKeeper, socket: Socket) {
    this.id = id;
    this.#context = context;
    this.#keeper = keeper;
    this.#socket = socket;
  }

  #become(state: SessionState): void {
    this.#state = state;
  }

  get state(): SessionState["name"] {
    return this.#state.name;
  }
  get user(): UserId | null {
    return this.#state.name === "live" ? this.#state.identity.user : null;
  }
  get expiresAt(): number {
    return this.#state.name === "live" ? this.#state.identity.expiresAt : Infinity;
  }
  get bufferedBytes(): number {
    return this.#socket.bufferedBytes();
  }
  get subscriptions(): Subscriptions | null {
    return this.#state.name === "live" ? this.#state.subscriptions : null;
  }

  send(frame: ServerFrame): void {
    const data = encodeServerFrame(frame, this.#socket.encoding);
    this.#context.tally.bytesSent.frame += bytesOf(data);
    this.#socket.send(data);
  }

  close(name: CloseName): void {
    const { code, reason } = CLOSE[name];
    this.#socket.close(code, reason);
  }

  closed(code: number): void {
    this.#context.tally.closed(code);
    if (this.#state.name === "live") this.#state.attendance.endAll();
    this.subscriptions?.dropAll();
    this.#keeper.remove(this);
    this.#become({ name: "closing" });
  }

  drained(): void {
    this.subscriptions?.catchUp();
  }

  message(data: Encoded): void {
    if (this.#state.name === "closing") return;
    if (this.bufferedBytes > TOO_SLOW_BYTES) {
      this.close("tooSlow");
      return;
    }
    const size = bytesOf(data);
    this.#context.tally.bytesReceived += size;
    const most = this.#state.name === "live" ? LIMITS.frameBytes : LIMITS.helloBytes;
    if (size > most) {
      this.close("frameTooLarge");
      return;
    }
    let frame: ClientFrame;
    try {
      frame = decodeClientFrame(data);
    } catch (error) {
      this.#refuseFrame(error, data);
      return;
    }
    this.#context.tally.framesReceived[frame.type]++;
    this.#handle(frame);
  }

  #handle(frame: ClientFrame): void {
    const state = this.#state;
    switch (state.name) {
      case "greeting":
        if (frame.type === "hello") this.#greet(frame);
        else this.close("helloExpected");
        return;
      case "authenticating":
        this.close("helloExpected");
        return;
      case "live":
        this.#serve(state, frame);
        return;
      case "closing":
        return;
    }
  }

  /** A value that is not a frame gets an answer; bytes that are no value, or too many, end it. */
  #refuseFrame(error: unknown, data: Encoded): void {
    if (!(error instanceof SchemaError)) throw error;
    this.#badFrames++;
    this.#context.tally.refused.invalid++;
    const unreadable = error instanceof UnreadableError || this.#badFrames > BAD_FRAMES_MAX;
    if (unreadable || this.#state.name !== "live") {
      this.close(this.#state.name === "greeting" && !unreadable ? "helloExpected" : "badFrame");
      return;
    }
    this.send({ type: "error", code: "invalid", message: cut(error.message) });
    const k = peekCommandNumber(data);
    if (k !== null) this.send({ type: "rejected", k, code: "invalid" });
  }

  #greet(hello: ClientFrameOf<"hello">): void {
    if (hello.version !== PROTOCOL_VERSION) {
      this.close("versionUnsupported");
      return;
    }
    this.#become({ name: "authenticating" });
    this.#context.authenticator.identify(hello.token).then(
      (identity) => this.#welcome(identity, hello.device),
      (error: unknown) => {
        this.#context.log.warn({ err: error }, "a credential could not be checked");
        this.close("internal");
      },
    );
  }

  #welcome(identity: Identity | null, device: DeviceId): void {
    if (this.#state.name !== "authenticating") return;
    if (identity === null) {
      this.close("unauthorized");
      return;
    }
    const { user } = identity;
    const shared = {
      context: this.#context,
      socket: this.#socket,
      user,
      send: (frame: ServerFrame) => this.send(frame),
    };
    const following: Following = {
      follows: (room) => subscriptions.follows(room),
      knows: (room) => subscriptions.knows(room),
    };
    const attendance = new Attendance({ ...shared, following });
    const subscriptions = new Subscriptions({ ...shared, listener: attendance });
    this.#become({ name: "live", identity, device, subscriptions, attendance });
    this.#keeper.identified(this, user);
    const { edge, ack, beatMs } = this.#context;
    this.send({ type: "welcome", version: PROTOCOL_VERSION, edge, user, ack, beatMs });
  }

  #serve(live: Live, frame: ClientFrame): void {
    switch (frame.type) {
      case "hello":
        this.send({ type: "error", code: "invalid", message: "hello was said already" });
        return;
      case "ping":
        this.beat();
        return;
      case "resume":
        for (const request of frame.rooms) live.subscriptions.resume(request);
        return;
      case "unsubscribe":
        for (const room of frame.rooms) live.subscriptions.unsubscribe(room);
        return;
      case "attend":
        for (const room of frame.rooms) live.attendance.attend(room);
        return;
      case "read":
        this.#read(live, frame);
        return;
      case "typing":
        live.attendance.sign(frame.room, frame.on);
        return;
      case "send":
      case "create":
      case "direct":
      case "join":
      case "leave":
      case "invite":
      case "rename":
      case "setReceipts":
      case "edit":
      case "delete":
      case "react":
      case "unreact":
      case "pin":
      case "unpin":
      case "markUnread":
        this.#command(live, frame);
    }
  }

  /** Of a followed room only: whoever may follow it may say so. */
  #read({ identity, subscriptions }: Live, frame: ClientFrameOf<"read">): void {
    const { room, through, private: isPrivate = false } = frame;
    const mark = { user: identity.user, through, ...(isPrivate && { private: true }) };
    const code = subscriptions.follows(room)
      ? this.#context.people.readings.take(room, mark)
      : "forbidden";
    if (code === null) return;
    this.#context.tally.refused[code]++;
    this.send({ type: "error", code, message: "this position cannot be taken" });
  }

  #command({ identity, device, attendance }: Live, frame: ClientCommand): void {
    const { k } = frame;
    if (frame.type === "send") attendance.typing(frame.room, false);
    if (frame.type === "markUnread") {
      this.#context.people.readings.drop(identity.user, frame.room);
    }
    if (this.#waitsForOlder(k)) {
      this.#putOff(k, "busy", RETRY_AFTER_MS);
      return;
    }
    this.#held.delete(k);
    if (this.#pending.size >= LIMITS.commandsInFlight && !this.#pending.has(k)) {
      this.#putOff(k, "tooManyCommands", RETRY_AFTER_MS);
      return;
    }
    const command = toCommand(frame, identity.user, device);
    if ("refused" in command) {
      this.#context.tally.refused[command.refused]++;
      this.send({ type: "rejected", k, code: command.refused });
      return;
    }
    const sinceMs = this.#context.tally.samples() ? monotonicMs() : 0;
    this.#pending.set(k, { room: command.room, isMessage: command.type === "send", sinceMs });
    this.#context.ingest.submit({ session: this.id, user: identity.user, device, command }, this);
  }

  #waitsForOlder(k: CommandNumber): boolean {
    for (const held of this.#held) if (held < k) return true;
    return false;
  }

  #putOff(k: CommandNumber, code: ErrorCode, retryAfterMs: number): void {
    if (this.#held.size < LIMITS.commandsInFlight) this.#held.add(k);
    this.#context.tally.deferred[code]++;
    this.send({ type: "deferred", k, code, retryAfterMs });
  }

  /** `accepted` is sent only if the outcome has not come a little later: usually it has. */
  accepted(k: CommandNumber): void {
    this.#context.tally.accepted++;
    if (this.#state.name === "live") this.#keeper.acceptedSoon(this, k);
  }

  confirmAccepted(k: CommandNumber): void {
    if (this.#state.name === "live" && this.#pending.has(k)) this.send({ type: "accepted", k });
  }

  deferred(k: CommandNumber, code: ErrorCode, retryAfterMs: number): void {
    // The outcome may have come first: the command was in the log after all.
    if (!this.#pending.delete(k) || this.#state.name !== "live") return;
    this.#putOff(k, code, retryAfterMs);
  }

  /** For a message that the session was sent as an entry, that is the outcome: no second frame. */
  outcome({ k, room, result, again }: Outcome): void {
    const { isMessage = false, sinceMs = 0 } = this.#pending.get(k) ?? {};
    this.#pending.delete(k);
    if (sinceMs > 0) {
      this.#context.tally.deliverySeconds.note((monotonicMs() - sinceMs) / 1_000);
    }
    this.#held.delete(k);
    if (this.#state.name !== "live") return;
    const { subscriptions } = this.#state;
    if (result.status === "rejected") {
      this.send({ type: "rejected", k, code: result.code });
    } else if (again || !isMessage || !subscriptions.hasShown(room, result.seq)) {
      this.send({ type: "applied", k, room, seq: result.seq, again });
    }
  }

  /** Outcomes of these rooms may have been lost: the client is to send the commands again. */
  outcomesLost(inRoom: (room: RoomId) => boolean): void {
    for (const [k, { room }] of this.#pending) {
      if (inRoom(room)) this.deferred(k, "unavailable", 0);
    }
  }

  beat(): void {
    const subscriptions = this.subscriptions;
    if (!subscriptions) return;
    const heads = subscriptions.headsSince(this.#beatRound);
    this.#beatRound = this.#context.tails.round;
    this.send({ type: "beat", at: now(), heads });
  }

  /** The socket reads too slowly: no more is pushed until it has caught up. */
  lag(): void {
    const { subscriptions } = this;
    if (!subscriptions) return;
    if (!subscriptions.lagging) this.#context.tally.lagged++;
    subscriptions.lag();
  }
}

/** Within the bound of the frame's field; what was cut apart becomes U+FFFD. */
function cut(message: string): string {
  return Buffer.from(message).subarray(0, MESSAGE_BYTES).toString();
}
