/** What is to be known of people at the end of a play, counted from its plan alone. Pure. */
import { isLargeRoom, LIMITS } from "../../protocol/limits.ts";
import type { Plan } from "./plan.ts";

export interface Counted {
  readonly unread: number;
  readonly mentions: number;
}

/** What is unread for somebody who has read everything up to `through`, message by message. */
export function recountUnread(
  { messages }: Pick<Plan, "messages">,
  user: string,
  through: number,
): Counted {
  let unread = 0;
  let mentions = 0;
  for (const { seq, by, calls } of messages) {
    if (seq <= through || by === user) continue;
    unread++;
    if (calls === user) mentions++;
  }
  return {
    unread: Math.min(unread, LIMITS.unreadCounted),
    mentions: Math.min(mentions, LIMITS.mentionsCounted),
  };
}

/**
 * How far each member has read: `read` holds those who have said so; all others have
 * read up to their newest message, or their joining.
 */
export function recountReceipts(
  { members, messages }: Pick<Plan, "members" | "messages">,
  read: ReadonlyMap<string, number>,
): Map<string, number> {
  const marks = new Map(members);
  for (const { seq, by } of messages) {
    const mark = marks.get(by);
    if (mark !== undefined && seq > mark) marks.set(by, seq);
  }
  for (const [user, through] of read) marks.set(user, through);
  return marks;
}

/** How many have read up to each place where somebody is, as far as that is told of a large room. */
export function recountReaders(marks: ReadonlyMap<string, number>): Map<number, number> {
  const all = [...marks.values()];
  const places = [...new Set(all)].sort((a, b) => b - a).slice(0, LIMITS.readersSteps);
  return new Map(places.map((place) => [place, all.filter((mark) => mark >= place).length]));
}

/** Who is there: members that attend. */
export function recountPresence(
  { members }: Pick<Plan, "members">,
  attends: (user: string) => boolean,
): Set<string> {
  return new Set([...members.keys()].filter(attends));
}

/** So many have been in the room that who is there may have been told as a sample. */
export function mayBeLarge({ steps, members }: Pick<Plan, "steps" | "members">): boolean {
  const everybody = new Set([...members.keys(), ...steps.map(({ nick }) => nick)]);
  return isLargeRoom(everybody.size);
}
