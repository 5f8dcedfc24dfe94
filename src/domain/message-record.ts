/**
 * How a changed message stands in Redis, in the hash of its block of seqs: written
 * by projectors, read by edges too.
 */
import { decodeEntry, encodeEntry } from "../protocol/codec.ts";
import { formatCursor, parseCursor } from "../protocol/cursor.ts";
import type { ChatEvent, Entry } from "../protocol/frames.ts";
import type { CommandNumber, DeviceId, Epoch, Seq, UserId } from "../protocol/ids.ts";
import { pack, unpackTrusted } from "../protocol/msgpack.ts";
import { halves, positionMs, type Position } from "../redis/position.ts";
import {
  foldedEvent,
  sentMessage,
  type Message,
  type Origin,
  type OwnReaction,
  type Reply,
} from "./message.ts";

/** Fields of one message; `shown` is what pages show, of edits that lost their text too. */
export const foldedField = {
  history: (seq: Seq): string => `${seq}`,
  shown: (seq: Seq): string => `${seq}e`,
  replies: (seq: Seq): string => `${seq}t`,
  reactions: (seq: Seq, user: UserId): string => `${seq}r:${user}`,
} as const;

/** The entry as clients get it, with `event` in it. */
export function encodeAs(origin: Origin, epoch: Epoch, event: ChatEvent): Uint8Array {
  const { seq, id, by, device, k } = origin;
  const cursor = formatCursor(epoch, seq, ...halves(id));
  return encodeEntry({ seq, cursor, at: positionMs(id), by, device, k, event });
}

type WireOrigin = [seq: number, ms: number, n: number, by: string, device: string, k: number];

/** The entries of its versions and the one that deleted it; null while there is neither. */
export function packHistory({ versions, deletedIn }: Message): Uint8Array | null {
  if (versions.length === 0 && deletedIn === 0) return null;
  const origins = versions.map(({ seq, id, by, device, k }): WireOrigin => {
    const [ms, n] = halves(id);
    return [seq, ms, n, by, device, k];
  });
  return pack([deletedIn, origins]);
}

export function unpackHistory(bytes: Uint8Array | null): Pick<Message, "versions" | "deletedIn"> {
  if (bytes === null) return { versions: [], deletedIn: 0 as Seq };
  const [deletedIn, origins] = unpackTrusted(bytes) as [number, WireOrigin[]];
  const versions = origins.map(([seq, ms, n, by, device, k]) => ({
    seq: seq as Seq,
    id: `${ms}-${n}` as Position,
    by: by as UserId,
    device: device as DeviceId,
    k: k as CommandNumber,
  }));
  return { versions, deletedIn: deletedIn as Seq };
}

/** Differences, because a long thread is written again with every reply: some 7 bytes each. */
export function packReplies(replies: readonly Reply[]): Uint8Array {
  const flat: number[] = [];
  let [lastSeq, lastMs] = [0, 0];
  for (const { seq, id } of replies) {
    const [ms, n] = halves(id);
    flat.push(seq - lastSeq, ms - lastMs, n);
    [lastSeq, lastMs] = [seq, ms];
  }
  return pack(flat);
}

export function unpackReplies(bytes: Uint8Array | null): Reply[] {
  const replies: Reply[] = [];
  if (bytes === null) return replies;
  const flat = unpackTrusted(bytes) as number[];
  let [seq, ms] = [0, 0];
  for (let i = 0; i + 2 < flat.length; i += 3) {
    seq += flat[i] as number;
    ms += flat[i + 1] as number;
    replies.push({ seq: seq as Seq, id: `${ms}-${flat[i + 2]}` as Position });
  }
  return replies;
}

/** `12:👍 15:ok`: a reaction holds no space. */
export function writeReactions(own: readonly OwnReaction[]): string {
  return own.map(({ reaction, seq }) => `${seq}:${reaction}`).join(" ");
}

export function readReactions(text: string | null): readonly OwnReaction[] {
  if (text === null || text === "") return [];
  return text.split(" ").map((each) => {
    const colon = each.indexOf(":");
    return { reaction: each.slice(colon + 1), seq: Number(each.slice(0, colon)) as Seq };
  });
}

export function encodeFolded(message: Message, epoch: Epoch): Uint8Array {
  return encodeAs(message.origin, epoch, foldedEvent(message));
}

/** What is stored of a message; `entry` is its folded form, or its first entry. */
export interface StoredMessage {
  readonly entry: Uint8Array;
  readonly history: Uint8Array | null;
  readonly replies: Uint8Array | null;
}

/** Null where the entry is no message. */
export function readMessage({ entry, history, replies }: StoredMessage): Message | null {
  const decoded = decodeEntry(entry);
  const { event } = decoded;
  const origin = originOf(decoded);
  if (event.type === "message.sent") return sentMessage(origin, event);
  if (event.type !== "message.folded") return null;
  const { text, replyTo = null, mentions = [], everyone = false, through } = event;
  const { edits = 0, editedAt = 0, pinned = false, reactions = [] } = event;
  return {
    origin,
    replyTo,
    text,
    mentions,
    everyone,
    through,
    edits,
    editedAt,
    pinned,
    reactions: reactions.map((tally) => ({ ...tally, users: [...tally.users] })),
    replies: unpackReplies(replies),
    ...unpackHistory(history),
  };
}

function originOf({ seq, cursor, by, device, k }: Entry): Origin {
  const parts = parseCursor(cursor);
  if (parts === null) throw new Error(`the entry ${seq} has no cursor of ours`);
  return { seq, id: parts.id as Position, by, device, k };
}
