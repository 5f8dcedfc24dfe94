/**
 * How positions stand in a room's hash: read by projectors and edges alike. They
 * are there and not in a key of their own, because they are written with the head.
 */
import type { Seq, UserId } from "../protocol/ids.ts";
import type { Position } from "../redis/position.ts";
import type { Mark, ReadersStep } from "./marks.ts";
import { EVERYBODY, emptyPositions, type Call, type Positions } from "./positions.ts";

const MESSAGES = "n";
const LAST = "last";
const MARK = "r:";
const CALLS = "c:";
const READERS = "readers";

export const positionField = {
  messages: MESSAGES,
  last: LAST,
  mark: (user: UserId): string => MARK + user,
  /** Of a user, or of EVERYBODY. */
  calls: (user: string): string => CALLS + user,
  /** How many have read how far: of a large room only. */
  readers: READERS,
} as const;

/**
 * `57:12`: through and base; `57:12:90` where the count begins later; `57:12::40` and
 * `57:12:90:40` where others may see less of it.
 */
export function writeMark({ through, base, from, shown }: Mark): string {
  if (shown !== undefined) return `${through}:${base}:${from ?? ""}:${shown}`;
  return from === undefined ? `${through}:${base}` : `${through}:${base}:${from}`;
}

export function readMark(value: string): Mark {
  const [through, base, from = "", shown] = value.split(":");
  return {
    through: Number(through) as Seq,
    base: Number(base),
    ...(from !== "" && { from: Number(from) as Seq }),
    ...(shown !== undefined && { shown: Number(shown) as Seq }),
  };
}

/** `57:3 50:410`: the steps, the furthest first. */
export function writeReaders(steps: readonly ReadersStep[]): string {
  return steps.map(({ through, readers }) => `${through}:${readers}`).join(" ");
}

export function readReaders(value: string): ReadersStep[] {
  return value.split(" ").flatMap((step) => {
    const [through, readers] = step.split(":");
    if (readers === undefined) return [];
    return [{ through: Number(through) as Seq, readers: Number(readers) }];
  });
}

/** `57 1700000000000-0`: seq and id of the newest message. */
export function writeLast({ seq, id }: NonNullable<Positions["last"]>): string {
  return `${seq} ${id}`;
}

function readLast(value: string | undefined): Positions["last"] {
  if (value === undefined) return null;
  const [seq, id] = value.split(" ");
  return { seq: Number(seq) as Seq, id: id as Position };
}

/** JSON, because a user's id may hold anything but control characters. */
export function writeCalls(calls: readonly Call[]): string {
  return JSON.stringify(calls.map(({ seq, by }) => [seq, by]));
}

export function readCalls(value: string): Call[] {
  return (JSON.parse(value) as [Seq, UserId][]).map(([seq, by]) => ({ seq, by }));
}

/** Member of the sorted set of deleted messages: the author stands behind the seq. */
export function writeDeleted({ seq, by }: Call): string {
  return `${seq}:${by}`;
}

export function readDeleted(member: string): Call {
  const colon = member.indexOf(":");
  return { seq: Number(member.slice(0, colon)) as Seq, by: member.slice(colon + 1) as UserId };
}

/** From the fields of a room's hash; the tail is empty and begins at `head`. */
export function readPositions(fields: ReadonlyMap<string, string>, head: Seq): Positions {
  const positions = emptyPositions();
  positions.messages = Number(fields.get(MESSAGES) ?? 0);
  positions.tail.from = head;
  positions.last = readLast(fields.get(LAST));
  for (const [name, value] of fields) {
    if (name.startsWith(MARK)) {
      positions.marks.set(name.slice(MARK.length) as UserId, readMark(value));
    } else if (name.startsWith(CALLS)) {
      positions.calls.set(name.slice(CALLS.length), readCalls(value));
    }
  }
  return positions;
}

/** Fields that say what is unread for a user, in the order that `readStanding` takes. */
export function standingFields(user: UserId): string[] {
  return [MESSAGES, MARK + user, CALLS + user, CALLS + EVERYBODY];
}

/** Null for someone who has no position there. */
export function readStanding(
  user: UserId,
  [messages, mark, own, all]: readonly (string | null)[],
): { readonly mark: Mark; readonly positions: Pick<Positions, "messages" | "calls"> } | null {
  if (!mark) return null;
  const calls = new Map<string, readonly Call[]>();
  if (own) calls.set(user, readCalls(own));
  if (all) calls.set(EVERYBODY, readCalls(all));
  return { mark: readMark(mark), positions: { messages: Number(messages ?? 0), calls } };
}
