/**
 * The newest messages of one room with all their changes folded in, and older ones that
 * were asked for. A change of a message that is not among them has nothing to do: whoever
 * reads that message later reads it with the change in it.
 */
import type { Entry } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import {
  changed,
  changeOf,
  messageOf,
  messagesOf,
  type Message,
  type PendingChange,
} from "./message.ts";

export class Messages {
  readonly #kept: number;
  #held: number;
  readonly #me: () => UserId | null;
  /** Ascending by seq. */
  #list: Message[] = [];
  /** Changed and not told of yet. */
  readonly #news = new Set<Seq>();

  /** `kept` is the number of newest messages that stay in memory. */
  constructor(kept: number, me: () => UserId | null) {
    this.#kept = kept;
    this.#held = kept;
    this.#me = me;
  }

  /** Oldest first: a live view. */
  get list(): readonly Message[] {
    return this.#list;
  }

  clear(): void {
    this.#list = [];
    this.#held = this.#kept;
    this.#news.clear();
  }

  find(seq: Seq): Message | null {
    return this.#list[this.#indexOf(seq)] ?? null;
  }

  /**
   * Replies to a message that others wrote after the entry `through`, among the newest
   * LIMITS.threadUnreadCounted; null for a message that is not here.
   */
  unreadReplies(seq: Seq, through: Seq): number | null {
    if (!this.find(seq)) return null;
    // All replies are here, because they are newer than the message.
    const replies = this.#list.filter((each) => each.replyTo === seq && !each.deleted);
    const newest = replies.slice(-LIMITS.threadUnreadCounted);
    return newest.filter((each) => each.seq > through && each.by !== this.#me()).length;
  }

  /** An entry of the room, each once and in order. */
  take(entry: Entry): void {
    const message = messageOf(entry, this.#me());
    if (!message) return this.#change(entry);
    this.#list.push(message);
    this.#news.add(message.seq);
    if (this.#list.length > this.#held) this.#list.shift();
    this.#replied(message);
  }

  /** From here on so many messages stay in memory. */
  hold(most: number): void {
    this.#held = most;
  }

  /** Entries from before those that were taken, and those that came after they had been read. */
  prepend(older: readonly Entry[], later: readonly Entry[]): void {
    const first = this.#list[0]?.seq ?? Infinity;
    // More messages than entries may be here already.
    const missing = messagesOf(older, this.#me()).filter(({ seq }) => seq < first);
    this.#list.unshift(...missing);
    for (const { seq } of missing) this.#news.add(seq);
    // Messages that were here have these changes in them, and take none a second time.
    for (const entry of later) {
      const message = messageOf(entry, this.#me());
      if (message) this.#replied(message);
      else this.#change(entry);
    }
  }

  setPending(seq: Seq, pending: readonly PendingChange[]): void {
    const message = this.find(seq);
    if (message) this.#replace({ ...message, pending });
  }

  /** Messages that came or changed since the last call, in order. */
  drain(): Message[] {
    if (this.#news.size === 0) return [];
    const seqs = [...this.#news].sort((a, b) => a - b);
    this.#news.clear();
    return seqs.flatMap((seq) => this.find(seq) ?? []);
  }

  #replied({ seq, replyTo }: Message): void {
    const thread = replyTo === null ? null : this.find(replyTo);
    // Counted also where it is deleted by now: the entry that says so is still to come.
    if (!thread || seq <= thread.through) return;
    this.#replace({ ...thread, replies: thread.replies + 1, lastReply: seq, through: seq });
  }

  #change(entry: Entry): void {
    const change = changeOf(entry);
    if (change === null) return;
    const message = this.find(change.target);
    if (message) {
      const after = changed(message, entry, this.#me());
      if (after !== message) this.#replace(after);
    }
    if (change.type === "message.deleted" && change.replyTo !== undefined) {
      this.#replyDeleted(change.replyTo, entry.seq);
    }
  }

  #replyDeleted(replyTo: Seq, through: Seq): void {
    const thread = this.find(replyTo);
    if (!thread || through <= thread.through) return;
    const replies = Math.max(0, thread.replies - 1);
    // All replies are here, because they are newer than the message.
    const last = this.#list.findLast((each) => each.replyTo === replyTo && !each.deleted);
    this.#replace({ ...thread, replies, lastReply: last?.seq ?? null, through });
  }

  #replace(message: Message): void {
    this.#list[this.#indexOf(message.seq)] = message;
    this.#news.add(message.seq);
  }

  /** -1 for none. */
  #indexOf(seq: Seq): number {
    let low = 0;
    let high = this.#list.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = (this.#list[middle] as Message).seq;
      if (found === seq) return middle;
      if (found < seq) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
