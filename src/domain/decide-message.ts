/** What becomes of a message, and of a command that changes one, at its place in the order. */
import { parseCursor } from "../protocol/cursor.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChatEvent } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Command } from "../streams/command-log.ts";
import { happened, rejected, standing, type Decision } from "./decision.ts";
import { isMember, refusal } from "./gate.ts";
import type { Message, OwnReaction } from "./message.ts";
import { findPin, type Room } from "./room.ts";

type CommandOf<T extends Command["type"]> = Extract<Command, { type: T }>;
export type ChangeCommand = CommandOf<"edit" | "delete" | "react" | "unreact" | "pin" | "unpin">;

/** What a command is about beside its room. */
export interface Subject {
  /** The message that it names; null where there is none, or none that is kept. */
  readonly message: Message | null;
  /** The reactions to it of the user who asks. */
  readonly reactions: readonly OwnReaction[];
}
export const NO_SUBJECT: Subject = { message: null, reactions: [] };

/** Of somebody who may send. */
export function decideSend(
  room: Room,
  command: CommandOf<"send">,
  by: UserId,
  { message }: Subject,
): Decision {
  const { text } = command;
  const code = refusedCall(room, command, by);
  if (code !== null) return rejected(code);
  const called = calledBy(room, command);
  if (command.replyTo === undefined) return happened({ type: "message.sent", text, ...called });
  if (message === null || message.text === null) return rejected("noSuchMessage");
  // Threads are flat: a reply to a reply belongs to the same first message.
  const replyTo = message.replyTo ?? message.origin.seq;
  return happened({ type: "message.sent", text, replyTo, ...called });
}

interface Call {
  readonly mentions?: readonly UserId[];
  readonly everyone?: boolean;
}

function refusedCall(room: Room, { everyone }: Call, by: UserId): ErrorCode | null {
  return everyone ? refusal(standing(room, by), "callAll") : null;
}

/** Only members are called, each once, and only who is one now. */
function calledBy(room: Room, { mentions, everyone }: Call): Call {
  const members =
    mentions && [...new Set(mentions)].filter((user) => isMember(standing(room, user)));
  return {
    ...(members && members.length > 0 ? { mentions: members } : {}),
    ...(everyone ? { everyone: true } : {}),
  };
}

/** A non-member learns nothing of the message, and a member nothing of who may what with none. */
export function decideChange(
  room: Room,
  command: ChangeCommand,
  by: UserId,
  subject: Subject,
): Decision {
  const { message } = subject;
  const who = standing(room, by);
  if (!isMember(who)) return rejected("forbidden");
  // A pin may outlive the history that its message was kept in.
  if (command.type === "unpin") return decideUnpin(room, command, by, message);
  if (message === null) return rejected("noSuchMessage");
  const code = refusal({ ...who, isAuthor: message.origin.by === by }, command.type);
  if (command.type === "delete" && message.deletedIn > 0 && code === null) {
    return { outcome: "nothing", seq: message.deletedIn };
  }
  if (message.text === null) return rejected("noSuchMessage");
  if (code !== null) return rejected(code);
  const target = message.origin.seq;
  switch (command.type) {
    case "edit":
      return decideEdit(room, command, by, message);
    case "delete": {
      const { replyTo } = message;
      const thread = replyTo === null ? {} : { replyTo };
      return happened({ type: "message.deleted", target, ...thread });
    }
    case "react":
      return decideReact(command.reaction, message, subject.reactions);
    case "unreact":
      return subject.reactions.some(({ reaction }) => reaction === command.reaction)
        ? happened({ type: "reaction.removed", target, reaction: command.reaction })
        : { outcome: "nothing", seq: room.head };
    case "pin":
      return decidePin(room, target);
  }
}

function decideEdit(
  room: Room,
  command: CommandOf<"edit">,
  by: UserId,
  message: Message,
): Decision {
  const code = refusedCall(room, command, by);
  if (code !== null) return rejected(code);
  const called = calledBy(room, command);
  if (isAsItWas(message, command.text, called)) {
    return { outcome: "nothing", seq: (message.versions.at(-1) ?? message.origin).seq };
  }
  const { seq: target } = message.origin;
  return happened({ type: "message.edited", target, text: command.text, ...called });
}

function isAsItWas(message: Message, text: string, { mentions = [], everyone }: Call): boolean {
  return (
    message.text === text &&
    message.everyone === (everyone ?? false) &&
    message.mentions.length === mentions.length &&
    message.mentions.every((user, i) => user === mentions[i])
  );
}

function decideReact(
  reaction: string,
  { origin, reactions }: Message,
  own: readonly OwnReaction[],
): Decision {
  const before = own.find((each) => each.reaction === reaction);
  if (before) return { outcome: "nothing", seq: before.seq };
  const known = reactions.some((tally) => tally.reaction === reaction);
  if (!known && reactions.length >= LIMITS.reactionsPerMessage) return rejected("tooMany");
  return happened({ type: "reaction.added", target: origin.seq, reaction });
}

function decidePin(room: Room, target: Seq): Decision {
  const pin = findPin(room, target);
  if (pin) return { outcome: "nothing", seq: pin.pinnedIn };
  if (room.pins.length >= LIMITS.pinsPerRoom) return rejected("tooMany");
  return happened({ type: "message.pinned", target });
}

function decideUnpin(
  room: Room,
  command: CommandOf<"unpin">,
  by: UserId,
  message: Message | null,
): Decision {
  const code = refusal(standing(room, by), "unpin");
  if (code !== null) return rejected(code);
  const cursor = parseCursor(command.message);
  const pin = cursor === null ? undefined : findPin(room, cursor.seq);
  const isNamed = pin !== undefined && cursor?.epoch === room.epoch && cursor.id === pin.id;
  if (isNamed) return happened({ type: "message.unpinned", target: pin.seq } satisfies ChatEvent);
  if (message === null || message.text === null) return rejected("noSuchMessage");
  return { outcome: "nothing", seq: room.head };
}
