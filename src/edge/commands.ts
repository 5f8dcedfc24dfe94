/** From what a client asks to what the log keeps: every command names its room. */
import { createHash } from "node:crypto";
import { parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ClientCommand } from "../protocol/frames.ts";
import { DIRECT_ROOM_PREFIX, type DeviceId, type RoomId, type UserId } from "../protocol/ids.ts";
import type { Command } from "../streams/command-log.ts";

/**
 * Ids of unnamed rooms. Whoever shares a room with a device sees its id and its
 * numbers, and could take the name of its next room before it is made.
 */
const UNNAMED_ROOM = /^r[0-9a-f]{32}$/;

/** An id made from a pair or from a command is never taken from a client. */
export function toCommand(
  command: ClientCommand,
  by: UserId,
  device: DeviceId,
): Command | { refused: ErrorCode } {
  switch (command.type) {
    case "create": {
      const { k, kind, name } = command;
      if (command.room !== null && isMadeHere(command.room)) return { refused: "invalid" };
      const room = command.room ?? unnamedRoomId(by, device, k);
      return { type: "create", k, room, kind, name, members: [by] };
    }
    case "direct": {
      const pair = [...new Set([by, command.user])];
      const room = directRoomId(by, command.user);
      return { type: "create", k: command.k, room, kind: "direct", name: "direct", members: pair };
    }
    case "send":
      return isNoCursor(command.replyTo) ? { refused: "invalid" } : command;
    case "join":
    case "leave":
    case "invite":
    case "rename":
    case "setReceipts":
      return command;
    case "edit":
    case "delete":
    case "react":
    case "unreact":
    case "pin":
    case "unpin":
    case "markUnread":
      return isNoCursor(command.message) ? { refused: "invalid" } : command;
  }
}

/** Nothing that any server has given out. */
function isNoCursor(cursor: Cursor | undefined): boolean {
  return cursor !== undefined && parseCursor(cursor) === null;
}

function isMadeHere(room: RoomId): boolean {
  return room.startsWith(DIRECT_ROOM_PREFIX) || UNNAMED_ROOM.test(room);
}

/** One room for a pair, whoever asks and whatever the ids contain. */
export function directRoomId(a: UserId, b: UserId): RoomId {
  // JSON keeps the two apart; sorting by code units needs no locale.
  const pair = JSON.stringify(a < b ? [a, b] : [b, a]);
  const digest = createHash("sha256").update(pair).digest("base64url");
  return `${DIRECT_ROOM_PREFIX}${digest}` as RoomId;
}

/** Of the command and not of chance, so that a copy of it names the same room. */
function unnamedRoomId(by: UserId, device: DeviceId, k: number): RoomId {
  const digest = createHash("sha256")
    .update(JSON.stringify([by, device, k]))
    .digest("hex");
  return `r${digest.slice(0, 32)}` as RoomId;
}
