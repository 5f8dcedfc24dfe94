/**
 * The rooms that somebody on this edge attends: read once when the first one comes,
 * kept by the bells, told to the others. A change is encoded once and published to
 * those who attend; who merely follows the room hears nothing.
 */
import { now } from "../ops/clock.ts";
import type { Log } from "../ops/log.ts";
import { readWhereabouts } from "../domain/presence.ts";
import { encodeServerFrame, type Encoded } from "../protocol/codec.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import type { Encoding } from "../protocol/version.ts";
import type { Redis } from "../redis/connect.ts";
import type { Position } from "../redis/position.ts";
import { array, asInteger, asText, readHash } from "../redis/replies.ts";
import { runScripts, Script } from "../redis/script.ts";
import type { Bell } from "../streams/bell.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";
import { bytesOf, type EdgeTally } from "./edge-tally.ts";
import { PresenceView, type PresenceSnapshot } from "./presence-view.ts";
import type { SocketServer } from "./sockets/socket-port.ts";

/** Changes of this time are told together. */
export const TELL_MS = 250;
/** Rooms read in one round trip. */
const ROOMS_AT_ONCE = 100;
const RETRY_MS = 500;

/** One connection that attends a room. */
export interface Attendee {
  readonly user: UserId;
  readonly encoding: Encoding;
  /** The whole state, at once; from then on it gets what is published. */
  begin(whole: Encoded): void;
  send(data: Encoded): void;
}

interface Open {
  readonly view: PresenceView;
  readonly attendees: Set<Attendee>;
  /** Those who wait for the first read. */
  readonly waiting: Set<Attendee>;
  /** The whole state as it was told last. */
  readonly whole: Map<Encoding, Encoded>;
}

const presenceScript = new Script<PresenceSnapshot>({
  file: new URL("./presence.lua", import.meta.url),
  keys: ["checkpoint", "presence", "members"],
  args: [],
  decode(reply) {
    const [position, fields, members] = array(reply);
    const marks = new Map<UserId, number>();
    for (const [user, value] of readHash(fields)) {
      const where = readWhereabouts(value);
      marks.set(user as UserId, where.name === "there" ? 0 : where.sinceMs);
    }
    return { position: asText(position) as Position, marks, members: asInteger(members) };
  },
});

export function attendTopicOf(room: RoomId, encoding: Encoding): string {
  return `${encoding === "binary" ? "ab" : "aj"}:${room}`;
}

export class PresenceViews {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #publish: SocketServer["publish"];
  readonly #tally: EdgeTally;
  readonly #log: Log;
  readonly #rooms = new Map<RoomId, Open>();
  /** Rooms to be read. */
  readonly #wanted = new Set<RoomId>();
  #reading = false;
  #telling: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: {
    redis: Redis;
    keys: Keys;
    publish: SocketServer["publish"];
    tally: EdgeTally;
    log: Log;
  }) {
    this.#redis = options.redis;
    this.#keys = options.keys;
    this.#publish = options.publish;
    this.#tally = options.tally;
    this.#log = options.log;
  }

  /** Connections that attend, once for each room. */
  get size(): number {
    let size = 0;
    for (const { attendees, waiting } of this.#rooms.values()) {
      size += attendees.size + waiting.size;
    }
    return size;
  }

  /** Who attends a room and was told its state. */
  audience(room: RoomId): ReadonlySet<Attendee> {
    return this.#rooms.get(room)?.attendees ?? NOBODY;
  }

  /** Rooms of a partition (null: of all) that somebody attends. */
  attended(partition: PartitionId | null): RoomId[] {
    const rooms = [...this.#rooms.keys()];
    return rooms.filter((room) => partition === null || this.#keys.partitionOf(room) === partition);
  }

  attend(room: RoomId, attendee: Attendee): void {
    let open = this.#rooms.get(room);
    if (!open) {
      const view = new PresenceView(room);
      open = { view, attendees: new Set(), waiting: new Set(), whole: new Map() };
      this.#rooms.set(room, open);
      this.#want(room);
    }
    if (open.view.isLoading) open.waiting.add(attendee);
    else this.#begin(open, attendee);
  }

  #begin(open: Open, attendee: Attendee): void {
    const { encoding } = attendee;
    let whole = open.whole.get(encoding);
    if (whole === undefined) {
      const { room } = open.view;
      whole = encodeServerFrame({ type: "presence", room, ...open.view.whole() }, encoding);
      open.whole.set(encoding, whole);
    }
    this.#tally.presenceFrames.whole++;
    this.#tally.bytesSent.frame += bytesOf(whole);
    open.attendees.add(attendee);
    attendee.begin(whole);
  }

  leave(room: RoomId, attendee: Attendee): void {
    const open = this.#rooms.get(room);
    if (!open) return;
    open.attendees.delete(attendee);
    open.waiting.delete(attendee);
    if (open.attendees.size + open.waiting.size > 0) return;
    this.#rooms.delete(room);
    this.#wanted.delete(room);
  }

  /** Bells in the order of their partition. */
  hear({ to, presence }: Bell): void {
    for (const change of presence ?? []) {
      const open = this.#rooms.get(change.room);
      if (!open) continue;
      open.view.hear(change, to);
      this.#tellSoon();
    }
  }

  /** Bells of a partition, or of all, were missed. */
  missed(partition: PartitionId | null): void {
    for (const [room, { view }] of this.#rooms) {
      if (partition !== null && this.#keys.partitionOf(room) !== partition) continue;
      view.reload();
      this.#want(room);
    }
  }

  stop(): void {
    this.#stopped = true;
    if (this.#telling) clearTimeout(this.#telling);
    if (this.#retry) clearTimeout(this.#retry);
  }

  #want(room: RoomId): void {
    this.#wanted.add(room);
    if (this.#reading || this.#retry || this.#stopped) return;
    this.#reading = true;
    setImmediate(() => {
      this.#read().catch((error: unknown) => {
        this.#reading = false;
        this.#log.debug({ err: error }, "presence could not be read, it is tried again");
        if (this.#stopped) return;
        this.#retry = setTimeout(() => {
          this.#retry = null;
          for (const wanted of this.#wanted) this.#want(wanted);
        }, RETRY_MS);
      });
    });
  }

  async #read(): Promise<void> {
    while (this.#wanted.size > 0 && !this.#stopped) {
      const rooms = [...this.#wanted].slice(0, ROOMS_AT_ONCE);
      // Whoever is wanted again while the answer is on its way is read again.
      for (const room of rooms) this.#wanted.delete(room);
      const replies = await this.#snapshots(rooms).catch((error: unknown) => {
        for (const room of rooms) if (this.#rooms.has(room)) this.#wanted.add(room);
        throw error;
      });
      rooms.forEach((room, i) => this.#loaded(room, replies[i] as PresenceSnapshot));
    }
    this.#reading = false;
  }

  async #snapshots(rooms: readonly RoomId[]): Promise<PresenceSnapshot[]> {
    const calls = rooms.map((room) => {
      const partition = this.#keys.partitionOf(room);
      const keys = [
        this.#keys.checkpoint(partition),
        this.#keys.presence(partition, room),
        this.#keys.members(partition, room),
      ];
      return presenceScript.call(keys, []);
    });
    const replies = await runScripts(this.#redis, calls);
    return replies.map((reply) => {
      if (reply instanceof Error) throw reply;
      return reply;
    });
  }

  #loaded(room: RoomId, snapshot: PresenceSnapshot): void {
    const open = this.#rooms.get(room);
    // Wanted again: bells were missed since this read began.
    if (!open || this.#wanted.has(room)) return;
    this.#tally.presenceReads++;
    if (!open.view.loaded(snapshot, now())) {
      this.#wanted.add(room);
      return;
    }
    this.#tell(open);
    for (const attendee of open.waiting) this.#begin(open, attendee);
    open.waiting.clear();
  }

  #tellSoon(): void {
    if (this.#stopped) return;
    this.#telling ??= setTimeout(() => {
      this.#telling = null;
      for (const open of this.#rooms.values()) {
        if (open.view.hasChanges && !open.view.isLoading) this.#tell(open);
      }
    }, TELL_MS);
  }

  /** What has changed, encoded once for each encoding that is there. */
  #tell({ view, attendees, whole }: Open): void {
    const told = view.flush();
    if (told === null) return;
    whole.clear();
    const counts = { binary: 0, json: 0 };
    for (const { encoding } of attendees) counts[encoding]++;
    for (const encoding of ["binary", "json"] as const) {
      if (counts[encoding] === 0) continue;
      const data = encodeServerFrame({ type: "presence", room: view.room, ...told }, encoding);
      this.#tally.presenceFrames[told.whole ? "whole" : "changes"]++;
      this.#tally.bytesSent.published += bytesOf(data) * counts[encoding];
      this.#publish(attendTopicOf(view.room, encoding), data);
    }
  }
}

const NOBODY: ReadonlySet<Attendee> = new Set();
