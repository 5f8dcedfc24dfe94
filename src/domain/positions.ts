/**
 * How far each member of a room has read, and what that leaves unread. Nothing is
 * counted up for a message: `messages` rises by one, whatever the number of members.
 *
 *   unread = messages − base − |deleted after `through` (or `from`), by others|
 *
 * `base` counts the messages that do not count for the member: all up to `through`,
 * and own ones after it. Functions of the log, like everything in here.
 *
 * What others may see of a position is raised by what is read publicly, by own messages
 * and by coming in, and falls with the position. What is read in private raises the
 * position alone.
 */
import type { Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Position } from "../redis/position.ts";
import { Marks, shownOf, type Mark } from "./marks.ts";

/** A message that calls somebody. */
export interface Call {
  readonly seq: Seq;
  readonly by: UserId;
}

/** In the place of a user: everybody in the room. No user's id is empty. */
export const EVERYBODY = "";

/**
 * Who sent the newest messages, for positions that are not at the head: all messages
 * after `from`, in order.
 */
export interface Tail {
  from: Seq;
  messages: Call[];
  /** Some batch counts from here on: nothing is forgotten before it is over. */
  held: boolean;
}
/** Past it the older half is forgotten with the next message, unless the tail is held. */
export const TAIL_MESSAGES_MAX = 1_024;

export interface Positions {
  /** Messages ever sent, deleted ones too. */
  messages: number;
  /** The newest one, also where it was deleted since. */
  last: { readonly seq: Seq; readonly id: Position } | null;
  /** Of members. */
  readonly marks: Marks;
  readonly calls: Map<string, readonly Call[]>;
  readonly tail: Tail;
}

export function emptyPositions(): Positions {
  return {
    messages: 0,
    last: null,
    marks: new Marks(),
    calls: new Map(),
    tail: { from: 0 as Seq, messages: [], held: false },
  };
}

/** Who is called by a message. */
export interface Called {
  readonly mentions?: readonly UserId[];
  readonly everyone?: boolean;
}

/** Takes in a message; its sender has read everything up to it. */
export function messageSent(
  positions: Positions,
  { seq, id, by }: Call & { readonly id: Position },
  called: Called,
): void {
  positions.messages++;
  positions.last = { seq, id };
  positions.marks.set(by, { through: seq, base: positions.messages });
  const { tail } = positions;
  if (tail.messages.length >= TAIL_MESSAGES_MAX && !tail.held) {
    const dropped = tail.messages.splice(0, TAIL_MESSAGES_MAX / 2).at(-1);
    tail.from = (dropped as Call).seq;
  }
  tail.messages.push({ seq, by });
  call(positions, { seq, by }, called);
}

/** Nothing from before is unread for a new member. */
export function memberCame(positions: Positions, user: UserId, seq: Seq): void {
  positions.marks.set(user, { through: seq, base: positions.messages });
}

export function memberLeft(positions: Positions, user: UserId): void {
  positions.marks.delete(user);
  positions.calls.delete(user);
}

/** Keys of `calls` that changed. */
export function call(positions: Positions, what: Call, { mentions, everyone }: Called): string[] {
  const called = everyone ? [EVERYBODY] : (mentions ?? []).filter((user) => user !== what.by);
  for (const user of called) {
    const before = positions.calls.get(user) ?? [];
    // In order of seq also where an edit calls somebody late, so that the oldest ones go.
    const at = before.findLastIndex(({ seq }) => seq < what.seq) + 1;
    positions.calls.set(user, before.toSpliced(at, 0, what).slice(-LIMITS.mentionsCounted));
  }
  return called;
}

/** Takes back the calls of a message. Returns the keys of `calls` that changed. */
export function uncall(positions: Positions, seq: Seq, { mentions, everyone }: Called): string[] {
  const called = everyone ? [EVERYBODY] : (mentions ?? []);
  return called.filter((user) => {
    const before = positions.calls.get(user);
    const after = before?.filter((one) => one.seq !== seq);
    if (!before || !after || after.length === before.length) return false;
    positions.calls.set(user, after);
    return true;
  });
}

/** Entries at the end of the conversation that have to be read for a position at `through`; 0: none. */
export function tailWanted(
  { tail }: Positions,
  through: Seq,
  { head, kept }: { readonly head: Seq; readonly kept: number },
): number {
  const from = Math.max(through, head - kept);
  return from >= tail.from ? 0 : head - from;
}

/** Messages before those known already, in order; together all after `from`. */
export function extendTail({ tail }: Positions, from: Seq, older: readonly Call[]): void {
  if (from >= tail.from) return;
  const missing = older.filter(({ seq }) => seq > from && seq <= tail.from);
  // No arguments of a call: a long history has more than the stack takes.
  tail.messages = [...missing, ...tail.messages];
  tail.from = from;
}

/** Forgets what was read for a position far back. */
export function shortenTail({ tail }: Positions): void {
  const excess = tail.messages.length - TAIL_MESSAGES_MAX;
  const forgotten = tail.messages.splice(0, Math.max(0, excess)).at(-1);
  if (forgotten) tail.from = forgotten.seq;
}

/** How far somebody says they have read; of what is private others are not told. */
export interface Read {
  readonly through: Seq;
  readonly private?: boolean;
}

/**
 * Has read everything up to `through`. Null where that is no news, or no entry of
 * the room; `kept` is how many of the newest entries are looked at.
 */
export function readThrough(
  positions: Positions,
  user: UserId,
  { through, private: isPrivate = false }: Read,
  room: { readonly head: Seq; readonly kept: number },
): Mark | null {
  const mark = positions.marks.get(user);
  if (!mark || through > room.head) return null;
  const before = shownOf(mark);
  if (through > mark.through) {
    return place(positions, user, { through, shown: isPrivate ? before : through }, room);
  }
  if (isPrivate || through <= before) return null;
  // Read in private already: only what others may see of it rises.
  const { shown: _, ...whole } = mark;
  const told = through < mark.through ? { ...mark, shown: through } : whole;
  positions.marks.set(user, told);
  return told;
}

/**
 * The entry `from` and all after it are unread again, but nothing from before the
 * member came, in the entry `since`. What was not read yet stays so. Others may see no
 * more of it than is left. Null for someone who is no member.
 */
export function markUnread(
  positions: Positions,
  user: UserId,
  { from, since }: { readonly from: Seq; readonly since: Seq },
  room: { readonly head: Seq; readonly kept: number },
): Mark | null {
  const mark = positions.marks.get(user);
  if (!mark || from < 1 || from > room.head) return null;
  const through = Math.max(from - 1, since) as Seq;
  if (through >= mark.through) return mark;
  return place(positions, user, { through, shown: shownOf(mark) }, room);
}

/** Others see no more than `through`. */
function place(
  positions: Positions,
  user: UserId,
  { through, shown }: { readonly through: Seq; readonly shown: Seq },
  { head, kept }: { readonly head: Seq; readonly kept: number },
): Mark {
  const from = Math.max(through, head - kept);
  const { messages } = positions.tail;
  let unread = 0;
  for (let i = messages.length - 1; i >= 0; i--) {
    const { seq, by } = messages[i] as Call;
    if (seq <= from) break;
    if (by !== user) unread++;
  }
  const base = positions.messages - unread;
  const mark = {
    through,
    base,
    ...(from > through && { from: from as Seq }),
    ...(shown < through && { shown }),
  };
  positions.marks.set(user, mark);
  return mark;
}

/** `deleted` are messages of the room that were deleted. */
export function unread(
  positions: Pick<Positions, "messages">,
  user: UserId,
  { through, base, from = through }: Mark,
  deleted: readonly Call[],
): number {
  const gone = deleted.filter(({ seq, by }) => seq > from && by !== user).length;
  return Math.max(0, positions.messages - base - gone);
}

/** Those among them that call the user, at most LIMITS.mentionsCounted. */
export function unreadCalls(
  { calls }: Pick<Positions, "calls">,
  user: UserId,
  { through, from = through }: Mark,
): number {
  const all = [...(calls.get(user) ?? []), ...(calls.get(EVERYBODY) ?? [])];
  const count = all.filter(({ seq, by }) => seq > from && by !== user).length;
  // As many of either kind are kept.
  return Math.min(LIMITS.mentionsCounted, count);
}
