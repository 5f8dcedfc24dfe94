/**
 * One entry of a conversation stream. Its id is the command's position; `seq`
 * and the previous entry's id stand beside the payload, so that any gap shows.
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
    entry.prev,
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
    prev: prev.toString("latin1") as Position,
    seq: Number(seq.toString("latin1")) as Seq,
    payload: payload as Uint8Array as Payload,
    leaver: leaver === undefined ? null : (leaver.toString("utf8") as UserId),
  };
}
