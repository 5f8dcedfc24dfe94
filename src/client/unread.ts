/**
 * What is unread in one room. The server says how far this user has read, and how many
 * messages that leaves; between its words the entries are counted here, as it counts
 * them: messages by others after the position, deleted ones left out.
 *
 *        older part, counted by the server │ tail: known message by message
 *   ───────────●───────────────────────────┼─────────────────────────────────▶ seq
 *           through                       from                            last
 *
 * Mostly the position lies in the tail, and then the count follows from what is known
 * here. Otherwise the server's count is split once, and the older part stays as it is;
 * a change of a message in there puts the count in doubt.
 */
import type { Entry } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { changeOf, messageOf } from "./message.ts";

/** Messages by others that are known one by one. */
export const TAIL_MESSAGES_MAX = LIMITS.unreadCounted;

export interface Counts {
  readonly unread: number;
  readonly mentions: number;
}
/** What the server said, as of the entry `head`. */
export interface ToldCounts extends Counts {
  readonly head: Seq;
}
interface Tail {
  readonly callsMe: boolean;
  /** The newest change that this takes into account. */
  readonly changedIn: Seq;
}
const NOTHING: Counts = { unread: 0, mentions: 0 };

export class Unread {
  readonly #doubt: () => void;
  /** Undeleted messages by others, ascending. */
  readonly #tail = new Map<Seq, Tail>();
  /** Everything after it is in the tail; null while nothing is. */
  #from: Seq | null = null;
  #last: Seq | null = null;
  #told: ToldCounts | null = null;
  /** Of the older part; null while it is not known. */
  #older: Counts | null = null;
  #through: Seq | null = null;
  #counts: Counts | null = null;

  /** `doubt` is called where the count may be wrong until the server says it anew. */
  constructor(doubt: () => void) {
    this.#doubt = doubt;
  }

  /** Null while nothing is known of it. */
  get counts(): Counts | null {
    return this.#counts;
  }
  get last(): Seq | null {
    return this.#last;
  }

  /** The room's entries begin anew; what was said of `another` history says nothing of this one. */
  restart(another: boolean): void {
    this.#tail.clear();
    this.#from = null;
    this.#last = null;
    this.#older = null;
    if (!another) return;
    this.#told = null;
    this.#through = null;
    this.#counts = null;
  }

  /** The server's word; `head` null where it does not say as of when. */
  tell(through: Seq, counts: Counts, head: Seq | null): void {
    this.#told = { ...counts, head: head ?? this.#last ?? (0 as Seq) };
    this.#through = through;
    this.#split();
    // As of when the counts hold is not known, and they are not all counted here.
    if (head === null && !this.#covers && this.#last !== null) this.#doubt();
    this.#count();
  }

  /** Has read further; the server will say the same. */
  read(through: Seq): void {
    this.#through = through;
    // Less than was said, but nobody knows yet how much less.
    this.#count();
  }

  /** An entry of the room, each once and in order. */
  take(entry: Entry, me: UserId | null): void {
    const { seq } = entry;
    const isFirst = this.#from === null;
    this.#from ??= (seq - 1) as Seq;
    this.#last = seq;
    if (isFirst) {
      this.#split();
      this.#count();
    }
    const message = messageOf(entry, me);
    if (message === null) this.#change(entry, me);
    else if (message.by !== me && !message.deleted) {
      const { callsMe, through } = message;
      this.#tail.set(seq, { callsMe, changedIn: through });
      this.#trim();
      this.#add(seq, callsMe);
    }
    if (this.#told?.head === seq) {
      this.#split();
      this.#count();
    }
  }

  get #covers(): boolean {
    return this.#from !== null && this.#through !== null && this.#through >= this.#from;
  }
  /** The server has told of entries that are still to come. */
  get #isBehind(): boolean {
    return this.#told !== null && (this.#last === null || this.#last < this.#told.head);
  }

  #change(entry: Entry, me: UserId | null): void {
    const change = changeOf(entry);
    if (change?.type !== "message.deleted" && change?.type !== "message.edited") return;
    const known = this.#tail.get(change.target);
    if (!known) {
      const from = this.#from ?? 0;
      const counted = this.#through !== null && change.target > this.#through;
      if (counted && change.target <= from && entry.seq > (this.#told?.head ?? 0)) this.#doubt();
      return;
    }
    if (entry.seq <= known.changedIn) return;
    if (change.type === "message.deleted") this.#tail.delete(change.target);
    else if (change.text !== null) {
      const { mentions = [], everyone = false } = change;
      const callsMe = everyone || (me !== null && mentions.includes(me));
      this.#tail.set(change.target, { callsMe, changedIn: entry.seq });
    }
    this.#count();
  }

  /** The usual case, without counting all. */
  #add(seq: Seq, callsMe: boolean): void {
    if (this.#counts === null || this.#isBehind || this.#through === null) return;
    if (seq <= this.#through) return;
    const { unread, mentions } = this.#counts;
    this.#counts = { unread: unread + 1, mentions: mentions + (callsMe ? 1 : 0) };
  }

  /** The oldest one joins the older part. */
  #trim(): void {
    if (this.#tail.size <= TAIL_MESSAGES_MAX) return;
    const [seq, { callsMe }] = this.#tail.entries().next().value as [Seq, Tail];
    const wasCovered = this.#covers;
    this.#tail.delete(seq);
    this.#from = seq;
    if (this.#through === null || seq <= this.#through) return;
    const before = wasCovered ? NOTHING : this.#older;
    if (before === null) return;
    const { unread, mentions } = before;
    this.#older = { unread: unread + 1, mentions: mentions + (callsMe ? 1 : 0) };
  }

  /** Takes out of the server's count what is in the tail. */
  #split(): void {
    if (this.#told === null || this.#isBehind) return;
    const { unread, mentions, head } = this.#told;
    const known = this.#inTail(head);
    this.#older = {
      unread: Math.max(0, unread - known.unread),
      mentions: Math.max(0, mentions - known.mentions),
    };
    // Entries between what was told and the first one here were seen by neither.
    const from = this.#from ?? head;
    if (!this.#covers && from > head) this.#doubt();
  }

  #inTail(until: number): Counts {
    let unread = 0;
    let mentions = 0;
    for (const [seq, { callsMe }] of this.#tail) {
      if (seq <= (this.#through ?? 0) || seq > until) continue;
      unread += 1;
      if (callsMe) mentions += 1;
    }
    return { unread, mentions };
  }

  #count(): void {
    if (this.#through === null) return;
    if (this.#isBehind) {
      // Entries to come are counted in it already.
      const { unread, mentions, head } = this.#told as ToldCounts;
      this.#counts = this.#through >= head ? NOTHING : { unread, mentions };
      return;
    }
    const older = this.#covers ? NOTHING : this.#older;
    if (older === null) return;
    const { unread, mentions } = this.#inTail(Infinity);
    this.#counts = { unread: older.unread + unread, mentions: older.mentions + mentions };
  }
}
