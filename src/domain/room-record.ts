/** How a room and its members stand in Redis: read by projectors and edges alike. */
import { readPositions } from "./positions-record.ts";
import { emptyRoom, type Member, type Pin, type Role, type Room } from "./room.ts";
import type { RoomKind } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import type { Position } from "../redis/position.ts";

/** Fields of the room's hash that are there only where they are needed. */
export const ROOM_FIELD = { pins: "pins", foldedFrom: "folds", receipts: "receipts" } as const;

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
  room.pins = readPins(fields.get(ROOM_FIELD.pins) ?? "");
  const foldedFrom = fields.get(ROOM_FIELD.foldedFrom);
  room.foldedFrom = foldedFrom === undefined ? null : Number(foldedFrom);
  room.receiptsOn = readReceiptsOn(fields.get(ROOM_FIELD.receipts) ?? null);
  room.positions = readPositions(fields, room.head);
  for (const [user, value] of members) room.members.set(user as UserId, readMember(value));
  return room;
}

export function writeReceiptsOn(on: boolean): string {
  return on ? "on" : "off";
}

/** A room in which it was never set has none. */
export function readReceiptsOn(value: string | null): boolean {
  return value !== "off";
}

/** From `role:since`. */
export function readMember(value: string): Member {
  const colon = value.indexOf(":");
  return { role: value.slice(0, colon) as Role, since: Number(value.slice(colon + 1)) as Seq };
}

/** `57/1700000000000-0/60`: seq and id of the message, seq of the entry that pinned it. */
export function writePins(pins: readonly Pin[]): string {
  return pins.map(({ seq, id, pinnedIn }) => `${seq}/${id}/${pinnedIn}`).join(" ");
}

export function readPins(text: string): Pin[] {
  if (text === "") return [];
  return text.split(" ").map((each) => {
    const [seq, id, pinnedIn] = each.split("/");
    return { seq: Number(seq) as Seq, id: id as Position, pinnedIn: Number(pinnedIn) as Seq };
  });
}
