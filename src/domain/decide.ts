/**
 * What becomes of one command at its place in the order. Pure: the same room
 * and the same command give the same decision on every machine and on every
 * replay.
 */
import type { Seq, UserId } from "../protocol/ids.ts";
import type { Command } from "../streams/command-log.ts";
import {
  decideChange,
  decideSend,
  NO_SUBJECT,
  type ChangeCommand,
  type Subject,
} from "./decide-message.ts";
import { happened, rejected, standing, type Decision } from "./decision.ts";
import { isMember, refusal } from "./gate.ts";
import type { Room } from "./room.ts";

/** `subject` is for the commands that name a message. */
export function decide(
  room: Room,
  command: Command,
  by: UserId,
  subject: Subject = NO_SUBJECT,
): Decision {
  switch (command.type) {
    case "create":
      return decideCreate(room, command, by);
    case "edit":
    case "delete":
    case "react":
    case "unreact":
    case "pin":
    case "unpin":
      return decideChange(room, command, by, subject);
    case "send":
    case "join":
    case "leave":
    case "invite":
    case "rename":
    case "setReceipts":
    case "markUnread":
      return decideInRoom(room, command, by, subject);
  }
}

function decideInRoom(
  room: Room,
  command: Exclude<Command, { type: "create" } | ChangeCommand>,
  by: UserId,
  subject: Subject,
): Decision {
  const code = refusal(standing(room, by), command.type);
  if (code !== null) return rejected(code);
  switch (command.type) {
    case "send":
      return decideSend(room, command, by, subject);
    case "markUnread":
      return { outcome: "nothing", seq: 0 as Seq };
    case "join":
      return isMember(standing(room, by))
        ? nothing(room, by)
        : happened({ type: "member.joined", user: by });
    case "leave":
      return happened({ type: "member.left", user: by });
    case "invite":
      return room.members.has(command.user)
        ? nothing(room, command.user)
        : happened({ type: "member.invited", user: command.user });
    case "rename":
      return command.name === room.name
        ? { outcome: "nothing", seq: room.head }
        : happened({ type: "room.renamed", name: command.name });
    case "setReceipts":
      return command.on === room.receiptsOn
        ? { outcome: "nothing", seq: room.head }
        : happened({ type: "room.receiptsSet", on: command.on });
  }
}

function decideCreate(room: Room, command: Command & { type: "create" }, by: UserId): Decision {
  if (room.kind === null) {
    const { kind, name, members } = command;
    return happened({ type: "room.created", kind, name, members });
  }
  if (!isMember(standing(room, by))) return rejected("forbidden");
  // Asking for a direct room again is how one finds it.
  if (room.kind === "direct") return nothing(room, by);
  return rejected("roomExists");
}

function nothing(room: Room, member: UserId): Decision {
  return { outcome: "nothing", seq: room.members.get(member)?.since ?? room.head };
}
