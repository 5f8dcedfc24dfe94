/** What people do in a room, as entries, and the server's own fold of it to compare with. */
import {
  emptiedEdit,
  evolveMessage,
  foldedEvent,
  replied,
  replyDeleted,
  sentMessage,
  type Message,
  type MessageChange,
} from "../../src/domain/message.ts";
import { parseCursor } from "../../src/protocol/cursor.ts";
import type { ChatEvent, Entry } from "../../src/protocol/frames.ts";
import type { Epoch, Seq, UserId } from "../../src/protocol/ids.ts";
import type { Position } from "../../src/redis/position.ts";
import type { ListedRoom } from "../../src/client/index.ts";
import { entryAt, ROOM } from "./scripted-server.ts";

export function said(seq: number, by: string, text = `message ${seq}`, more: object = {}): Entry {
  return entryAt(seq, { by: by as UserId, event: { type: "message.sent", text, ...more } });
}

export function happened(seq: number, by: string, event: ChatEvent): Entry {
  return entryAt(seq, { by: by as UserId, event });
}

/** A line of the list of rooms. */
export function listedRoom(fields: Partial<ListedRoom> = {}): ListedRoom {
  return {
    room: ROOM,
    kind: "public",
    name: "General talk",
    role: "member",
    epoch: 1 as Epoch,
    head: 0 as Seq,
    through: 0 as Seq,
    unread: 0,
    mentions: 0,
    last: null,
    ...fields,
  };
}

/** The log as a page shows it that is read when its last entry was the newest. */
export function shownPage(log: readonly Entry[]): Entry[] {
  const { messages, emptied } = fold(log);
  return log.map((entry) => {
    const message = messages.get(entry.seq);
    if (message && message.through > 0) return { ...entry, event: foldedEvent(message) };
    const { event } = entry;
    if (event.type !== "message.edited" || !emptied.has(entry.seq)) return entry;
    return { ...entry, event: emptiedEdit(event.target) };
  });
}

function fold(log: readonly Entry[]): { messages: Map<Seq, Message>; emptied: Set<Seq> } {
  const messages = new Map<Seq, Message>();
  const emptied = new Set<Seq>();
  for (const entry of log) {
    const { seq, cursor, by, device, k, event } = entry;
    const id = parseCursor(cursor)?.id as Position;
    const cause = { seq, id, by, device, k };
    if (event.type === "message.sent") {
      messages.set(seq, sentMessage(cause, event));
      const first = event.replyTo === undefined ? undefined : messages.get(event.replyTo);
      if (first) replied(first, cause);
    }
    const target = "target" in event ? messages.get(event.target) : undefined;
    if (!target) continue;
    const old = evolveMessage(target, event as MessageChange, cause);
    if (old && old.seq !== target.origin.seq) emptied.add(old.seq);
    const thread = target.replyTo === null ? undefined : messages.get(target.replyTo);
    if (event.type === "message.deleted" && thread) replyDeleted(thread, target.origin.seq, cause);
  }
  return { messages, emptied };
}

/** One thing that somebody may do next in a room with this log; `chance` is from 0 to 1. */
export function nextEntry(log: readonly Entry[], chance: () => number): Entry {
  const users = ["ann", "bob", "cid"];
  const one = <T>(of: readonly T[]): T => of[Math.floor(chance() * of.length)] as T;
  const seq = log.length + 1;
  const by = one(users);
  const alive = [...fold(log).messages.values()].filter(({ text }) => text !== null);
  const call =
    chance() < 0.3
      ? { mentions: [one(users) as UserId] }
      : chance() < 0.1
        ? { everyone: true }
        : {};
  if (alive.length === 0 || chance() < 0.4) {
    const about = alive.length > 0 && chance() < 0.4 ? one(alive) : null;
    const replyTo = about ? (about.replyTo ?? about.origin.seq) : null;
    return said(seq, by, `message ${seq}`, { ...call, ...(replyTo === null ? {} : { replyTo }) });
  }
  const message = one(alive);
  const target = message.origin.seq;
  const dice = chance();
  if (dice < 0.3) {
    const { by: author } = message.origin;
    return happened(seq, author, { type: "message.edited", target, text: `edit ${seq}`, ...call });
  }
  if (dice < 0.5) {
    const thread = message.replyTo === null ? {} : { replyTo: message.replyTo };
    return happened(seq, by, { type: "message.deleted", target, ...thread });
  }
  if (dice < 0.6) return happened(seq, by, { type: "message.pinned", target });
  const reaction = one(["👍", "🎉"]);
  const has = message.reactions
    .find((each) => each.reaction === reaction)
    ?.users.includes(by as UserId);
  const type = has ? "reaction.removed" : "reaction.added";
  return happened(seq, by, { type, target, reaction });
}
