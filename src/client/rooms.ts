/** The rooms of a client: finds the one that a frame is about, and asks for many at once. */
import type { Entry } from "../protocol/frames.ts";
import { ROOM_ID, type RoomId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { ClientError } from "./client-error.ts";
import type { Emitter } from "./emitter.ts";
import type { ClientEvents } from "./events.ts";
import type { OutboxItem } from "./outbox.ts";
import { RoomParts, type PartsHost, type RoomEvents, type RoomFrame } from "./room-parts.ts";
import { Room, type RoomHost } from "./room.ts";
import type { Subscription } from "./subscription.ts";

/** What all rooms need of the client, besides what happens in here. */
export type RoomsHost = RoomHost &
  Omit<PartsHost, "mayFollow" | "requestResume" | "requestAttend" | "tell"> & {
    readonly emitter: Emitter<ClientEvents>;
  };

export class Rooms {
  readonly #host: RoomsHost;
  readonly #partsHost: PartsHost;
  readonly #rooms = new Map<RoomId, RoomParts>();
  /** What the application has of each. */
  readonly #handles = new Map<RoomId, Room>();
  /** To be asked for together, at the end of this turn. */
  readonly #toResume = new Set<Subscription>();
  readonly #toAttend = new Set<RoomParts>();

  constructor(host: RoomsHost) {
    this.#host = host;
    this.#partsHost = {
      ...host,
      tell: (id, event, about) => this.#tell(id, event, about),
      mayFollow: (asking) => this.#mayFollow(asking),
      requestResume: (asking) => this.#soon(this.#toResume, asking),
      requestAttend: (asking) => this.#soon(this.#toAttend, asking),
    };
  }

  /** Throws ClientError `invalid` for what cannot be a room id. */
  get(id: string): RoomParts {
    const known = this.#rooms.get(id as RoomId);
    if (known) return known;
    if (!ROOM_ID.test(id)) throw new ClientError("invalid", `a room id is like ${ROOM_ID.source}`);
    const made = new RoomParts(id as RoomId, this.#partsHost);
    this.#rooms.set(made.id, made);
    this.#handles.set(made.id, new Room(made.id, this.#host, made));
    return made;
  }

  /** The same one each time. Throws as `get` does. */
  handle(id: string): Room {
    return this.#handles.get(this.get(id).id) as Room;
  }

  #tell<E extends keyof RoomEvents>(id: RoomId, event: E, about: RoomEvents[E]): void {
    this.#host.emitter.emit(event, { room: this.handle(id), ...about } as ClientEvents[E]);
  }

  received(frame: RoomFrame): void {
    this.#rooms.get(frame.room)?.received(frame);
  }

  headIs({ room, seq }: Pick<Entry, "seq"> & { readonly room: RoomId }): void {
    this.#rooms.get(room)?.subscription.headIs(seq);
  }

  itemChanged(item: OutboxItem): void {
    const { command } = item;
    if ("room" in command && command.room) this.#rooms.get(command.room)?.own.itemChanged(item);
  }

  connected(): void {
    for (const parts of this.#rooms.values()) parts.connected();
    this.#flush();
  }

  disconnected(next: "resume" | "refetch"): void {
    this.#toResume.clear();
    this.#toAttend.clear();
    for (const { subscription } of this.#rooms.values()) subscription.disconnected(next);
  }

  stopped(error: ClientError): void {
    for (const { subscription } of this.#rooms.values()) subscription.stopped(error);
  }

  #mayFollow(asking: Subscription): boolean {
    let followed = 0;
    for (const { subscription } of this.#rooms.values()) {
      if (subscription !== asking && subscription.followed) followed += 1;
    }
    return followed < LIMITS.roomsPerConnection;
  }

  #soon<T>(asking: Set<T>, one: T): void {
    if (this.#toResume.size + this.#toAttend.size === 0) queueMicrotask(() => this.#flush());
    asking.add(one);
  }

  #flush(): void {
    const resuming = [...this.#toResume].filter(({ state }) => state.name === "resuming");
    const attending = [...this.#toAttend].filter(
      ({ attends, subscription }) => attends && subscription.state.name === "live",
    );
    this.#toResume.clear();
    this.#toAttend.clear();
    if (!this.#host.connected()) return;
    for (const rooms of partsOf(resuming)) {
      this.#host.send({ type: "resume", rooms: rooms.map((one) => one.request()) });
    }
    for (const rooms of partsOf(attending)) {
      this.#host.send({ type: "attend", rooms: rooms.map(({ id }) => id) });
    }
  }
}

/** As many as one frame may name. */
function* partsOf<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += LIMITS.roomsPerResume) {
    yield all.slice(at, at + LIMITS.roomsPerResume);
  }
}
