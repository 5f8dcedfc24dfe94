/**
 * One entry of a conversation stream. Its id is the command's position; `seq`
 * and the previous entry's id stand beside the payload, so that any gap shows.
 *
 * Histories are most of what Redis holds, so that id is written as the way back to
 * it: `1500-3` is 1,500 ms before this entry, with 3 behind the dash. `-0` is left
 * out, because Redis keeps what is a number alone as one, in 2 to 6 bytes.
 */
import type { Brand, Seq, UserId } from "../protocol/ids.ts";
import type { Position } from "../redis/position.ts";

/** An encoded `Entry` of the protocol, as it goes to clients. */
export type Payload = Brand<Uint8Array, "Payload">;

export interface ConversationEntry {
  readonly id: Position;
  readonly prev: Position;
  readonly seq: Seq;
  readonly payload: Payload;
  /** The user whose membership this entry ended, for edges that serve them. */
  readonly leaver: UserId | null;
}

/** Stream fields, in this order; `u` only where a membership ended. */
export const FIELD = { seq: "n", prev: "p", payload: "d", leaver: "u" } as const;

export function conversationFields(entry: ConversationEntry): (string | Uint8Array)[] {
  const fields = [
    FIELD.seq,
    String(entry.seq),
    FIELD.prev,
    wayBack(entry.id, entry.prev),
    FIELD.payload,
    entry.payload,
  ];
  return entry.leaver === null ? fields : [...fields, FIELD.leaver, entry.leaver];
}

/** `fields` as Redis returned them. Throws for an entry that this engine did not write. */
export function readConversationEntry(id: Position, fields: readonly Buffer[]): ConversationEntry {
  const [, seq, , prev, , payload, , leaver] = fields;
  if (!seq || !prev || !payload) throw new Error(`conversation entry ${id} lacks a field`);
  return {
    id,
    prev: goBack(id, prev.toString("latin1")),
    seq: Number(seq.toString("latin1")) as Seq,
    payload: payload as Uint8Array as Payload,
    leaver: leaver === undefined ? null : (leaver.toString("utf8") as UserId),
  };
}

function wayBack(from: Position, to: Position): string {
  const dash = to.indexOf("-");
  const ms = msOf(from) - msOf(to);
  const rest = to.slice(dash + 1);
  return rest === "0" ? String(ms) : `${ms}-${rest}`;
}

function goBack(from: Position, way: string): Position {
  // Not the first sign: on the way to a later position, which no log holds, it is a minus.
  const dash = way.indexOf("-", 1);
  const rest = dash < 0 ? "0" : way.slice(dash + 1);
  return `${msOf(from) - msOf(way)}-${rest}` as Position;
}

/** Of a position or a way: up to the dash, where parsing ends by itself. */
function msOf(text: string): number {
  return Number.parseInt(text, 10);
}
