/**
 * A message as its changes have left it. A room's entries never change: a page shows
 * a changed message in its folded form, and later entries change it further. Each
 * change is taken once, because the message knows up to which entry it was changed.
 *
 * Messages are values: a change makes a new one.
 */
import type { Cursor } from "../protocol/cursor.ts";
import type { ChatEvent, ClientCommand, Entry } from "../protocol/frames.ts";
import type { CommandNumber, DeviceId, Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";

export interface Reaction {
  readonly reaction: string;
  /** Exact. */
  readonly count: number;
  /** A sample, at most LIMITS.reactorsShown. */
  readonly users: readonly UserId[];
  /** Whether this user is among them; null where the sample does not tell. */
  readonly mine: boolean | null;
}

/** An own change of a message that is on its way. */
export interface PendingChange {
  readonly k: CommandNumber;
  readonly command: ChangeCommand;
  readonly state: "queued" | "sent" | "accepted";
}
export type ChangeCommand = Extract<
  ClientCommand,
  { type: "edit" | "delete" | "react" | "unreact" | "pin" | "unpin" }
>;

export interface Message {
  readonly seq: Seq;
  /** Names the message in commands. */
  readonly cursor: Cursor;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly by: UserId;
  readonly device: DeviceId;
  readonly k: CommandNumber;
  /** Null once it is deleted. */
  readonly text: string | null;
  readonly deleted: boolean;
  readonly edits: number;
  /** Milliseconds since 1970; null when it was never edited. */
  readonly editedAt: number | null;
  readonly pinned: boolean;
  /** The first message of the thread that it belongs to. */
  readonly replyTo: Seq | null;
  /** Replies that are not deleted, and the newest of them. */
  readonly replies: number;
  readonly lastReply: Seq | null;
  readonly mentions: readonly UserId[];
  readonly everyone: boolean;
  /** It calls this user: by name, or everybody. Never true of own messages. */
  readonly callsMe: boolean;
  /** In the order in which they came up. */
  readonly reactions: readonly Reaction[];
  /** Seq of the newest change that is in it, 0 for none. */
  readonly through: Seq;
  /** Own changes that are not in it yet, in order. */
  readonly pending: readonly PendingChange[];
}

type EventOf<T extends ChatEvent["type"]> = Extract<ChatEvent, { type: T }>;
type Shown = EventOf<"message.sent" | "message.folded">;
export type MessageChange = EventOf<
  | "message.edited"
  | "message.deleted"
  | "reaction.added"
  | "reaction.removed"
  | "message.pinned"
  | "message.unpinned"
>;

/** The message that an entry shows, or null for any other entry. `me` is the user who looks. */
export function messageOf(entry: Entry, me: UserId | null): Message | null {
  const { seq, cursor, at, by, device, k, event } = entry;
  if (event.type !== "message.sent" && event.type !== "message.folded") return null;
  const { text, replyTo = null, mentions = [], everyone = false } = event;
  const called = { mentions, everyone, callsMe: calls({ mentions, everyone }, by, me) };
  const from = { seq, cursor, at, by, device, k, text, replyTo };
  return { ...from, ...called, ...changesIn(event, me), deleted: text === null, pending: [] };
}

/** The messages among some entries, for pages of older ones and of threads. */
export function messagesOf(entries: readonly Entry[], me: UserId | null): Message[] {
  return entries.flatMap((entry) => messageOf(entry, me) ?? []);
}

function changesIn(
  event: Shown,
  me: UserId | null,
): Pick<
  Message,
  "edits" | "editedAt" | "pinned" | "replies" | "lastReply" | "reactions" | "through"
> {
  if (event.type === "message.sent") return { ...UNTOUCHED, through: 0 as Seq };
  const { through, edits = 0, editedAt = null, pinned = false, replies = 0 } = event;
  const reactions = (event.reactions ?? []).map((reaction) => {
    const { users, count } = reaction;
    const mine = me !== null && users.includes(me) ? true : users.length < count ? null : false;
    return { ...reaction, mine };
  });
  return {
    edits,
    editedAt,
    pinned,
    replies,
    lastReply: event.lastReply ?? null,
    reactions,
    through,
  };
}
const UNTOUCHED = {
  edits: 0,
  editedAt: null,
  pinned: false,
  replies: 0,
  lastReply: null,
  reactions: [],
} as const;

function calls(
  { mentions, everyone }: Pick<Message, "mentions" | "everyone">,
  by: UserId,
  me: UserId | null,
): boolean {
  return me !== null && by !== me && (everyone || mentions.includes(me));
}

/** The change of a message that an entry is, or null. */
export function changeOf({ event }: Entry): MessageChange | null {
  return "target" in event ? event : null;
}

/** The message with the change `entry` in it; the same one where it is in it already. */
export function changed(message: Message, entry: Entry, me: UserId | null): Message {
  const change = changeOf(entry);
  if (change === null || entry.seq <= message.through) return message;
  return { ...message, ...difference(message, change, entry, me), through: entry.seq };
}

function difference(
  message: Message,
  change: MessageChange,
  { by, at }: Entry,
  me: UserId | null,
): Partial<Message> {
  switch (change.type) {
    case "message.edited": {
      const { text, mentions = [], everyone = false } = change;
      const edit = { edits: message.edits + 1, editedAt: at };
      // A later change took its place, and brings the text or takes it away.
      if (text === null) return edit;
      const callsMe = calls({ mentions, everyone }, message.by, me);
      return { ...edit, text, mentions, everyone, callsMe };
    }
    case "message.deleted":
      return { ...EMPTIED, edits: 0, editedAt: null, pinned: false, reactions: [] };
    case "reaction.added":
      return { reactions: added(message.reactions, change.reaction, by, me) };
    case "reaction.removed":
      return { reactions: removed(message.reactions, change.reaction, by, me) };
    case "message.pinned":
      return { pinned: true };
    case "message.unpinned":
      return { pinned: false };
  }
}
const EMPTIED = {
  text: null,
  deleted: true,
  mentions: [],
  everyone: false,
  callsMe: false,
} as const;

function added(
  reactions: readonly Reaction[],
  reaction: string,
  by: UserId,
  me: UserId | null,
): readonly Reaction[] {
  const known = reactions.find((each) => each.reaction === reaction);
  if (!known) return [...reactions, { reaction, count: 1, users: [by], mine: by === me }];
  const users = known.users.length < LIMITS.reactorsShown ? [...known.users, by] : [...known.users];
  const one = { reaction, count: known.count + 1, users, mine: by === me ? true : known.mine };
  return reactions.map((each) => (each === known ? one : each));
}

function removed(
  reactions: readonly Reaction[],
  reaction: string,
  by: UserId,
  me: UserId | null,
): readonly Reaction[] {
  return reactions.flatMap((each) => {
    if (each.reaction !== reaction) return [each];
    const users = each.users.filter((user) => user !== by);
    const one = { ...each, count: each.count - 1, users, mine: by === me ? false : each.mine };
    return one.count > 0 ? [one] : [];
  });
}

/**
 * How the message will look when its pending changes are in effect: for showing
 * one's own changes at once.
 */
export function asExpected(message: Message, me: UserId): Message {
  let expected = message;
  for (const { command } of message.pending) {
    expected = { ...expected, ...expectedOf(expected, command, me) };
  }
  return expected;
}

function expectedOf(message: Message, command: ChangeCommand, me: UserId): Partial<Message> {
  const { reactions } = message;
  switch (command.type) {
    case "edit":
      return { text: command.text, mentions: command.mentions ?? [] };
    case "delete":
      return { ...EMPTIED, pinned: false, reactions: [] };
    case "react":
      return isMine(reactions, command.reaction)
        ? {}
        : { reactions: added(reactions, command.reaction, me, me) };
    case "unreact":
      return isMine(reactions, command.reaction)
        ? { reactions: removed(reactions, command.reaction, me, me) }
        : {};
    case "pin":
    case "unpin":
      return { pinned: command.type === "pin" };
  }
}

function isMine(reactions: readonly Reaction[], reaction: string): boolean {
  return reactions.some((each) => each.reaction === reaction && each.mine === true);
}
