import { originCursor, parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { Entry } from "../protocol/frames.ts";
import type { Epoch, Seq, UserId } from "../protocol/ids.ts";
import { Messages } from "./messages.ts";
import type { HistoryPage } from "./replies.ts";

/** Entries of a room that stay in memory once older ones were asked for. */
export const ENTRIES_HELD_MAX = 5_000;

/**
 * Whether the room goes on before its first entry here: `full` where it may, but no more are held
 * in memory, and `none` at the first entry that the server keeps.
 */
export type Older = "more" | "full" | "none";

/**
 * The order of one room as this client knows it: the last seq, the cursor after
 * it, a window of the newest entries, and the messages that they make. Decides
 * what may be appended, or put in front, and knows nothing of sockets.
 *
 * The last seq is null before the newest page has come: its first entry is the
 * base then.
 */
export class Timeline {
  readonly messages: Messages;
  readonly #kept: number;
  /** The window: `kept`, and more from when older entries were asked for. */
  #held: number;
  #entries: Entry[] = [];
  #last: Seq | null = null;
  #cursor: Cursor | null = null;
  /** The first entry of the room that there is still, as far as is known. */
  #oldest = 1 as Seq;
  #beginnings = 0;

  /** `kept` is the number of newest entries, and of newest messages, that stay in memory. */
  constructor(kept: number, me: () => UserId | null) {
    this.#kept = kept;
    this.#held = kept;
    this.messages = new Messages(kept, me);
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }
  get last(): Seq | null {
    return this.#last;
  }
  /** Where to resume; null asks for the newest page. */
  get cursor(): Cursor | null {
    return this.#cursor;
  }

  /** Rises whenever the timeline begins anew, so that nothing is put in front of another one. */
  get beginnings(): number {
    return this.#beginnings;
  }
  get older(): Older {
    const first = this.#first;
    if (first !== null && first <= this.#oldest) return "none";
    return this.#entries.length >= Math.max(this.#kept, ENTRIES_HELD_MAX) ? "full" : "more";
  }

  startAfter(cursor: Cursor): void {
    this.#restart(parseCursor(cursor)?.seq ?? null, cursor);
  }
  startAtOrigin(epoch: Epoch): void {
    this.#restart(0 as Seq, originCursor(epoch));
  }
  /** The next page is to be the newest one; what is shown stays until it comes. */
  forgetCursor(): void {
    this.#cursor = null;
  }
  /** For a page that follows nothing we have: its first entry is the new base. */
  replace(): void {
    this.#restart(null, null);
  }
  /** A page without entries is a base too. */
  settleAt(head: Seq): void {
    this.#last ??= head;
  }

  append(entry: Entry): "appended" | "duplicate" | "gap" {
    if (this.#last !== null && entry.seq <= this.#last) return "duplicate";
    if (this.#last !== null && entry.seq > this.#last + 1) return "gap";
    this.#last = entry.seq;
    this.#cursor = entry.cursor;
    this.#entries.push(entry);
    if (this.#entries.length > this.#held) this.#entries.shift();
    this.messages.take(entry);
    return "appended";
  }

  /**
   * From here on what is in memory stays there, because a page is on its way that is to connect
   * with it. Returns the seq before which it is to end, null where there is none.
   */
  holdOlder(): Seq | null {
    this.#held = Math.max(this.#kept, ENTRIES_HELD_MAX);
    this.messages.hold(this.#held);
    return this.#first;
  }

  /** Puts a page in front. Returns its part that was put there: the one that connects and may be held. */
  prepend({ entries, head, more }: Pick<HistoryPage, "entries" | "head" | "more">): Entry[] {
    const first = this.#first;
    const end = entries.at(-1)?.seq;
    if (first === null || (end !== undefined && end + 1 !== first)) return [];
    if (!more) this.#oldest = entries[0]?.seq ?? first;
    const older = entries.slice(Math.max(0, entries.length - (this.#held - this.#entries.length)));
    // What came after the page was read is folded into its messages here.
    const later = this.#entries.filter(({ seq }) => seq > head);
    this.#entries.unshift(...older);
    this.messages.prepend(older, later);
    return older;
  }

  /** Of the entries here, or of those to come; null before the first page. */
  get #first(): Seq | null {
    const next = this.#last === null ? null : ((this.#last + 1) as Seq);
    return this.#entries[0]?.seq ?? next;
  }

  #restart(last: Seq | null, cursor: Cursor | null): void {
    this.#beginnings += 1;
    this.#entries = [];
    this.#held = this.#kept;
    this.#oldest = 1 as Seq;
    this.messages.clear();
    this.#last = last;
    this.#cursor = cursor;
  }
}
