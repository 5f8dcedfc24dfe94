/**
 * How far this user has read one room, on all devices together.
 *
 *              read              said to the server        `unread` up to it
 *   (nothing) ──────▶ to be said ─────────────────▶ said ────────────────────▶ (nothing)
 *                        ▲                           │
 *                        └── reconnected, or no word of it for a while, some times
 *
 * What was read here counts at once. Only the newest position is ever said, and the
 * newest public one before a private one: it rises, and the way back is a command of
 * its own.
 */
import { parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { Entry } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import type { Agenda, Clock } from "./agenda.ts";
import { Unread, type Counts, type ToldCounts } from "./unread.ts";

/** Positions are said at most this often; only the newest of that time is. */
export const READ_EVERY_MS = 250;
/** A position of which nothing was heard is said again after this time. */
export const READ_PATIENCE_MS = 5_000;
/** So often on one connection: the server has no word for a position that it had already. */
export const READ_TRIES_MAX = 3;

/** A position as the server told it, with the counts as of the entry `head`. */
export interface Position extends ToldCounts {
  readonly through: Seq;
}

export interface ReadingHost {
  readonly clock: Clock;
  readonly agenda: Agenda;
  /** Names the room in the agenda. */
  readonly name: string;
  me(): UserId | null;
  connected(): boolean;
  send(said: Said): void;
  /** The counts are wrong until they are read anew. */
  doubt(): void;
  /** `counts` or `through` changed. */
  changed(): void;
}

/** A position as it is said; of a private one others are not told. */
export interface Said {
  readonly through: Cursor;
  readonly isPrivate: boolean;
}
interface Wish {
  readonly seq: Seq;
  /** The newest last; a public one that was not confirmed stands before a private one. */
  readonly said: readonly Said[];
  readonly tries: number;
}

export class Reading {
  readonly #host: ReadingHost;
  readonly #unread: Unread;
  /** As the server knows it. */
  #position: Seq | null = null;
  /** As of which entry the position holds. */
  #asOf: Seq | null = null;
  #wish: Wish | null = null;
  #saidAtMs = -Infinity;
  #lastOwn: Seq | null = null;
  #toldAtMs = -Infinity;
  #shown = "";

  constructor(host: ReadingHost) {
    this.#host = host;
    this.#unread = new Unread(() => host.doubt());
  }

  /** Everything up to here was read; null while it is not known. */
  get through(): Seq | null {
    const wish = this.#wish?.seq ?? null;
    return this.#position === null || (wish ?? 0) > this.#position ? wish : this.#position;
  }
  /** Messages after it by others, and those that call this user; null while not known. */
  get counts(): Counts | null {
    return this.#unread.counts;
  }
  /** True while the counts are known to be wrong, until the server says them anew. */
  get inDoubt(): boolean {
    return this.#unread.inDoubt;
  }

  /** Everything up to the entry was read. Whoever read further already loses nothing. */
  read(said: Said): void {
    const seq = parseCursor(said.through)?.seq;
    if (seq === undefined || seq <= (this.through ?? 0)) return;
    const told = this.#wish?.said.filter(({ isPrivate }) => said.isPrivate && !isPrivate) ?? [];
    this.#wish = { seq, said: [...told, said], tries: 0 };
    this.#unread.read(seq);
    this.#say();
    this.#show();
  }

  /** What was read is to be unread again: nothing may be said that would undo it. */
  goBack(): void {
    this.#wish = null;
    this.#host.agenda.cancel(this.#name);
  }

  /** An `unread` frame. */
  tell(told: Position): void {
    if (told.head < (this.#asOf ?? 0)) return; // the list knew more
    this.#toldAtMs = this.#host.clock.now();
    this.#told(told);
  }

  /** A line of the list of rooms that was asked for at that time. */
  listed(told: Position, askedAtMs: number): void {
    // Positions move without an entry, so only the order tells which of two is the newer one.
    const cameMeanwhile = this.#toldAtMs >= askedAtMs;
    if (!cameMeanwhile || told.head > (this.#asOf ?? 0)) this.#told(told);
  }

  /** The room's entries begin anew; a history that is `another` has other positions as well. */
  restart(another: boolean): void {
    this.#unread.restart(another);
    this.#lastOwn = null;
    if (!another) return;
    this.goBack();
    this.#position = null;
    this.#asOf = null;
    // Nothing is known of it any more.
    this.#host.doubt();
  }

  /** Everything after the entry `last` will be taken; the first one says so too. */
  live(last: Seq): void {
    this.#unread.begin(last);
    this.#connected();
    this.#show();
  }

  /** An entry of the room, each once and in order. */
  take(entry: Entry, live: boolean): void {
    this.#unread.take(entry, this.#host.me());
    if (this.#readsUpTo(entry)) {
      this.#lastOwn = entry.seq;
      // From before the position was told it says nothing: it may have been taken back.
      if (this.#asOf === null ? live : entry.seq > this.#asOf) this.#own(entry.seq);
    }
    this.#show();
  }

  #connected(): void {
    if (!this.#wish) return;
    this.#wish = { ...this.#wish, tries: 0 };
    this.#say();
  }

  #readsUpTo({ by, event }: Entry): boolean {
    const me = this.#host.me();
    if (event.type === "member.joined") return event.user === me;
    if (event.type === "room.created") return me !== null && event.members.includes(me);
    return by === me && (event.type === "message.sent" || event.type === "message.folded");
  }

  #own(seq: Seq): void {
    this.#position = Math.max(this.#position ?? 0, seq) as Seq;
    this.#asOf ??= seq;
    this.#confirm();
    this.#unread.read(this.through as Seq);
  }

  #told({ through, ...told }: Position): void {
    // An own message after what was told reads up to itself.
    const own = this.#lastOwn !== null && this.#lastOwn > told.head ? this.#lastOwn : 0;
    this.#position = Math.max(through, own) as Seq;
    this.#asOf = told.head;
    this.#confirm();
    this.#unread.tell(this.#position, told);
    if (this.#wish) this.#unread.read(this.#wish.seq);
    this.#show();
  }

  #confirm(): void {
    if (this.#wish && this.#wish.seq <= (this.#position ?? 0)) this.goBack();
  }

  #say(): void {
    const { agenda, clock } = this.#host;
    if (!this.#wish || !this.#host.connected()) return;
    const atMs = Math.max(clock.now(), this.#saidAtMs + READ_EVERY_MS);
    if (atMs > clock.now()) return agenda.set(this.#name, atMs, () => this.#say());
    const { said, tries } = this.#wish;
    this.#saidAtMs = atMs;
    this.#wish = { ...this.#wish, tries: tries + 1 };
    if (tries + 1 < READ_TRIES_MAX) {
      agenda.set(this.#name, atMs + READ_PATIENCE_MS, () => this.#say());
    }
    for (const one of said) this.#host.send(one);
  }

  #show(): void {
    const { counts, through } = this;
    const shown = `${through} ${counts?.unread} ${counts?.mentions}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#host.changed();
  }

  get #name(): string {
    return `read ${this.#host.name}`;
  }
}
