/**
 * Who sent the newest messages of a room, for positions that are not at its head:
 * read from the conversation when one comes that reaches further back than memory.
 */
import { extendTail, tailWanted, type Call } from "../../domain/positions.ts";
import type { Room } from "../../domain/room.ts";
import { decodeEntry } from "../../protocol/codec.ts";
import { parseCursor } from "../../protocol/cursor.ts";
import type { RoomId, Seq, UserId } from "../../protocol/ids.ts";
import type { RedisArg } from "../../redis/connect.ts";
import { readEntries } from "../../redis/replies.ts";
import type { Fact, LoggedCommand } from "../../streams/command-log.ts";
import { readConversationEntry } from "../../streams/conversation.ts";

/**
 * Rooms whose positions some facts and commands are about, with the oldest one in each. What a
 * room that is `known` cannot take for news is left out, or anybody could have the whole of its
 * history read by saying again what they have read long ago.
 */
export function namedPositions(
  commands: readonly LoggedCommand[],
  facts: readonly Fact[],
  known: (room: RoomId) => Room | undefined,
): ReadonlyMap<RoomId, Seq> {
  const oldest = new Map<RoomId, Seq>();
  const note = (room: RoomId, through: number): void => {
    if (through < (oldest.get(room) ?? Number.POSITIVE_INFINITY)) oldest.set(room, through as Seq);
  };
  for (const { command, user } of commands) {
    if (command.type !== "markUnread") continue;
    const seq = parseCursor(command.message)?.seq;
    // A stranger would learn by the time it takes that there is such a room.
    if (seq === undefined || isStranger(known(command.room), user)) continue;
    note(command.room, Math.max(0, seq - 1));
  }
  // There a reader may stand further back than memory says by the time that the fact comes.
  const goingBack = new Set(oldest.keys());
  for (const fact of facts) {
    if (fact.type !== "reading") continue;
    const room = goingBack.has(fact.room) ? undefined : known(fact.room);
    for (const { user, through } of fact.marks) {
      const seq = parseCursor(through)?.seq;
      if (seq === undefined || (room && isNoNews(room, user, seq))) continue;
      note(fact.room, seq);
    }
  }
  return oldest;
}

/** Who joins meanwhile has read everything from before, and memory keeps what comes after. */
function isStranger(room: Room | undefined, user: UserId): boolean {
  return room !== undefined && room.positions.marks.get(user) === undefined;
}

function isNoNews({ positions }: Room, user: UserId, through: Seq): boolean {
  const mark = positions.marks.get(user);
  return mark === undefined || through <= mark.through;
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
