/**
 * Reads of single messages, through the gate: their versions, who reacted to them,
 * their threads, and what is pinned. The role is always read after what it admits to.
 */
import { refusal, type Verb } from "../domain/gate.ts";
import { foldedField, readMessage, readReactions } from "../domain/message-record.ts";
import type { Message, Origin, Reply } from "../domain/message.ts";
import { positionField, readMark } from "../domain/positions-record.ts";
import { readPins, ROOM_FIELD } from "../domain/room-record.ts";
import type { Pin } from "../domain/room.ts";
import { repliesAfter } from "../domain/thread.ts";
import { decodeEntry } from "../protocol/codec.ts";
import type { Entry, RoomKind } from "../protocol/frames.ts";
import type { RoomId, Seq, UserId } from "../protocol/ids.ts";
import { array, asBytes, asText, asTextOrNull, readHash } from "../redis/replies.ts";
import { Script } from "../redis/script.ts";
import { blockOf } from "../streams/blocks.ts";
import type { Keys } from "../streams/keys.ts";
import { FOLDED } from "./folded.ts";
import { conversationEntries, readKind, type Refused, type RoomReader } from "./room-reader.ts";

/** Fields that one look at the reactions of a block goes through, at least. */
const REACTIONS_PER_LOOK = 500;

interface Picked {
  readonly kind: RoomKind | null;
  readonly entries: readonly Entry[];
}
const entriesScript = new Script<Picked>({
  file: new URL("./entries.lua", import.meta.url),
  library: FOLDED,
  keys: ["conversation", "room", "folded"],
  args: ["mode", "...seqs_and_ids"],
  decode(reply) {
    const [kind, entries] = array(reply);
    const decoded = conversationEntries(entries).map(({ payload }) => decodeEntry(payload));
    return { kind: readKind(asText(kind)), entries: decoded };
  },
});

interface Found {
  readonly kind: RoomKind | null;
  /** Null where there is none, or none that is kept. */
  readonly message: Message | null;
}

export interface Version {
  readonly seq: Seq;
  readonly at: number;
  readonly by: UserId;
  readonly text: string;
}
/** `next` asks for the rest; null when there is none. */
export interface Reactors {
  readonly reactions: readonly { reaction: string; count: number; users: readonly UserId[] }[];
  readonly next: string | null;
}
export interface Thread {
  /** All of its replies that are not deleted. */
  readonly replies: number;
  /** Those of its newest LIMITS.threadUnreadCounted replies that others wrote after the user's position. */
  readonly unread: number;
  readonly more: boolean;
  readonly entries: readonly Entry[];
}
/** The entry is null where the history does not reach back to it. */
export type PinnedEntry = Pin & { readonly entry: Entry | null };

export class MessageReader {
  readonly #reader: RoomReader;
  readonly #keys: Keys;

  constructor(reader: RoomReader, keys: Keys) {
    this.#reader = reader;
    this.#keys = keys;
  }

  /** Texts of a message that are kept, oldest first: for its author and those who may see them all. */
  async versions(user: UserId, room: RoomId, seq: Seq): Promise<readonly Version[] | Refused> {
    const message = await this.#message(user, room, seq);
    if ("refused" in message) return message;
    if (message.text === null) return { refused: "noSuchMessage" };
    const { versions, origin } = message;
    const named = versions.length > 0 ? versions : [origin];
    const isAuthor = origin.by === user;
    const entries = await this.#entries(user, room, "raw", named, { verb: "versions", isAuthor });
    return "refused" in entries ? entries : entries.flatMap(versionOf);
  }

  /** Who reacted, some hundreds at a time; somebody who reacts meanwhile may be named twice or not. */
  async reactions(user: UserId, room: RoomId, seq: Seq, after = "0"): Promise<Reactors | Refused> {
    const scan = [
      this.#blockKey(room, seq),
      after,
      "MATCH",
      foldedField.reactions(seq, "*" as UserId),
    ];
    const read = async (): Promise<Found & { reply: unknown }> => {
      const [reply, found] = await Promise.all([
        this.#reader.command(["HSCAN", ...scan, "COUNT", REACTIONS_PER_LOOK]),
        this.#find(room, seq),
      ]);
      return { ...found, reply };
    };
    const answer = await this.#reader.admitted(user, room, read);
    if ("refused" in answer) return answer;
    const { message, reply } = answer;
    if (message === null || message.text === null) return { refused: "noSuchMessage" };
    const [next, found] = array(reply);
    const users = new Map<string, UserId[]>();
    const prefix = foldedField.reactions(seq, "" as UserId).length;
    for (const [field, value] of readHash(found)) {
      for (const { reaction } of readReactions(value)) {
        const list = users.get(reaction) ?? [];
        users.set(reaction, list);
        list.push(field.slice(prefix) as UserId);
      }
    }
    const reactions = message.reactions.map(({ reaction, count }) => {
      return { reaction, count, users: users.get(reaction) ?? [] };
    });
    return { reactions, next: asText(next) === "0" ? null : asText(next) };
  }

  /** Up to `limit` replies above the seq `after`. */
  async thread(
    user: UserId,
    room: RoomId,
    seq: Seq,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<Thread | Refused> {
    const found = await this.#reader.admitted(user, room, () => this.#findFor(user, room, seq));
    if ("refused" in found) return found;
    const { message, mark } = found;
    if (message === null) return { refused: "noSuchMessage" };
    const later = message.replies.filter((reply) => reply.seq > after);
    const page = later.slice(0, limit);
    const shown = new Set(page.map((reply) => reply.seq));
    const open = mark === null ? [] : repliesAfter(message, readMark(mark));
    const named = [...page, ...open.filter((reply) => !shown.has(reply.seq))];
    const entries = await this.#entries(user, room, "folded", named, { verb: "read" });
    if ("refused" in entries) return entries;
    // One may have been deleted since the list was read.
    const there = entries.filter(({ event }) => !("text" in event) || event.text !== null);
    const openSeqs = new Set(open.map((reply) => reply.seq));
    return {
      replies: message.replies.length,
      unread: there.filter((entry) => openSeqs.has(entry.seq) && entry.by !== user).length,
      more: later.length > limit,
      entries: there.filter((entry) => shown.has(entry.seq)),
    };
  }

  /** In the order in which they were pinned. */
  async pins(user: UserId, room: RoomId): Promise<readonly PinnedEntry[] | Refused> {
    const found = await this.#reader.admitted(user, room, () => this.#pins(room));
    if ("refused" in found) return found;
    const { pins } = found;
    const entries = await this.#entries(user, room, "folded", pins, { verb: "read" });
    if ("refused" in entries) return entries;
    const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
    return pins.map((pin) => ({ ...pin, entry: bySeq.get(pin.seq) ?? null }));
  }

  async #pins(room: RoomId): Promise<{ kind: RoomKind | null; pins: readonly Pin[] }> {
    const key = this.#keys.room(this.#keys.partitionOf(room), room);
    const [kind, text] = array(await this.#reader.command(["HMGET", key, "kind", ROOM_FIELD.pins]));
    return { kind: readKind(kind), pins: readPins(asTextOrNull(text) ?? "") };
  }

  /** As it is now, a deleted one too. */
  async #message(user: UserId, room: RoomId, seq: Seq): Promise<Message | Refused> {
    const found = await this.#reader.admitted(user, room, () => this.#find(room, seq));
    return "refused" in found ? found : (found.message ?? { refused: "noSuchMessage" });
  }

  /** With the position of the user in the room; null for none. */
  async #findFor(
    user: UserId,
    room: RoomId,
    seq: Seq,
  ): Promise<Found & { readonly mark: string | null }> {
    const key = this.#keys.room(this.#keys.partitionOf(room), room);
    const [found, mark] = await Promise.all([
      this.#find(room, seq),
      this.#reader.command(["HGET", key, positionField.mark(user)]),
    ]);
    return { ...found, mark: asTextOrNull(mark) };
  }

  /** The same, whoever asks. */
  async #find(room: RoomId, seq: Seq): Promise<Found> {
    const { history, replies } = foldedField;
    const fields = [history(seq), replies(seq)];
    const [{ kind, entries }, stored] = await Promise.all([
      this.#reader.page(room, { after: seq - 1, limit: 1 }),
      this.#reader.command(["HMGET", this.#blockKey(room, seq), ...fields]),
    ]);
    const [entry] = entries;
    if (entry?.seq !== seq) return { kind, message: null };
    const [ofHistory = null, ofReplies = null] = array(stored).map((reply) =>
      reply === null ? null : asBytes(reply),
    );
    const record = { entry: entry.payload, history: ofHistory, replies: ofReplies };
    return { kind, message: readMessage(record) };
  }

  async #entries(
    user: UserId,
    room: RoomId,
    mode: "folded" | "raw",
    named: readonly (Reply | Origin | Pin)[],
    about: { readonly verb: Verb; readonly isAuthor?: boolean },
  ): Promise<readonly Entry[] | Refused> {
    const names = named.flatMap(({ seq, id }) => [String(seq), id]);
    const call = entriesScript.call(this.#reader.roomKeys(room), [mode, ...names]);
    const [{ kind, entries }, role] = await Promise.all([
      this.#reader.script(`entries ${mode} ${room} ${names.join(" ")}`, call),
      this.#reader.role(user, room),
    ]);
    const { verb, isAuthor = false } = about;
    const code = refusal({ kind, role, isAuthor }, verb);
    return code === null ? entries : { refused: code };
  }

  #blockKey(room: RoomId, seq: Seq): string {
    return this.#keys.folded(this.#keys.partitionOf(room), room, blockOf(seq));
  }
}

function versionOf({ seq, at, by, event }: Entry): Version[] {
  const isText = event.type === "message.sent" || event.type === "message.edited";
  return isText && event.text !== null ? [{ seq, at, by, text: event.text }] : [];
}
