/**
 * What a partition's owner knows of a room, and how events change it. Everything
 * here is a function of the log: no clock, no randomness, no I/O.
 */
import type { ChatEvent, RoomKind } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { ORIGIN, type Position } from "../redis/position.ts";
import { emptyPositions, type Positions } from "./positions.ts";

export type Role = "owner" | "member" | "invited";
export interface Member {
  readonly role: Role;
  /** Seq of the entry that gave this role. */
  readonly since: Seq;
}

/** A pinned message: its entry, and the entry that pinned it. */
export interface Pin {
  readonly seq: Seq;
  readonly id: Position;
  readonly pinnedIn: Seq;
}

export interface Room {
  readonly id: RoomId;
  /** Null until the room is created. */
  kind: RoomKind | null;
  name: string;
  epoch: Epoch;
  /** Seq and id of the newest entry. */
  head: Seq;
  headId: Position;
  readonly members: Map<UserId, Member>;
  positions: Positions;
  /** Whether others are told who has read how far. */
  receiptsOn: boolean;
  /** In the order in which they were pinned. */
  pins: readonly Pin[];
  /** The oldest block of seqs that may hold changed messages; null where none was ever changed. */
  foldedFrom: number | null;
}

export function emptyRoom(id: RoomId, epoch: Epoch): Room {
  const members = new Map<UserId, Member>();
  const nothing = { kind: null, name: "", pins: [], foldedFrom: null, positions: emptyPositions() };
  return { id, epoch, head: 0 as Seq, headId: ORIGIN, members, receiptsOn: true, ...nothing };
}

export function findPin({ pins }: Room, message: Seq): Pin | undefined {
  return pins.find(({ seq }) => seq === message);
}

/**
 * Puts an event into effect, as the room's next entry. In place: the owner of
 * the partition is the only holder of the state, and when an APPLY fails the
 * whole state is dropped and read again rather than rolled back.
 */
export function evolve(room: Room, event: ChatEvent, id: Position): void {
  room.head = (room.head + 1) as Seq;
  room.headId = id;
  const since = room.head;
  switch (event.type) {
    // These change messages (`evolveMessage`) and pins (`evolvePins`).
    case "message.sent":
    case "message.edited":
    case "message.deleted":
    case "message.folded":
    case "message.pinned":
    case "message.unpinned":
    case "reaction.added":
    case "reaction.removed":
      return;
    case "room.created": {
      room.kind = event.kind;
      room.name = event.name;
      const role = event.kind === "direct" ? "member" : "owner";
      for (const user of event.members) room.members.set(user, { role, since });
      return;
    }
    case "room.renamed":
      room.name = event.name;
      return;
    case "room.receiptsSet":
      room.receiptsOn = event.on;
      return;
    case "member.joined":
      room.members.set(event.user, { role: "member", since });
      return;
    case "member.left":
      room.members.delete(event.user);
      return;
    case "member.invited":
      room.members.set(event.user, { role: "invited", since });
      return;
  }
}

/** The same for the pins; `id` is that of the message which the event names. */
export function evolvePins(
  room: Room,
  event: ChatEvent & { type: "message.pinned" | "message.unpinned" | "message.deleted" },
  id: Position,
): void {
  const others = room.pins.filter(({ seq }) => seq !== event.target);
  const pinned = { seq: event.target, id, pinnedIn: room.head };
  room.pins = event.type === "message.pinned" ? [...others, pinned] : others;
}
