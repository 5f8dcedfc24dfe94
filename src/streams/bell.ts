/**
 * A bell rings once per applied batch of a partition. It names what changed,
 * carries the new conversation entries where they are small, and brings the
 * outcomes home. `from` and `to` are the checkpoints around the batch: a chain,
 * so that a reader knows when a bell was lost.
 *
 * Stream fields: `h` a packed header, then one `d` per inline payload.
 */
import type { CommandNumber, RoomId, Seq, UserId } from "../protocol/ids.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { pack, unpackTrusted } from "../protocol/msgpack.ts";
import type { ConversationEntry, Payload } from "./conversation.ts";
import type { Position } from "../redis/position.ts";

/** Bells kept per partition (approximately): what an edge may miss before it has to sweep. */
export const BELLS_KEPT = 4_096;
/** Payload bytes that one bell may carry; past it the rooms are only named. */
export const BELL_INLINE_BYTES = 8_192;

export interface Outcome {
  readonly edge: string;
  readonly session: number;
  readonly k: CommandNumber;
  readonly room: RoomId;
  readonly result: CommandResult;
  /** The result is that of an earlier copy of the command. */
  readonly again: boolean;
}
/** What became of a command, for ever: seq of the entry it made (0: none), or why it was refused. */
export type CommandResult =
  | { readonly status: "applied"; readonly seq: Seq }
  | { readonly status: "rejected"; readonly code: ErrorCode };

export interface BellEntry extends ConversationEntry {
  readonly room: RoomId;
}
/** Somebody's presence in a room has changed. */
export interface PresenceChange {
  readonly room: RoomId;
  readonly user: UserId;
  readonly now: "there" | "away" | "left";
  /** Since when, in milliseconds since 1970, for who is away or has left the room for good. */
  readonly sinceMs: number;
}

/** A position that moved by reading or by marking unread. */
export interface MovedMark {
  readonly room: RoomId;
  readonly user: UserId;
  readonly through: Seq;
  /** Nothing is unread: there was nothing after it. */
  readonly atHead: boolean;
  /**
   * Up to where others see it now, `count` in a large room, where they are told how many have
   * read; null where they are told nothing of it.
   */
  readonly told: Seq | "count" | null;
}

export interface Bell {
  readonly from: Position;
  readonly to: Position;
  readonly outcomes: readonly Outcome[];
  /** New entries, in order; empty when they were too large to carry. */
  readonly entries: readonly BellEntry[];
  /** Rooms that changed, when `entries` does not carry them. */
  readonly rooms: readonly RoomId[];
  /** No more of them than the facts of one batch can cause. */
  readonly presence?: readonly PresenceChange[];
  /** The last move of each, likewise. */
  readonly marks?: readonly MovedMark[];
  /** Rooms in which receipts were switched on or off: what was told there holds no longer. */
  readonly switched?: readonly RoomId[];
}

type WireOutcome = [string, number, number, string, number, string | null, boolean];
type WireEntry = [string, string, string, number, string | null];
/** A room, then users in turn with a time: 0 there, above 0 away since, below 0 left at. */
type WirePresence = [string, ...(string | number)[]];
type WireMark = [string, string, number, boolean, number | "count" | null];
type WireHeader = [
  ...[string, string, WireOutcome[], WireEntry[], string[]],
  WirePresence[]?,
  WireMark[]?,
  string[]?,
];

export function packBellHeader(bell: Bell): Uint8Array {
  const header: WireHeader = [
    bell.from,
    bell.to,
    bell.outcomes.map(({ edge, session, k, room, result, again }) => [
      edge,
      session,
      k,
      room,
      result.status === "applied" ? result.seq : 0,
      result.status === "rejected" ? result.code : null,
      again,
    ]),
    bell.entries.map(({ room, id, prev, seq, leaver }) => [room, id, prev, seq, leaver]),
    [...bell.rooms],
  ];
  const { presence, marks, switched } = bell;
  // Those that are not there are left out at the end, and empty before others.
  if (presence || marks || switched) header.push(writePresence(presence ?? []));
  if (marks || switched) header.push((marks ?? []).map(writeMark));
  if (switched) header.push([...switched]);
  return pack(header);
}

/** `fields` as Redis returned them; only the engine writes bells. */
export function readBell(fields: readonly Buffer[]): Bell {
  const header = fields[1];
  if (!header) throw new Error("a bell without a header");
  const [from, to, outcomes, entries, rooms, ...more] = unpackTrusted(header) as WireHeader;
  const [presence, marks, switched] = more;
  return {
    from: from as Position,
    to: to as Position,
    outcomes: outcomes.map(readOutcome),
    entries: entries.map(([room, id, prev, seq, leaver], i) => ({
      room: room as RoomId,
      id: id as Position,
      prev: prev as Position,
      seq: seq as Seq,
      leaver: leaver as UserId | null,
      payload: fields[3 + 2 * i] as Uint8Array as Payload,
    })),
    rooms: rooms as RoomId[],
    ...(presence && { presence: presence.flatMap(readPresence) }),
    ...(marks && { marks: marks.map(readMark) }),
    ...(switched && { switched: switched as RoomId[] }),
  };
}

function writeMark({ room, user, through, atHead, told }: MovedMark): WireMark {
  return [room, user, through, atHead, told];
}

function readMark([room, user, through, atHead, told]: WireMark): MovedMark {
  return {
    room: room as RoomId,
    user: user as UserId,
    through: through as Seq,
    atHead,
    told: told as MovedMark["told"],
  };
}

function writePresence(changes: readonly PresenceChange[]): WirePresence[] {
  const byRoom = new Map<RoomId, WirePresence>();
  for (const { room, user, now, sinceMs } of changes) {
    const wire = byRoom.get(room) ?? [room];
    byRoom.set(room, wire);
    wire.push(user, now === "there" ? 0 : now === "away" ? sinceMs : -sinceMs);
  }
  return [...byRoom.values()];
}

function readPresence([room, ...flat]: WirePresence): PresenceChange[] {
  const changes: PresenceChange[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [user, time] = [flat[i] as UserId, flat[i + 1] as number];
    const now = time === 0 ? "there" : time > 0 ? "away" : "left";
    changes.push({ room: room as RoomId, user, now, sinceMs: Math.abs(time) });
  }
  return changes;
}

function readOutcome([edge, session, k, room, seq, code, again]: WireOutcome): Outcome {
  const result: CommandResult =
    code === null
      ? { status: "applied", seq: seq as Seq }
      : { status: "rejected", code: code as ErrorCode };
  return { edge, session, k: k as CommandNumber, room: room as RoomId, result, again };
}
