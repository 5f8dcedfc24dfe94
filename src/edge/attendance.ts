/**
 * The rooms that one session attends: a wish on top of following.
 *
 *            attend        gate             followed
 *   (none) ────────▶ asked ────▶ in, unseen ────────▶ in, shown
 *     ▲                │           │  ▲                 │
 *     │                │           │  └─────────────────┤ lagging, or resumed anew
 *     └────────────────┴───────────┴────────────────────┘ unsubscribed, left, closed
 *
 * While it is in, the user is there; only while it is shown, the client is told of
 * others. `#become` is the only writer of a room's state.
 */
import type { Encoded } from "../protocol/codec.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import type { Encoding } from "../protocol/version.ts";
import type { EdgeContext } from "./context.ts";
import { attendTopicOf, type Attendee } from "./presence-views.ts";
import type { Socket } from "./sockets/socket-port.ts";

type State = "asked" | "unseen" | "shown";

/** What is known of the rooms that the session follows. */
export interface Following {
  follows(room: RoomId): boolean;
  /** Followed, or to be followed as soon as it was read. */
  knows(room: RoomId): boolean;
}

export class Attendance {
  readonly #context: EdgeContext;
  readonly #socket: Socket;
  readonly #user: UserId;
  readonly #following: Following;
  readonly #send: (frame: ServerFrame) => void;
  readonly #rooms = new Map<RoomId, { readonly state: State; readonly attendee: RoomAttendee }>();
  /** Rooms in which this session was the last to say that its user types. */
  readonly #typing = new Set<RoomId>();

  constructor(options: {
    context: EdgeContext;
    socket: Socket;
    user: UserId;
    following: Following;
    send: (frame: ServerFrame) => void;
  }) {
    this.#context = options.context;
    this.#socket = options.socket;
    this.#user = options.user;
    this.#following = options.following;
    this.#send = options.send;
  }

  #become(room: RoomId, state: State | null): void {
    if (state === null) {
      this.#rooms.delete(room);
      return;
    }
    const attendee = this.#rooms.get(room)?.attendee ?? this.#attendee(room);
    this.#rooms.set(room, { state, attendee });
  }

  #attendee(room: RoomId): RoomAttendee {
    const { receipts } = this.#context.people;
    return new RoomAttendee(room, this.#user, this.#socket, (one) => receipts.attended(room, one));
  }

  #stateOf(room: RoomId): State | null {
    return this.#rooms.get(room)?.state ?? null;
  }

  /** At most as many as may be followed. */
  attend(room: RoomId): void {
    if (this.#stateOf(room) !== null) return;
    if (!this.#following.knows(room)) {
      this.#refuse("forbidden");
      return;
    }
    this.#become(room, "asked");
    const asked = this.#rooms.get(room);
    this.#context.reader.mayAttend(this.#user, room).then(
      (may) => this.#rooms.get(room) === asked && this.#answer(room, may ? null : "forbidden"),
      (error: unknown) => {
        this.#context.log.debug({ err: error, room }, "the gate could not be asked");
        if (this.#rooms.get(room) === asked) this.#answer(room, "unavailable");
      },
    );
  }

  #refuse(code: ErrorCode): void {
    this.#context.tally.refused[code]++;
    this.#send({ type: "error", code, message: "only a followed room can be attended" });
  }

  #answer(room: RoomId, refused: ErrorCode | null): void {
    if (refused !== null) {
      this.#become(room, null);
      this.#refuse(refused);
      return;
    }
    this.#become(room, "unseen");
    this.#context.people.presence.enter(room, this.#user);
    if (this.#following.follows(room)) this.#show(room);
  }

  #show(room: RoomId): void {
    this.#become(room, "shown");
    const attendee = this.#rooms.get(room)?.attendee as RoomAttendee;
    this.#context.people.views.attend(room, attendee);
    this.#context.people.typing.attended(room, attendee);
  }

  #hide(room: RoomId): void {
    const attendee = this.#rooms.get(room)?.attendee as RoomAttendee;
    this.#become(room, "unseen");
    this.#context.people.views.leave(room, attendee);
    attendee.end();
  }

  /** The room is followed from here on. */
  followed(room: RoomId): void {
    if (this.#stateOf(room) !== "unseen") return;
    // The user may have left and come back while the session was not told of it.
    this.#context.people.presence.doubt(room, this.#user);
    this.#show(room);
  }

  /** Not at the moment: it is to be read first. */
  paused(room: RoomId): void {
    if (this.#stateOf(room) === "shown") this.#hide(room);
  }

  ended(room: RoomId): void {
    const state = this.#stateOf(room);
    if (state === "shown") this.#hide(room);
    this.#become(room, null);
    if (state === null || state === "asked") return;
    this.#context.people.presence.leave(room, this.#user);
    this.typing(room, false);
  }

  endAll(): void {
    for (const room of this.#rooms.keys()) this.ended(room);
  }

  /** A sign of typing from the client. */
  sign(room: RoomId, on: boolean): void {
    if (this.#stateOf(room) === "shown") this.typing(room, on);
    else if (on && this.#stateOf(room) === null) this.#refuse("forbidden");
  }

  /** Also from what else ends it: a message, the end of the socket. */
  typing(room: RoomId, on: boolean): void {
    if (!on && !this.#typing.has(room)) return;
    if (on) this.#typing.add(room);
    else this.#typing.delete(room);
    this.#context.people.typing.sign(room, this.#user, on);
  }
}

/** One room of one socket, to be told of the others in it. */
class RoomAttendee implements Attendee {
  readonly user: UserId;
  readonly #topic: string;
  readonly #socket: Socket;
  readonly #onBegin: (attendee: Attendee) => void;

  constructor(room: RoomId, user: UserId, socket: Socket, onBegin: (attendee: Attendee) => void) {
    this.user = user;
    this.#socket = socket;
    this.#onBegin = onBegin;
    this.#topic = attendTopicOf(room, socket.encoding);
  }

  get encoding(): Encoding {
    return this.#socket.encoding;
  }
  begin(whole: Encoded): void {
    this.#socket.send(whole);
    this.#socket.subscribe(this.#topic);
    // Read after it hears of changes, so that none is between the two.
    this.#onBegin(this);
  }
  send(data: Encoded): void {
    this.#socket.send(data);
  }
  end(): void {
    this.#socket.unsubscribe(this.#topic);
  }
}
