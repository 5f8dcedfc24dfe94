/**
 * What becomes of one command at its place in the order. Pure: the same room
 * and the same command give the same decision on every machine and on every
 * replay.
 */
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChatEvent } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import type { Command } from "../streams/command-log.ts";
import { isMember, refusal, type Standing } from "./gate.ts";
import type { Room } from "./room.ts";

export type Decision =
  | { readonly outcome: "event"; readonly event: ChatEvent }
  /** Granted already: nothing to do. `seq` is the entry that did it. */
  | { readonly outcome: "nothing"; readonly seq: Seq }
  | { readonly outcome: "rejected"; readonly code: ErrorCode };

export function standing(room: Room, user: UserId): Standing {
  return { kind: room.kind, role: room.members.get(user)?.role ?? null };
}

export function decide(room: Room, command: Command, by: UserId): Decision {
  if (command.type === "create") return decideCreate(room, command, by);
  const code = refusal(standing(room, by), command.type);
  if (code !== null) return { outcome: "rejected", code };
  switch (command.type) {
    case "send":
      return happened({ type: "message.sent", text: command.text });
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
  }
}

function decideCreate(room: Room, command: Command & { type: "create" }, by: UserId): Decision {
  if (room.kind === null) {
    const { kind, name, members } = command;
    return happened({ type: "room.created", kind, name, members });
  }
  if (!isMember(standing(room, by))) return { outcome: "rejected", code: "forbidden" };
  // Asking for a direct room again is how one finds it.
  if (room.kind === "direct") return nothing(room, by);
  return { outcome: "rejected", code: "roomExists" };
}

function happened(event: ChatEvent): Decision {
  return { outcome: "event", event };
}

function nothing(room: Room, member: UserId): Decision {
  return { outcome: "nothing", seq: room.members.get(member)?.since ?? room.head };
}
