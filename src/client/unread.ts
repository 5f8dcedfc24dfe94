/**
 * What is unread in one room. The server says how far this user has read, how many
 * messages that leaves, and as of which entry; later entries are counted here, as it
 * counts them: messages by others after the position, deleted ones left out.
 *
 *        older part, counted by the server │ tail: known message by message
 *   ───────────●───────────────────────────┼─────────────────────────────────▶ seq
 *           through                       from                            last
 *
 * Mostly the position lies in the tail, and then the count follows from what is known
 * here. Otherwise the server's count is split once, and the older part stays as it is.
 *
 * Three things cannot be counted here while the position is in the older part, and
 * then the server has to say it anew: what happened between its word and the first
 * entry here; a change of a message in the older part, because nobody here knows who
 * wrote that and whom it called; and, for a word from before an edit or a deletion that
 * has come already, how much of it the tail was then.
 */
import type { Entry } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { changeOf, messageOf, type Message } from "./message.ts";

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
  /** False after an edit that came without its text, until the one that took its place comes. */
  readonly isSure: boolean;
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
  /** The newest entry that deleted or edited a message, or says that one was. */
  #changedIn = 0 as Seq;
  /** What the server says as of this entry, or a later one, is enough to count on from. */
  #wanted = 0 as Seq;

  /** `doubt` is called where the count is wrong until the server says it anew. */
  constructor(doubt: () => void) {
    this.#doubt = doubt;
  }

  /** Null while nothing is known of it. */
  get counts(): Counts | null {
    return this.#counts;
  }
  /** What the server said last is not enough. */
  get inDoubt(): boolean {
    return this.#told !== null && this.#told.head < this.#wanted && !this.#covers;
  }

  /** The room's entries begin anew; what was said of `another` history says nothing of this one. */
  restart(another: boolean): void {
    this.#tail.clear();
    this.#from = null;
    this.#last = null;
    this.#older = null;
    this.#changedIn = 0 as Seq;
    // Without a word of the server nothing tells how much was left out.
    if (!another && this.#told !== null) return;
    this.#told = null;
    this.#through = null;
    this.#counts = null;
    this.#wanted = 0 as Seq;
  }

  /** The server's word, to be counted on from its `head`. */
  tell(through: Seq, told: ToldCounts): void {
    this.#told = told;
    this.#through = through;
    this.#split();
    this.#count();
  }

  /** Has read further; the server will say the same. */
  read(through: Seq): void {
    this.#through = through;
    // Less than was said, but nobody knows yet how much less.
    this.#count();
  }

  /** Everything after `seq` will be taken. */
  begin(seq: Seq): void {
    if (this.#from !== null) return;
    this.#from = seq;
    this.#last = seq;
    this.#split();
    this.#count();
  }

  /** An entry of the room, each once and in order. */
  take(entry: Entry, me: UserId | null): void {
    const { seq } = entry;
    this.begin((seq - 1) as Seq);
    this.#last = seq;
    const message = messageOf(entry, me);
    if (message === null) this.#change(entry, me);
    else if (message.by !== me) this.#message(message);
    if (this.#told?.head === seq) {
      this.#split();
      this.#count();
    }
  }

  #message({ seq, callsMe, through, deleted, edits }: Message): void {
    if (deleted || edits > 0) this.#changed(through);
    if (deleted) return;
    this.#tail.set(seq, { callsMe, isSure: true, changedIn: through });
    this.#trim();
    this.#add(seq, callsMe);
  }

  #changed(seq: Seq): void {
    if (seq > this.#changedIn) this.#changedIn = seq;
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
      if (change.target > (this.#from ?? 0)) return;
      this.#changed(entry.seq);
      if (change.target > (this.#through ?? 0)) this.#want(entry.seq);
      return;
    }
    if (entry.seq <= known.changedIn) return;
    this.#changed(entry.seq);
    if (change.type === "message.deleted") this.#tail.delete(change.target);
    else {
      const { text, mentions = [], everyone = false } = change;
      const isSure = text !== null;
      const callsMe = isSure ? everyone || (me !== null && mentions.includes(me)) : known.callsMe;
      this.#tail.set(change.target, { callsMe, isSure, changedIn: entry.seq });
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
    const isSure = [...this.#tail.values()].every((each) => each.isSure);
    this.#want(Math.max(this.#from ?? 0, this.#changedIn, isSure ? 0 : head + 1) as Seq);
  }

  #want(seq: Seq): void {
    if (seq > this.#wanted) this.#wanted = seq;
    if (this.inDoubt) this.#doubt();
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
