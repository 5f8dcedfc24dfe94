/**
 * A message as its changes have left it. The entries of a room never change, so
 * this is what pages show in the place of a message's first entry. Functions of
 * the log: no clock, no randomness, no I/O.
 *
 *   sent ──▶ changed (edited, reacted to, replied to, pinned) ──▶ deleted
 *
 * A deleted message keeps its seq and its replies and takes no other change.
 */
import type { ChatEvent } from "../protocol/frames.ts";
import type { CommandNumber, DeviceId, Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { positionMs, type Position } from "../redis/position.ts";

/** What an entry says beside its event. */
export interface Origin {
  readonly seq: Seq;
  readonly id: Position;
  readonly by: UserId;
  readonly device: DeviceId;
  readonly k: CommandNumber;
}
export interface ReactionTally {
  readonly reaction: string;
  count: number;
  /** A sample: at most LIMITS.reactorsShown. */
  readonly users: UserId[];
}
export interface Reply {
  readonly seq: Seq;
  readonly id: Position;
}

export interface Message {
  readonly origin: Origin;
  /** The first message of the thread that it belongs to. */
  readonly replyTo: Seq | null;
  /** Null once it is deleted. */
  text: string | null;
  mentions: readonly UserId[];
  everyone: boolean;
  /** The entry of its newest change; 0 for none. */
  through: Seq;
  edits: number;
  editedAt: number;
  pinned: boolean;
  /** Those that are not deleted, oldest first. */
  replies: Reply[];
  /** In the order in which they came up. */
  reactions: ReactionTally[];
  /** The entries that gave it its texts, oldest first; empty unless it was edited. */
  versions: Origin[];
  /** The entry that deleted it; 0 for none. */
  deletedIn: Seq;
}

/** One of a user's reactions to a message, and the entry that added it. */
export interface OwnReaction {
  readonly reaction: string;
  readonly seq: Seq;
}

type EventOf<T extends ChatEvent["type"]> = Extract<ChatEvent, { type: T }>;
export type MessageChange = EventOf<
  | "message.edited"
  | "message.deleted"
  | "reaction.added"
  | "reaction.removed"
  | "message.pinned"
  | "message.unpinned"
>;

export function sentMessage(origin: Origin, event: EventOf<"message.sent">): Message {
  const { text, replyTo = null, mentions = [], everyone = false } = event;
  const nothing = { through: 0 as Seq, edits: 0, editedAt: 0, pinned: false, deletedIn: 0 as Seq };
  const lists = { replies: [], reactions: [], versions: [] };
  return { origin, replyTo, text, mentions, everyone, ...nothing, ...lists };
}

/**
 * Puts a change into effect, in place. Returns the entry of an edit whose text nobody
 * is to read any more, because a later change took its place.
 */
export function evolveMessage(
  message: Message,
  event: MessageChange,
  cause: Origin,
): Origin | null {
  message.through = cause.seq;
  switch (event.type) {
    case "message.edited":
      return evolveEdited(message, event, cause);
    case "message.deleted":
      return evolveDeleted(message, cause);
    case "reaction.added":
      addReaction(message, event.reaction, cause.by);
      return null;
    case "reaction.removed":
      removeReaction(message, event.reaction, cause.by);
      return null;
    case "message.pinned":
    case "message.unpinned":
      message.pinned = event.type === "message.pinned";
      return null;
  }
}

function evolveEdited(
  message: Message,
  { text, mentions = [], everyone = false }: EventOf<"message.edited">,
  cause: Origin,
): Origin | null {
  if (message.versions.length === 0) message.versions.push(message.origin);
  const previous = message.versions.at(-1) as Origin;
  message.versions.push(cause);
  message.versions.splice(0, message.versions.length - LIMITS.versionsKept);
  Object.assign(message, { text, mentions, everyone });
  message.edits++;
  message.editedAt = positionMs(cause.id);
  return previous.seq === message.origin.seq ? null : previous;
}

function evolveDeleted(message: Message, { seq }: Origin): Origin | null {
  const last = message.versions.at(-1) ?? null;
  Object.assign(message, { text: null, mentions: [], everyone: false, pinned: false });
  Object.assign(message, { edits: 0, editedAt: 0, reactions: [], versions: [] });
  message.deletedIn = seq;
  return last;
}

function addReaction({ reactions }: Message, reaction: string, by: UserId): void {
  let tally = reactions.find((each) => each.reaction === reaction);
  if (!tally) {
    tally = { reaction, count: 0, users: [] };
    reactions.push(tally);
  }
  tally.count++;
  if (tally.users.length < LIMITS.reactorsShown) tally.users.push(by);
}

function removeReaction({ reactions }: Message, reaction: string, by: UserId): void {
  const at = reactions.findIndex((each) => each.reaction === reaction);
  const tally = reactions[at];
  if (!tally) throw new Error(`nobody has reacted with ${reaction}`);
  tally.count--;
  const shown = tally.users.indexOf(by);
  if (shown >= 0) tally.users.splice(shown, 1);
  if (tally.count === 0) reactions.splice(at, 1);
}

/** A user's reactions after `event`, which `cause` names. */
export function evolveReactions(
  own: readonly OwnReaction[],
  event: EventOf<"reaction.added" | "reaction.removed">,
  { seq }: Origin,
): readonly OwnReaction[] {
  const { reaction } = event;
  if (event.type === "reaction.added") return [...own, { reaction, seq }];
  return own.filter((each) => each.reaction !== reaction);
}

/** `first` has a further reply, `cause`. */
export function replied(first: Message, { seq, id }: Origin): void {
  first.replies.push({ seq, id });
  first.through = seq;
}

/** The reply `seq` to `first` was deleted by the entry `cause`. */
export function replyDeleted(first: Message, seq: Seq, cause: Origin): void {
  first.replies = first.replies.filter((reply) => reply.seq !== seq);
  first.through = cause.seq;
}

/** What pages show in the place of its first entry. */
export function foldedEvent(message: Message): EventOf<"message.folded"> {
  const { text, through, replyTo, mentions, edits, replies, reactions } = message;
  const last = replies.at(-1);
  return {
    type: "message.folded",
    text,
    through,
    ...(replyTo === null ? {} : { replyTo }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(message.everyone ? { everyone: true } : {}),
    ...(edits === 0 ? {} : { edits, editedAt: message.editedAt }),
    ...(message.pinned ? { pinned: true } : {}),
    ...(last === undefined ? {} : { replies: replies.length, lastReply: last.seq }),
    ...(reactions.length === 0 ? {} : { reactions }),
  };
}

/** What pages show in the place of an edit that lost its text. */
export function emptiedEdit(target: Seq): EventOf<"message.edited"> {
  return { type: "message.edited", target, text: null };
}
