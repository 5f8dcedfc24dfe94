/** How a room and its members stand in Redis: read by projectors and edges alike. */
import { emptyRoom, type Member, type Role, type Room } from "./room.ts";
import type { RoomKind } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import type { Position } from "../redis/position.ts";

export function readRoom(
  id: RoomId,
  epoch: Epoch,
  fields: ReadonlyMap<string, string>,
  members: ReadonlyMap<string, string>,
): Room {
  const room = emptyRoom(id, epoch);
  const kind = fields.get("kind");
  if (kind === undefined) return room;
  room.kind = kind as RoomKind;
  room.name = fields.get("name") ?? "";
  room.epoch = Number(fields.get("epoch")) as Epoch;
  room.head = Number(fields.get("seq")) as Seq;
  room.headId = (fields.get("id") ?? "0-0") as Position;
  for (const [user, value] of members) room.members.set(user as UserId, readMember(value));
  return room;
}

/** From `role:since`. */
export function readMember(value: string): Member {
  const colon = value.indexOf(":");
  return { role: value.slice(0, colon) as Role, since: Number(value.slice(colon + 1)) as Seq };
}
