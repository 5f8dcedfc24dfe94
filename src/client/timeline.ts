import { originCursor, parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { Entry } from "../protocol/frames.ts";
import type { Epoch, Seq, UserId } from "../protocol/ids.ts";
import { Messages } from "./messages.ts";

/**
 * The order of one room as this client knows it: the last seq, the cursor after
 * it, a window of the newest entries, and the messages that they make. Decides
 * what may be appended and knows nothing of sockets.
 *
 * The last seq is null before the newest page has come: its first entry is the
 * base then.
 */
export class Timeline {
  readonly messages: Messages;
  readonly #kept: number;
  #entries: Entry[] = [];
  #last: Seq | null = null;
  #cursor: Cursor | null = null;

  /** `kept` is the number of newest entries, and of newest messages, that stay in memory. */
  constructor(kept: number, me: () => UserId | null) {
    this.#kept = kept;
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
    if (this.#entries.length > this.#kept) this.#entries.shift();
    this.messages.take(entry);
    return "appended";
  }

  #restart(last: Seq | null, cursor: Cursor | null): void {
    this.#entries = [];
    this.messages.clear();
    this.#last = last;
    this.#cursor = cursor;
  }
}
