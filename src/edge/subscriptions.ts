/**
 * The rooms of one session.
 *
 *            resume                last page sent
 *   (none) ─────────▶ resuming ───────────────────▶ following
 *                        ▲  │ more: the client asks     │
 *                        │  ▼ again                     │ buffer full
 *                        │ (none)                       ▼
 *                        └──────────drained────────── lagging (a cursor)
 */
import { joinResumed, transcodeToJson, type Encoded } from "../protocol/codec.ts";
import { formatCursor, parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ResumeStatus, ServerFrame } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { halves, type Position } from "../redis/position.ts";
import type { ConversationEntry } from "../streams/conversation.ts";
import type { EdgeContext } from "./context.ts";
import { topicOf } from "./fanout.ts";
import type { Refused, ResumePoint } from "./room-reader.ts";
import type { Mark, RoomTail } from "./room-tails.ts";
import type { Socket } from "./socket-port.ts";

/** Bytes in a socket's buffer from which its session counts as lagging. */
export const LAGGING_BYTES = 262_144;

/** Reads of one session under way; further rooms wait, so that a thousand rooms are no burst. */
const READS_AT_ONCE = 16;

export interface ResumeRequest {
  readonly room: RoomId;
  readonly cursor: Cursor | null;
  readonly limit: number;
}

export class Subscriptions {
  readonly #context: EdgeContext;
  readonly #socket: Socket;
  readonly #user: UserId;
  readonly #send: (frame: ServerFrame) => void;
  readonly #following = new Set<RoomId>();
  /** Reads under way, each with the request that alone may finish it. */
  readonly #resuming = new Map<RoomId, ResumeRequest>();
  readonly #waiting = new Map<RoomId, ResumeRequest>();
  readonly #lagging = new Map<RoomId, Cursor | null>();

  constructor(options: {
    context: EdgeContext;
    socket: Socket;
    user: UserId;
    send: (frame: ServerFrame) => void;
  }) {
    this.#context = options.context;
    this.#socket = options.socket;
    this.#user = options.user;
    this.#send = options.send;
  }

  /** Whether the entry was sent, as part of a followed room. */
  hasShown(room: RoomId, seq: Seq): boolean {
    return this.#following.has(room) && (this.#context.tails.get(room)?.seq ?? 0) >= seq;
  }

  get lagging(): boolean {
    return this.#lagging.size > 0;
  }

  get #size(): number {
    const reading = this.#resuming.size + this.#waiting.size;
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
    } else if (this.lagging || this.#socket.bufferedBytes() > LAGGING_BYTES) {
      this.#lagging.set(room, cursor);
    } else {
      this.#waiting.set(room, request);
      this.#readNext();
    }
  }

  #readNext(): void {
    for (const [room, request] of this.#waiting) {
      if (this.#resuming.size >= READS_AT_ONCE) return;
      this.#waiting.delete(room);
      this.#resuming.set(room, request);
      this.#read(request)
        .catch((error: unknown) => {
          this.#context.log.debug({ err: error, room }, "resume failed");
          if (this.#resuming.get(room) !== request) return;
          this.#resuming.delete(room);
          this.#end(room, "unavailable");
        })
        .finally(() => this.#readNext());
    }
  }

  /** Tells the client that the room is no longer followed. */
  #end(room: RoomId, code: ErrorCode): void {
    this.#send({ type: "unsubscribed", room, code });
  }

  async #read(request: ResumeRequest): Promise<void> {
    const { room, cursor, limit } = request;
    const { tails, reader } = this.#context;
    tails.beginJoin(room);
    try {
      const parts = cursor === null ? null : parseCursor(cursor);
      const point = await reader.resume(this.#user, room, parts, limit);
      if (this.#resuming.get(room) !== request) return;
      this.#resuming.delete(room);
      if ("refused" in point) this.#refuse(room);
      else this.#answer(room, point, parts && { position: parts.id as Position, seq: parts.seq });
    } finally {
      tails.endJoin(room);
    }
  }

  #refuse(room: RoomId): void {
    const nothing = { epoch: 0 as Epoch, head: 0 as Seq, more: false, entries: [] };
    this.#send({ type: "resumed", room, status: "refused", ...nothing });
  }

  /** `from` is where the client stands, unless the page starts it anew. */
  #answer(room: RoomId, point: Exclude<ResumePoint, Refused>, from: Mark | null): void {
    const page = cutPage(point);
    const last = page.at(-1);
    const end = last ? { position: last.id, seq: last.seq } : startOf(point, from);
    if (end.seq < point.head) {
      this.#sendPage(room, point, page, { head: point.head, more: true });
      return;
    }
    const bridge = this.#context.tails.bridge(room, point.epoch, end, page);
    if (bridge === null) {
      this.#sendPage(room, point, page, { head: point.head, more: true });
      return;
    }
    const departure = bridge.findIndex(({ leaver }) => leaver === this.#user);
    if (departure >= 0) {
      const until = [...page, ...bridge.slice(0, departure + 1)];
      this.#sendPage(room, point, until, { head: until.at(-1)?.seq ?? point.head, more: false });
      this.#closeIfUnused(room);
      this.#end(room, "forbidden");
      return;
    }
    const whole = [...page, ...bridge];
    this.#sendPage(room, point, whole, { head: whole.at(-1)?.seq ?? end.seq, more: false });
    this.#follow(room);
  }

  #sendPage(
    room: RoomId,
    point: ResumePoint,
    entries: readonly ConversationEntry[],
    { head, more }: { head: Seq; more: boolean },
  ): void {
    const status = point.status as ResumeStatus;
    const payloads = entries.map(({ payload }) => payload);
    const frame: Encoded = joinResumed({ room, status, epoch: point.epoch, head, more }, payloads);
    this.#socket.send(this.#socket.encoding === "json" ? transcodeToJson(frame) : frame);
  }

  #follow(room: RoomId): void {
    const tail = this.#context.tails.get(room) as RoomTail;
    this.#following.add(room);
    tail.followers[this.#socket.encoding]++;
    this.#socket.subscribe(topicOf(room, this.#socket.encoding));
  }

  #closeIfUnused(room: RoomId): void {
    const tail = this.#context.tails.get(room);
    if (tail && tail.followers.binary + tail.followers.json === 0) this.#context.tails.close(tail);
  }

  /** No longer followed; the client knows, or is told by the caller. */
  drop(room: RoomId): void {
    this.#resuming.delete(room);
    this.#waiting.delete(room);
    this.#lagging.delete(room);
    if (!this.#following.delete(room)) return;
    const tail = this.#context.tails.get(room) as RoomTail;
    tail.followers[this.#socket.encoding]--;
    this.#socket.unsubscribe(topicOf(room, this.#socket.encoding));
    this.#closeIfUnused(room);
  }

  dropAll(): void {
    this.#resuming.clear();
    this.#waiting.clear();
    this.#lagging.clear();
    for (const room of this.#following) this.drop(room);
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
    for (const room of this.#following) {
      const tail = tails.get(room) as RoomTail;
      const { position, seq } = tails.publishedTo(tail);
      this.drop(room);
      this.#lagging.set(room, formatCursor(tail.epoch, seq, ...halves(position)));
    }
  }

  /** The buffer has room again: catches up from the streams, room by room. */
  catchUp(): void {
    const waiting = [...this.#lagging];
    this.#lagging.clear();
    for (const [room, cursor] of waiting) {
      this.resume({ room, cursor, limit: LIMITS.pageEntries });
    }
  }

  /** Followed rooms that moved since a round of beats, with their heads. */
  headsSince(round: number): { room: RoomId; seq: Seq }[] {
    const heads: { room: RoomId; seq: Seq }[] = [];
    for (const room of this.#following) {
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
