/** The membership projection: who is in a room, in which role; word of each change goes to the outbox. */
import { ROOM_FIELD, writeReceiptsOn } from "../../domain/room-record.ts";
import type { Room } from "../../domain/room.ts";
import type { ChatEvent } from "../../protocol/frames.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Keys } from "../../streams/keys.ts";
import { outboxFields } from "../../streams/outbox.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import type { Operations } from "../runtime/operations.ts";

/** Writes what `event` changed; `room` has taken it in already. */
export function writeMembership(
  operations: Operations,
  keys: Keys,
  partition: PartitionId,
  room: Room,
  event: ChatEvent,
): void {
  const roomKey = keys.room(partition, room.id);
  switch (event.type) {
    case "message.sent":
    case "message.edited":
    case "message.deleted":
    case "message.folded":
    case "message.pinned":
    case "message.unpinned":
    case "reaction.added":
    case "reaction.removed":
      return;
    case "room.created":
      operations.setFields(roomKey, [
        "kind",
        event.kind,
        "name",
        room.name,
        "epoch",
        String(room.epoch),
      ]);
      for (const user of event.members) writeMember(operations, keys, partition, room, user);
      return;
    case "room.renamed":
      operations.setFields(roomKey, ["name", room.name]);
      return;
    case "room.receiptsSet":
      operations.setFields(roomKey, [ROOM_FIELD.receipts, writeReceiptsOn(room.receiptsOn)]);
      return;
    case "member.joined":
    case "member.left":
    case "member.invited":
      writeMember(operations, keys, partition, room, event.user);
      return;
  }
}

function writeMember(
  operations: Operations,
  keys: Keys,
  partition: PartitionId,
  room: Room,
  user: UserId,
): void {
  const membersKey = keys.members(partition, room.id);
  const member = room.members.get(user);
  if (member) operations.setFields(membersKey, [user, `${member.role}:${member.since}`]);
  else operations.removeField(membersKey, user);
  const change = { user, room: room.id, seq: room.head, role: member?.role ?? null };
  operations.append(keys.outbox(partition), "*", outboxFields(change));
}
