/**
 * Who sent the newest messages of a room, for positions that are not at its head:
 * read from the conversation when one comes that reaches further back than memory.
 */
import { extendTail, tailWanted, type Call } from "../../domain/positions.ts";
import type { Room } from "../../domain/room.ts";
import { decodeEntry } from "../../protocol/codec.ts";
import { parseCursor, type Cursor } from "../../protocol/cursor.ts";
import type { RoomId, Seq } from "../../protocol/ids.ts";
import type { RedisArg } from "../../redis/connect.ts";
import { readEntries } from "../../redis/replies.ts";
import type { Fact, LoggedCommand } from "../../streams/command-log.ts";
import { readConversationEntry } from "../../streams/conversation.ts";

/** Rooms whose positions some facts and commands are about, with the oldest one in each. */
export function namedPositions(
  commands: readonly LoggedCommand[],
  facts: readonly Fact[],
): ReadonlyMap<RoomId, Seq> {
  const oldest = new Map<RoomId, Seq>();
  const note = (room: RoomId, cursor: Cursor, before: number): void => {
    const seq = parseCursor(cursor)?.seq;
    if (seq === undefined) return;
    const through = Math.max(0, seq - before) as Seq;
    if (through < (oldest.get(room) ?? Number.POSITIVE_INFINITY)) oldest.set(room, through);
  };
  for (const fact of facts) {
    if (fact.type !== "reading") continue;
    for (const { through } of fact.marks) note(fact.room, through, 0);
  }
  for (const { command } of commands) {
    if (command.type === "markUnread") note(command.room, command.message, 1);
  }
  return oldest;
}

/** Null where memory reaches far enough; the seqs are dense, so a count finds the place. */
export function askForTail(
  { positions, head }: Room,
  conversation: string,
  through: Seq,
): readonly RedisArg[] | null {
  // As far as it is kept: what is older does not count.
  const wanted = tailWanted(positions, through, { head, kept: Number.POSITIVE_INFINITY });
  return wanted === 0 ? null : ["XREVRANGE", conversation, "+", "-", "COUNT", wanted];
}

export function fillTail({ positions }: Room, through: Seq, reply: unknown): void {
  const messages: Call[] = [];
  for (const { id, fields } of readEntries(reply).toReversed()) {
    const { seq, by, event } = decodeEntry(readConversationEntry(id, fields).payload);
    if (event.type === "message.sent") messages.push({ seq, by });
  }
  extendTail(positions, through, messages);
}
