/**
 * How far people have read, told to those who attend the room, some time's worth
 * together. In a large room they are told how many have read how far: the counts are
 * the projector's, so they are read when they may have changed. Whoever sends, comes or
 * leaves changes them too, so every entry of such a room is a reason.
 *
 * Positions only rise here, so what comes twice or late does no harm; after missed
 * bells the rooms that are attended are read again. So is a room in which receipts are
 * switched on or off: while they are off, all of it is nothing.
 */
import type { Log } from "../ops/log.ts";
import { encodeServerFrame, type Encoded } from "../protocol/codec.ts";
import type { ServerFrame, ServerFrameOf } from "../protocol/frames.ts";
import type { RoomId, Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Encoding } from "../protocol/version.ts";
import type { Bell } from "../streams/bell.ts";
import type { PartitionId } from "../streams/partitions.ts";
import { bytesOf, type EdgeTally } from "./edge-tally.ts";
import { attendTopicOf, type Attendee } from "./presence-views.ts";
import type { RoomList } from "./room-list.ts";
import { RoomReads } from "./room-reads.ts";
import type { SocketServer } from "./sockets/socket-port.ts";

/** Positions of this time are told together. */
export const TELL_MS = 250;
/** And how many have read in a large room, at most so often. */
export const TELL_READERS_MS = 1_000;

const ENCODINGS = ["binary", "json"] as const satisfies readonly Encoding[];

/** Steps of a room in which receipts are off: an entry brings nothing new. */
const NO_STEPS = JSON.stringify([]);

type RoomReadingsFrame = ServerFrameOf<"receipts" | "readers">;

/** Who attends what on this edge. */
export interface Audiences {
  audience(room: RoomId): ReadonlySet<Attendee>;
  /** Rooms of a partition that are attended here; null: of all. */
  attended(partition: PartitionId | null): RoomId[];
}

export class Receipts {
  readonly #rooms: Pick<RoomList, "readings">;
  readonly #audiences: Audiences;
  readonly #publish: SocketServer["publish"];
  readonly #tally: EdgeTally;
  /** Positions to be told to a room. */
  readonly #moved = new Map<RoomId, Map<UserId, Seq>>();
  readonly #roomReads: RoomReads;
  /** Who has come to a room and is told with its next read. */
  readonly #arrived = new Map<RoomId, Attendee[]>();
  /** Rooms whose next read is told to all who attend. */
  readonly #stale = new Set<RoomId>();
  #timer: NodeJS.Timeout | null = null;
  /**
   * Of large rooms, the steps that all of an audience were told last; empty where not all were
   * told the same. By the audience, so that it ends with the last of them.
   */
  readonly #steps = new WeakMap<ReadonlySet<Attendee>, string>();
  /** Large rooms in which the counts may have changed. */
  readonly #crowds = new Set<RoomId>();
  #crowdTimer: NodeJS.Timeout | null = null;

  constructor(options: {
    rooms: Pick<RoomList, "readings">;
    audiences: Audiences;
    publish: SocketServer["publish"];
    tally: EdgeTally;
    log: Log;
  }) {
    this.#rooms = options.rooms;
    this.#audiences = options.audiences;
    this.#publish = options.publish;
    this.#tally = options.tally;
    this.#roomReads = new RoomReads({
      read: (room) => this.#tellNext(room),
      isWanted: (room) => this.#isAttended(room),
      log: options.log,
    });
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#crowdTimer) clearTimeout(this.#crowdTimer);
    this.#roomReads.stop();
  }

  hear({ entries, rooms, marks = [], switched = [] }: Bell): void {
    for (const { room } of entries) this.#noteEntry(room);
    for (const room of rooms) this.#noteEntry(room);
    for (const { room, user, told } of marks) {
      const audience = this.#audiences.audience(room);
      if (told === null || audience.size === 0) continue;
      if (told === "count") this.#noteCrowd(room);
      // It was a large room until now, and they were told of nobody.
      else if (this.#steps.has(audience)) this.#tellAnew(room);
      else this.#note(room, user, told);
    }
    for (const room of switched) if (this.#audiences.audience(room).size > 0) this.#tellAnew(room);
  }

  /** Bells were missed: nobody is to wait for what they said. */
  missed(partition: PartitionId | null): void {
    for (const room of this.#audiences.attended(partition)) this.#tellAnew(room);
  }

  /** Tells one connection that has come to a room how far the others have read there. */
  attended(room: RoomId, attendee: Attendee): void {
    const arrived = this.#arrived.get(room);
    if (arrived) arrived.push(attendee);
    else this.#arrived.set(room, [attendee]);
    this.#roomReads.want(room);
  }

  /** Also where nothing is to be told of the room any more. */
  #tellAnew(room: RoomId): void {
    this.#moved.delete(room);
    this.#tellWhole(room);
  }

  #tellWhole(room: RoomId): void {
    this.#stale.add(room);
    this.#roomReads.want(room);
  }

  #isAttended(room: RoomId): boolean {
    if (this.#audiences.audience(room).size > 0) return true;
    this.#arrived.delete(room);
    this.#stale.delete(room);
    return false;
  }

  /** Rejects when the room could not be read; then its next read is for the same people. */
  async #tellNext(room: RoomId): Promise<void> {
    const attendees = this.#arrived.get(room) ?? [];
    this.#arrived.delete(room);
    const toAll = this.#stale.delete(room);
    let frame: RoomReadingsFrame;
    try {
      frame = await this.#whole(room);
    } catch (error) {
      this.#arrived.set(room, [...attendees, ...(this.#arrived.get(room) ?? [])]);
      if (toAll) this.#stale.add(room);
      throw error;
    }
    const isNews = this.#isNews(frame, toAll);
    if (toAll && isNews) this.#publishTo(room, frame);
    else this.#sendTo(attendees, frame);
  }

  /** False where all who attend, but those who have just come, were told the same before. */
  #isNews(frame: RoomReadingsFrame, toAll: boolean): boolean {
    const audience = this.#audiences.audience(frame.room);
    // All have gone meanwhile, and rooms that nobody attends share their empty audience.
    if (audience.size === 0) return false;
    if (frame.type === "receipts") {
      this.#steps.delete(audience);
      return true;
    }
    const steps = JSON.stringify(frame.steps);
    if (this.#steps.get(audience) === steps) return false;
    this.#steps.set(audience, toAll ? steps : "");
    return true;
  }

  #sendTo(attendees: readonly Attendee[], frame: RoomReadingsFrame): void {
    const audience = this.#audiences.audience(frame.room);
    const encoded = new Map<Encoding, Encoded>();
    for (const attendee of attendees) {
      if (!audience.has(attendee)) continue;
      const { encoding } = attendee;
      const data = encoded.get(encoding) ?? encodeServerFrame(frame, encoding);
      encoded.set(encoding, data);
      attendee.send(this.#counted(data, 1));
    }
  }

  async #whole(room: RoomId): Promise<RoomReadingsFrame> {
    const readings = await this.#rooms.readings(room);
    return "marks" in readings
      ? { type: "receipts", room, whole: true, ...readings }
      : { type: "readers", room, ...readings };
  }

  #note(room: RoomId, user: UserId, through: Seq): void {
    const marks = this.#moved.get(room) ?? new Map<UserId, Seq>();
    this.#moved.set(room, marks);
    if (through > (marks.get(user) ?? 0)) marks.set(user, through);
    this.#timer ??= setTimeout(() => this.#tell(), TELL_MS);
  }

  /** Something has happened in the room. */
  #noteEntry(room: RoomId): void {
    const steps = this.#steps.get(this.#audiences.audience(room));
    if (steps !== undefined && steps !== NO_STEPS) this.#noteCrowd(room);
  }

  #noteCrowd(room: RoomId): void {
    this.#crowds.add(room);
    this.#crowdTimer ??= setTimeout(() => {
      this.#crowdTimer = null;
      for (const crowd of this.#crowds) this.#tellWhole(crowd);
      this.#crowds.clear();
    }, TELL_READERS_MS);
  }

  #tell(): void {
    this.#timer = null;
    for (const [room, moved] of this.#moved) {
      const marks = [...moved].map(([user, through]) => ({ user, through }));
      for (let at = 0; at < marks.length; at += LIMITS.largeRoom) {
        const part = marks.slice(at, at + LIMITS.largeRoom);
        this.#publishTo(room, { type: "receipts", room, whole: false, marks: part });
      }
    }
    this.#moved.clear();
  }

  #publishTo(room: RoomId, frame: ServerFrame): void {
    const audience = this.#audiences.audience(room);
    for (const encoding of ENCODINGS) {
      let count = 0;
      for (const attendee of audience) if (attendee.encoding === encoding) count++;
      if (count === 0) continue;
      const data = this.#counted(encodeServerFrame(frame, encoding), count);
      this.#publish(attendTopicOf(room, encoding), data);
    }
  }

  #counted(data: Encoded, receivers: number): Encoded {
    this.#tally.bytesSent.frame += bytesOf(data) * receivers;
    this.#tally.receiptFrames += receivers;
    return data;
  }
}
