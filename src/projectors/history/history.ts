/** The history projection: each event becomes the next entry of its room's conversation. */
import type { Room } from "../../domain/room.ts";
import { encodeEntry } from "../../protocol/codec.ts";
import { formatCursor } from "../../protocol/cursor.ts";
import type { ChatEvent } from "../../protocol/frames.ts";
import type { CommandNumber, DeviceId, Seq, UserId } from "../../protocol/ids.ts";
import { halves, type Position } from "../../redis/position.ts";
import { blockOf, entriesKept } from "../../streams/blocks.ts";
import {
  conversationFields,
  type ConversationEntry,
  type Payload,
} from "../../streams/conversation.ts";
import type { Operations } from "../runtime/operations.ts";

export interface Cause {
  readonly id: Position;
  readonly by: UserId;
  readonly device: DeviceId;
  readonly k: CommandNumber;
}

/** The entry of an event that `room` has taken in just now; `prev` is the head before it. */
export function conversationEntry(
  room: Room,
  prev: Position,
  event: ChatEvent,
  cause: Cause,
): ConversationEntry {
  const { id, by, device, k } = cause;
  const [ms, n] = halves(id);
  const payload = encodeEntry({
    seq: room.head,
    cursor: formatCursor(room.epoch, room.head, ms, n),
    at: ms,
    by,
    device,
    k,
    event,
  });
  const leaver = event.type === "member.left" ? event.user : null;
  return { id, prev, seq: room.head, payload: payload as Payload, leaver };
}

export function appendEntry(operations: Operations, key: string, entry: ConversationEntry): void {
  operations.append(key, entry.id, conversationFields(entry));
}

/** The head, and now and then the bound of `kept` entries; `before` is the head before the batch. */
export function writeHead(
  operations: Operations,
  keys: { readonly room: string; readonly conversation: string },
  room: Room,
  before: Seq,
  kept: number,
): void {
  operations.setFields(keys.room, ["seq", String(room.head), "id", room.headId]);
  // Trimming costs a walk over nodes, so it is done once in a block of entries.
  if (blockOf(room.head) > blockOf(before) && room.head > kept) {
    operations.trimExactly(keys.conversation, entriesKept(room.head, kept));
  }
}
