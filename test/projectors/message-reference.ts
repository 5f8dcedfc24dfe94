/**
 * What has become of a message, found out anew each time by going through all
 * entries of its room. Slow and plain on purpose: the engine is compared with it.
 */
import { parseCursor } from "../../src/protocol/cursor.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { ChatEvent } from "../../src/protocol/frames.ts";
import type { Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { Command } from "../../src/streams/command-log.ts";

export interface ReferenceEntry {
  readonly id: string;
  readonly by: string;
  readonly device: string;
  readonly k: number;
  readonly event: ChatEvent;
}

export interface ReferenceRoom {
  readonly kind: string;
  name: string;
  receiptsOn: boolean;
  /** User to `role:since`. */
  readonly members: Map<string, string>;
  readonly entries: ReferenceEntry[];
}

type Entries = readonly ReferenceEntry[];
type Folded = Extract<ChatEvent, { type: "message.folded" }>;

export interface ReferenceMessage {
  readonly by: string;
  readonly event: Folded;
  /** Seq of the entry that deleted it. */
  readonly deletedIn: number;
  /** Texts, oldest first, those of its edits included. */
  readonly texts: readonly { readonly seq: number; readonly text: string }[];
  /** Seqs of its replies that are not deleted. */
  readonly replies: readonly number[];
  /** Who reacts with what since which entry. */
  readonly reacted: readonly { user: string; reaction: string; seq: number }[];
}

/** Null for an entry that is no message. */
export function messageAt(entries: Entries, seq: number): ReferenceMessage | null {
  const first = entries[seq - 1];
  if (first?.event.type !== "message.sent") return null;
  const state = {
    event: { ...first.event, type: "message.folded", through: 0 } as Folded &
      Record<string, unknown>,
    deletedIn: 0,
    texts: [{ seq, text: first.event.text }],
    replies: [] as number[],
    reacted: [] as { user: string; reaction: string; seq: number }[],
    order: [] as string[],
    samples: new Map<string, string[]>(),
  };
  let through = 0;
  entries.forEach(({ event, by, id }, i) => {
    const now = i + 1;
    const deletedReply =
      event.type === "message.deleted" && event.replyTo === seq && event.target !== seq;
    if (event.type === "message.sent" && event.replyTo === seq) {
      state.replies.push(now);
      through = now;
    } else if (deletedReply) {
      state.replies = state.replies.filter((reply) => reply !== event.target);
      through = now;
    } else if ("target" in event && event.target === seq) {
      through = now;
      change(state, event, { by, id, now });
    }
  });
  const { texts, replies, reacted, deletedIn } = state;
  const reactions = state.order.map((reaction) => ({
    reaction,
    count: reacted.filter((each) => each.reaction === reaction).length,
    users: (state.samples.get(reaction) ?? []) as UserId[],
  }));
  const event = {
    ...state.event,
    through,
    ...(replies.length > 0 ? { replies: replies.length, lastReply: replies.at(-1) } : {}),
    ...(reactions.length > 0 ? { reactions } : {}),
  } as Folded;
  return { by: first.by, event, deletedIn, texts, replies, reacted };
}

interface State {
  event: Record<string, unknown>;
  deletedIn: number;
  texts: { seq: number; text: string }[];
  reacted: { user: string; reaction: string; seq: number }[];
  order: string[];
  samples: Map<string, string[]>;
}

function change(
  state: State,
  event: Extract<ChatEvent, { target: unknown }>,
  { by, id, now }: { by: string; id: string; now: number },
): void {
  switch (event.type) {
    case "message.edited": {
      const { mentions: _m, everyone: _e, ...rest } = state.event;
      const { target: _t, ...edit } = event;
      const edits = ((rest["edits"] as number | undefined) ?? 0) + 1;
      const editedAt = Number(id.split("-")[0]);
      state.event = { ...rest, ...edit, type: "message.folded", edits, editedAt };
      state.texts.push({ seq: now, text: event.text as string });
      return;
    }
    case "message.deleted": {
      const { replyTo } = state.event;
      state.event = { type: "message.folded", text: null, ...(replyTo ? { replyTo } : {}) };
      Object.assign(state, { deletedIn: now, texts: [], reacted: [], order: [] });
      return;
    }
    case "message.pinned":
      state.event["pinned"] = true;
      return;
    case "message.unpinned":
      delete state.event["pinned"];
      return;
    case "reaction.added": {
      state.reacted.push({ user: by, reaction: event.reaction, seq: now });
      if (!state.order.includes(event.reaction)) {
        state.order.push(event.reaction);
        state.samples.set(event.reaction, []);
      }
      const sample = state.samples.get(event.reaction) as string[];
      if (sample.length < LIMITS.reactorsShown) sample.push(by);
      return;
    }
    case "reaction.removed": {
      const { reaction } = event;
      state.reacted = state.reacted.filter((r) => r.user !== by || r.reaction !== reaction);
      const sample = (state.samples.get(reaction) ?? []).filter((user) => user !== by);
      state.samples.set(reaction, sample);
      if (!state.reacted.some((r) => r.reaction === reaction)) {
        state.order = state.order.filter((each) => each !== reaction);
      }
    }
  }
}

/** Pinned messages in order, with the entry that pinned each. */
export function pinsOf(entries: Entries): { seq: number; pinnedIn: number }[] {
  let pins: { seq: number; pinnedIn: number }[] = [];
  entries.forEach(({ event }, i) => {
    if (event.type === "message.pinned") pins.push({ seq: event.target, pinnedIn: i + 1 });
    if (event.type === "message.unpinned" || event.type === "message.deleted") {
      pins = pins.filter(({ seq }) => seq !== event.target);
    }
  });
  return pins;
}

/** What a page shows of the entry at this seq. */
export function shownAt(entries: Entries, seq: number): ChatEvent {
  const { event } = entries[seq - 1] as ReferenceEntry;
  const message = messageAt(entries, seq);
  if (message && message.event.through > 0) return message.event;
  if (event.type !== "message.edited") return event;
  const { texts } = messageAt(entries, event.target) as ReferenceMessage;
  return texts.at(-1)?.seq === seq ? event : { type: event.type, target: event.target, text: null };
}

type Change = Extract<
  Command,
  { type: "send" | "edit" | "delete" | "react" | "unreact" | "pin" | "unpin" }
>;

type Decided = ChatEvent | number | ErrorCode;

/** Of a member: an event, the seq that had it done already, or why not. */
export function decideChange(
  room: ReferenceRoom,
  user: UserId,
  command: Change,
  kept: number,
): Decided {
  const { entries } = room;
  const isOwner = room.members.get(user)?.startsWith("owner") ?? false;
  const mayLead = room.kind === "direct" || isOwner;
  if ((command.type === "unpin" || command.type === "pin") && !mayLead) return "notAllowed";
  if (command.type === "send" && command.everyone && !mayLead) return "notAllowed";
  const cursor = command.type === "send" ? command.replyTo : command.message;
  if (command.type === "send" && cursor === undefined) {
    return { type: "message.sent", text: command.text, ...called(room, command) };
  }
  const parts = cursor === undefined ? null : parseCursor(cursor);
  const target = parts?.seq ?? 0;
  const isThere = entries[target - 1]?.id === parts?.id;
  if (command.type === "unpin" && isThere && pinsOf(entries).some(({ seq }) => seq === target)) {
    return { type: "message.unpinned", target: target as never };
  }
  const isKept = parts?.epoch === 1 && isThere && entries.length - target < kept;
  const named = isKept ? messageAt(entries, target) : null;
  if (!named) return "noSuchMessage";
  const mayChange = named.by === user || isOwner;
  if (command.type === "delete" && named.deletedIn > 0 && mayChange) return named.deletedIn;
  if (named.deletedIn > 0) return "noSuchMessage";
  if ((command.type === "edit" || command.type === "delete") && !mayChange) return "notAllowed";
  if (command.type === "edit" && command.everyone && !mayLead) return "notAllowed";
  return decideOn(room, user, command, { target: target as Seq, named });
}

/** Of somebody who may, on a message that is there. */
function decideOn(
  room: ReferenceRoom,
  user: UserId,
  command: Change,
  { target, named }: { target: Seq; named: ReferenceMessage },
): Decided {
  const { entries } = room;
  const { replyTo } = named.event;
  const call = "text" in command ? called(room, command) : {};
  switch (command.type) {
    case "send":
      return { type: "message.sent", text: command.text, replyTo: replyTo ?? target, ...call };
    case "edit": {
      const { text, mentions, everyone } = named.event;
      const before = JSON.stringify([text, mentions, everyone]);
      const after = JSON.stringify([command.text, call.mentions, call.everyone]);
      if (before === after) return named.texts.at(-1)?.seq as number;
      return { type: "message.edited", target, text: command.text, ...call };
    }
    case "delete":
      return { type: "message.deleted", target, ...(replyTo === undefined ? {} : { replyTo }) };
    case "react":
    case "unreact":
      return decideReaction(command, user, named, { target, head: entries.length });
    case "pin": {
      const pin = pinsOf(entries).find(({ seq }) => seq === target);
      if (pin) return pin.pinnedIn;
      if (pinsOf(entries).length >= LIMITS.pinsPerRoom) return "tooMany";
      return { type: "message.pinned", target };
    }
    case "unpin":
      return entries.length;
  }
}

function decideReaction(
  { type, reaction }: Extract<Change, { type: "react" | "unreact" }>,
  user: UserId,
  { reacted }: ReferenceMessage,
  { target, head }: { target: Seq; head: number },
): Decided {
  const before = reacted.find((each) => each.user === user && each.reaction === reaction);
  if (type === "unreact") return before ? { type: "reaction.removed", target, reaction } : head;
  if (before) return before.seq;
  const kinds = new Set(reacted.map((each) => each.reaction));
  if (kinds.size >= LIMITS.reactionsPerMessage && !kinds.has(reaction)) return "tooMany";
  return { type: "reaction.added", target, reaction };
}

function called(
  room: ReferenceRoom,
  { mentions, everyone }: { mentions?: readonly UserId[]; everyone?: boolean },
): { mentions?: readonly UserId[]; everyone?: boolean } {
  const isIn = (user: UserId): boolean => /^(owner|member):/.test(room.members.get(user) ?? "");
  const members = [...new Set(mentions ?? [])].filter(isIn);
  return { ...(members.length > 0 && { mentions: members }), ...(everyone && { everyone }) };
}
