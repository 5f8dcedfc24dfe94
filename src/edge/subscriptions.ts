/**
 * The rooms of one session.
 *
 *            resume                    last page sent
 *   (none) ─────────▶ waiting, reading ──────────────▶ following
 *     ▲               │  ▲          │                     │
 *     └───────────────┼──┼──────────┘                     │ buffer full
 *      more: the      │  │ drained                        │
 *      client asks    ▼  │                                │
 *      again         lagging (a cursor) ◀─────────────────┘
 *
 * A page that the client asked for is a `resumed` frame. A room that lagged stays
 * followed for the client, so it is caught up with `entries`, page after page.
 */
import { joinResumed, transcodeToJson } from "../protocol/codec.ts";
import { formatCursor, parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ResumeStatus, ServerFrame } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { halves, type Position } from "../redis/position.ts";
import type { ConversationEntry } from "../streams/conversation.ts";
import type { EdgeContext } from "./context.ts";
import { bytesOf } from "./edge-tally.ts";
import { framesOf, topicOf } from "./fanout.ts";
import type { ResumePoint } from "./room-reader.ts";
import type { Mark, RoomTail } from "./room-tails.ts";
import type { Socket } from "./sockets/socket-port.ts";

/** Bytes in a socket's buffer from which its session counts as lagging. */
export const LAGGING_BYTES = 262_144;

/** Reads of one session under way; further rooms wait, so that a thousand rooms are no burst. */
const READS_AT_ONCE = 16;

export interface ResumeRequest {
  readonly room: RoomId;
  readonly cursor: Cursor | null;
  readonly limit: number;
}
/** `catchUp`: nobody asked, the room lagged. */
type Request = ResumeRequest & { readonly catchUp: boolean };

/** Who is to know which rooms are followed at the moment. */
export interface FollowListener {
  /** From here on. */
  followed(room: RoomId): void;
  /** Not at the moment, it is to be read first. */
  paused(room: RoomId): void;
  /** No more. */
  ended(room: RoomId): void;
}

export class Subscriptions {
  readonly #context: EdgeContext;
  readonly #socket: Socket;
  readonly #user: UserId;
  readonly #send: (frame: ServerFrame) => void;
  readonly #listener: FollowListener;
  /** With the first entry that this connection was shown: a first page may be shorter than the room. */
  readonly #following = new Map<RoomId, Seq>();
  /** Reads under way, each with the request that alone may finish it. */
  readonly #reading = new Map<RoomId, Request>();
  readonly #waiting = new Map<RoomId, Request>();
  readonly #lagging = new Map<RoomId, Request>();
  /** Reads under way, those included whose answer nobody wants any more. */
  #reads = 0;

  constructor(options: {
    context: EdgeContext;
    socket: Socket;
    user: UserId;
    send: (frame: ServerFrame) => void;
    listener: FollowListener;
  }) {
    this.#context = options.context;
    this.#socket = options.socket;
    this.#user = options.user;
    this.#send = options.send;
    this.#listener = options.listener;
  }

  follows(room: RoomId): boolean {
    return this.#following.has(room);
  }

  /** Followed, or to be followed as soon as it was read. */
  knows(room: RoomId): boolean {
    const reading = this.#reading.has(room) || this.#waiting.has(room);
    return reading || this.#following.has(room) || this.#lagging.has(room);
  }

  /** Whether the entry was sent, as part of a followed room. */
  hasShown(room: RoomId, seq: Seq): boolean {
    const from = this.#following.get(room);
    return from !== undefined && seq >= from && (this.#context.tails.get(room)?.seq ?? 0) >= seq;
  }

  get lagging(): boolean {
    return this.#lagging.size > 0;
  }

  get #size(): number {
    const reading = this.#reading.size + this.#waiting.size;
    return this.#following.size + reading + this.#lagging.size;
  }

  /** Starts anew from the cursor, also where the room was followed already. */
  resume(request: ResumeRequest): void {
    const { room, cursor } = request;
    this.drop(room);
    if (cursor !== null && parseCursor(cursor) === null) {
      this.#end(room, "invalid");
    } else if (this.#size >= LIMITS.roomsPerConnection) {
      this.#end(room, "tooManyRooms");
    } else {
      this.#enqueue({ ...request, catchUp: false });
    }
  }

  #enqueue(request: Request): void {
    if (this.lagging) {
      this.#lagging.set(request.room, request);
    } else {
      this.#waiting.set(request.room, request);
      this.#readNext();
    }
  }

  #readNext(): void {
    for (const [room, request] of this.#waiting) {
      if (this.#reads >= READS_AT_ONCE) return;
      this.#waiting.delete(room);
      // `drained` follows, because there is something to drain.
      if (this.#socket.bufferedBytes() > LAGGING_BYTES) this.#lagging.set(room, request);
      else void this.#serve(request);
    }
  }

  /** Never rejects. */
  async #serve(request: Request): Promise<void> {
    const { room } = request;
    const { tails, tally, log } = this.#context;
    this.#reads++;
    this.#reading.set(room, request);
    tails.beginJoin(room);
    try {
      await this.#read(request);
    } catch (error) {
      tally.resumes.failed++;
      log.debug({ err: error, room }, "a room could not be read");
      if (this.#reading.get(room) === request) this.#end(room, "unavailable");
    }
    tails.endJoin(room);
    if (this.#reading.get(room) === request) this.#reading.delete(room);
    this.#reads--;
    this.#readNext();
  }

  /** Tells the client that the room is no longer followed. */
  #end(room: RoomId, code: ErrorCode): void {
    this.#listener.ended(room);
    this.#send({ type: "unsubscribed", room, code });
  }

  async #read(request: Request): Promise<void> {
    const { room, cursor, limit } = request;
    const parts = cursor === null ? null : parseCursor(cursor);
    const point = await this.#context.reader.resume(this.#user, room, parts, limit);
    if (this.#reading.get(room) !== request) return;
    if ("refused" in point) this.#refuse(request);
    else if (request.catchUp && point.status !== "ok") this.#end(room, "unavailable");
    else this.#answer(request, point, parts && { position: parts.id as Position, seq: parts.seq });
  }

  #refuse({ room, catchUp }: Request): void {
    const nothing = { epoch: 0 as Epoch, head: 0 as Seq, more: false, entries: [] };
    this.#context.tally.resumes.refused++;
    if (catchUp) {
      this.#end(room, "forbidden");
    } else {
      this.#listener.ended(room);
      this.#send({ type: "resumed", room, status: "refused", ...nothing });
    }
  }

  /** `from` is where the client stands, unless the page starts it anew. */
  #answer(request: Request, point: ResumePoint, from: Mark | null): void {
    const { room } = request;
    const page = cutPage(point);
    const last = page.at(-1);
    const end = last ? { position: last.id, seq: last.seq } : startOf(point, from);
    const isLast = end.seq >= point.head;
    const bridge = isLast ? this.#context.tails.bridge(room, point.epoch, end, page) : null;
    if (bridge === null) {
      if (!last && !isLast) this.#end(room, "unavailable");
      else this.#continue(request, point, page, end);
      return;
    }
    const departure = bridge.findIndex(({ leaver }) => leaver === this.#user);
    this.#sendPage(request, point, page, { head: end.seq, more: false });
    this.#sendEntries(room, departure < 0 ? bridge : bridge.slice(0, departure + 1));
    if (departure < 0) {
      this.#follow(room, page[0]?.seq ?? ((end.seq + 1) as Seq));
    } else {
      this.#closeIfUnused(room);
      this.#end(room, "forbidden");
    }
  }

  /** There is more to be read, or the tail cannot be reached from here yet. */
  #continue(
    request: Request,
    point: ResumePoint,
    page: readonly ConversationEntry[],
    { position, seq }: Mark,
  ): void {
    // A client that stands at the head takes an empty page for the last one: it waits, we read again.
    if (page.length === 0) {
      this.#enqueue({ ...request });
      return;
    }
    this.#sendPage(request, point, page, { head: point.head, more: true });
    if (!request.catchUp) return;
    const cursor = formatCursor(point.epoch, seq, ...halves(position));
    this.#enqueue({ ...request, cursor });
  }

  #sendPage(
    { room, catchUp }: Request,
    point: ResumePoint,
    entries: readonly ConversationEntry[],
    { head, more }: { head: Seq; more: boolean },
  ): void {
    const status = point.status as ResumeStatus;
    this.#context.tally.resumes[status]++;
    this.#context.tally.resumedEntries += entries.length;
    if (catchUp) {
      this.#sendEntries(room, entries);
      return;
    }
    const payloads = entries.map(({ payload }) => payload);
    this.#sendBinary(joinResumed({ room, status, epoch: point.epoch, head, more }, payloads));
  }

  #sendEntries(room: RoomId, entries: readonly ConversationEntry[]): void {
    const payloads = entries.map(({ payload }) => payload);
    for (const frame of framesOf(room, payloads)) this.#sendBinary(frame);
  }

  #sendBinary(frame: Uint8Array): void {
    const data = this.#socket.encoding === "json" ? transcodeToJson(frame) : frame;
    this.#context.tally.bytesSent.page += bytesOf(data);
    this.#socket.send(data);
  }

  #follow(room: RoomId, from: Seq): void {
    const tail = this.#context.tails.get(room) as RoomTail;
    this.#following.set(room, from);
    tail.followers[this.#socket.encoding]++;
    this.#socket.subscribe(topicOf(room, this.#socket.encoding));
    this.#listener.followed(room);
  }

  #closeIfUnused(room: RoomId): void {
    const tail = this.#context.tails.get(room);
    if (tail && tail.followers.binary + tail.followers.json === 0) this.#context.tails.close(tail);
  }

  /** No longer followed; the client knows, or is told by the caller. */
  drop(room: RoomId): void {
    this.#reading.delete(room);
    this.#waiting.delete(room);
    this.#lagging.delete(room);
    if (!this.#following.delete(room)) return;
    this.#listener.paused(room);
    const tail = this.#context.tails.get(room) as RoomTail;
    tail.followers[this.#socket.encoding]--;
    this.#socket.unsubscribe(topicOf(room, this.#socket.encoding));
    this.#closeIfUnused(room);
  }

  /** The client wants no more of it. */
  unsubscribe(room: RoomId): void {
    this.drop(room);
    this.#listener.ended(room);
  }

  dropAll(): void {
    this.#reading.clear();
    this.#waiting.clear();
    this.#lagging.clear();
    for (const room of this.#following.keys()) this.drop(room);
  }

  /**
   * A followed room goes no further. One that is still to be read is left alone:
   * the read finds what holds by then, and the client waits for its answer.
   */
  interrupt(room: RoomId, code: ErrorCode): void {
    if (!this.#following.has(room)) return;
    this.drop(room);
    this.#end(room, code);
  }

  /** Takes the session off all its rooms; each keeps the cursor up to which it has everything. */
  lag(): void {
    const { tails } = this.#context;
    for (const room of this.#following.keys()) {
      const tail = tails.get(room) as RoomTail;
      const { position, seq } = tails.publishedTo(tail);
      this.drop(room);
      const cursor = formatCursor(tail.epoch, seq, ...halves(position));
      this.#lagging.set(room, { room, cursor, limit: LIMITS.pageEntries, catchUp: true });
    }
  }

  /** The buffer has room again: catches up from the streams, room by room. */
  catchUp(): void {
    const requests = [...this.#lagging.values()];
    this.#lagging.clear();
    for (const request of requests) this.#enqueue(request);
  }

  /** Followed rooms that moved since a round of beats, with their heads. */
  headsSince(round: number): { room: RoomId; seq: Seq }[] {
    const heads: { room: RoomId; seq: Seq }[] = [];
    for (const room of this.#following.keys()) {
      const tail = this.#context.tails.get(room);
      if (tail && tail.movedIn >= round) heads.push({ room, seq: tail.seq });
    }
    return heads;
  }
}

/** Where a client stands after an empty page. */
function startOf(point: ResumePoint, from: Mark | null): Mark {
  return point.status === "ok" && from !== null
    ? from
    : { position: point.headId, seq: point.head };
}

/** Within the bytes of a frame: from the cursor on, or the newest where there is none. */
function cutPage({ status, entries }: ResumePoint): readonly ConversationEntry[] {
  const ordered = status === "ok" ? entries : entries.toReversed();
  let bytes = 0;
  let size = 0;
  for (const { payload } of ordered) {
    bytes += payload.length;
    if (size > 0 && bytes > LIMITS.pageBytes) break;
    size++;
  }
  return status === "ok" ? entries.slice(0, size) : entries.slice(entries.length - size);
}
