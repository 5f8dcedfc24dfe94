/**
 * The list of one's rooms, with what is unread in each. It is read once, and kept current
 * by the entries of followed rooms and by what the server tells without being asked; where
 * that is not enough it is read again: all at once, and not too often.
 *
 *   idle ──load──▶ reading ──answer──▶ read ──changed, in doubt, reconnected──▶ due
 *                    ▲  │ failed                                               │
 *                    └──┴──────────────── after a pause ◀──────────────────────┘
 */
import type { Entry, RoomKind } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import type { Agenda, Clock } from "./agenda.ts";
import { Backoff } from "./backoff.ts";
import { changed, messageOf, type Message } from "./message.ts";
import type { Reading } from "./reading.ts";
import type { ListedRoom } from "./replies.ts";

/** What happens in this time leads to one reading of the list. */
export const REFRESH_SOON_MS = 100;
/** Between two readings of the list. */
export const REFRESH_EVERY_MS = 1_000;

/** One room of the list: a value, and a new one after each change. */
export interface RoomSummary {
  readonly room: RoomId;
  readonly kind: RoomKind;
  readonly name: string;
  /** `invited` is not in it yet. */
  readonly role: string;
  readonly epoch: Epoch;
  /** Seq of the newest entry. */
  readonly head: Seq;
  /** The newest message, deleted or not. */
  readonly last: Message | null;
  /** Up to here this user has read. */
  readonly through: Seq;
  readonly unread: number;
  readonly mentions: number;
}
export interface ListChange {
  readonly changed: readonly RoomId[];
  readonly removed: readonly RoomId[];
}
type Line = Omit<RoomSummary, "through" | "unread" | "mentions">;

export interface ListHost {
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly random: () => number;
  me(): UserId | null;
  connected(): boolean;
  fetch(): Promise<readonly ListedRoom[]>;
  reading(room: RoomId): Reading;
  emit(change: ListChange): void;
}

export class RoomList {
  readonly #host: ListHost;
  readonly #backoff: Backoff;
  readonly #lines = new Map<RoomId, Line>();
  /** Null when something changed since it was made. */
  #rooms: readonly RoomSummary[] | null = null;
  readonly #changed = new Set<RoomId>();
  readonly #removed = new Set<RoomId>();
  /** The application wants the list. */
  #wanted = false;
  #loaded = false;
  #reading: Promise<void> | null = null;
  #readAtMs = -Infinity;

  /** Made by the client. */
  constructor(host: ListHost) {
    this.#host = host;
    this.#backoff = new Backoff(host.random);
  }

  /** False before the first answer. */
  get loaded(): boolean {
    return this.#loaded;
  }
  /** The one with the newest message first. */
  get rooms(): readonly RoomSummary[] {
    this.#rooms ??= [...this.#lines.values()].map((line) => this.#summary(line)).sort(byActivity);
    return this.#rooms;
  }
  get(room: string): RoomSummary | null {
    const line = this.#lines.get(room as RoomId);
    return line ? this.#summary(line) : null;
  }
  /** In all rooms together. */
  get unread(): number {
    return this.rooms.reduce((sum, { unread }) => sum + unread, 0);
  }
  get mentions(): number {
    return this.rooms.reduce((sum, { mentions }) => sum + mentions, 0);
  }

  /** Reads the list; it stays current from then on. Rejects with ClientError, and may be tried again. */
  load(): Promise<void> {
    this.#wanted = true;
    return this.#read();
  }

  /** Something is different from what is known here. */
  refresh(): void {
    const { agenda, clock } = this.#host;
    if (!this.#wanted || agenda.has(APPOINTMENT)) return;
    const atMs = Math.max(clock.now() + REFRESH_SOON_MS, this.#readAtMs + REFRESH_EVERY_MS);
    agenda.set(APPOINTMENT, atMs, () => this.#readAgain());
  }

  /** A change on the server may have gone unheard while there was no connection. */
  connected(): void {
    if (this.#loaded) this.refresh();
  }

  /** An entry of a followed room, each once and in order. */
  happened(room: RoomId, entry: Entry): void {
    const line = this.#lines.get(room);
    if (!line || entry.seq <= line.head) return;
    if (entry.event.type === "member.left" && entry.event.user === this.#host.me()) {
      return this.#remove(room);
    }
    this.#put({ ...line, ...this.#after(line, entry), head: entry.seq });
  }

  /** How far one has read, or what is unread. */
  unreadChanged(room: RoomId): void {
    if (this.#lines.has(room)) this.#touch(room);
  }

  #after({ last }: Line, entry: Entry): Partial<Line> {
    if (entry.event.type === "room.renamed") return { name: entry.event.name };
    const me = this.#host.me();
    const message = messageOf(entry, me);
    if (message) return { last: message };
    const isAboutLast = "target" in entry.event && entry.event.target === last?.seq;
    return last && isAboutLast ? { last: changed(last, entry, me) } : {};
  }

  #readAgain(): void {
    const { agenda, clock } = this.#host;
    this.#read().then(
      () => this.#backoff.succeeded(clock.now()),
      () => {
        if (!this.#host.connected()) return;
        const pauseMs = this.#backoff.failed(clock.now()) + REFRESH_EVERY_MS;
        agenda.set(APPOINTMENT, clock.now() + pauseMs, () => this.#readAgain());
      },
    );
  }

  #read(): Promise<void> {
    if (this.#reading) {
      // The answer on its way may be older than what is asked for now.
      this.refresh();
      return this.#reading;
    }
    const askedAtMs = this.#host.clock.now();
    this.#readAtMs = askedAtMs;
    this.#reading = this.#host
      .fetch()
      .then((rooms) => this.#answered(rooms, askedAtMs))
      .finally(() => (this.#reading = null));
    return this.#reading;
  }

  #answered(rooms: readonly ListedRoom[], askedAtMs: number): void {
    this.#loaded = true;
    const listed = new Set(rooms.map(({ room }) => room));
    for (const room of this.#lines.keys()) if (!listed.has(room)) this.#remove(room);
    for (const { through, unread, mentions, ...room } of rooms) {
      const before = this.#lines.get(room.room)?.epoch ?? room.epoch;
      this.#put(this.#newer(room));
      const reading = this.#host.reading(room.room);
      // Of a room that is not followed nobody else says so.
      if (before !== room.epoch) reading.restart(true);
      reading.listed({ through, unread, mentions, head: room.head }, askedAtMs);
    }
  }

  /** The answer, less what the room's entries have told already. */
  #newer(listed: Omit<ListedRoom, "through" | "unread" | "mentions">): Line {
    const known = this.#lines.get(listed.room);
    const isOld = known !== undefined && known.epoch === listed.epoch && known.head > listed.head;
    if (isOld) return { ...known, role: listed.role };
    return { ...listed, last: listed.last && messageOf(listed.last, this.#host.me()) };
  }

  #put(line: Line): void {
    this.#lines.set(line.room, line);
    this.#touch(line.room);
  }

  #remove(room: RoomId): void {
    this.#lines.delete(room);
    this.#touch(room);
  }

  #touch(room: RoomId): void {
    this.#rooms = null;
    if (this.#changed.size + this.#removed.size === 0) queueMicrotask(() => this.#tell());
    const isThere = this.#lines.has(room);
    (isThere ? this.#changed : this.#removed).add(room);
    (isThere ? this.#removed : this.#changed).delete(room);
  }

  #tell(): void {
    const change = { changed: [...this.#changed], removed: [...this.#removed] };
    this.#changed.clear();
    this.#removed.clear();
    this.#host.emit(change);
  }

  #summary(line: Line): RoomSummary {
    const { through, counts } = this.#host.reading(line.room);
    const { unread = 0, mentions = 0 } = counts ?? {};
    return { ...line, through: through ?? (0 as Seq), unread, mentions };
  }
}

const APPOINTMENT = "list";

function byActivity(a: RoomSummary, b: RoomSummary): number {
  return (b.last?.at ?? 0) - (a.last?.at ?? 0) || (a.room < b.room ? -1 : 1);
}
