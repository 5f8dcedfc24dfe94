/**
 * Messages that commands name, as the owner of a partition holds them in memory:
 * read from Redis when first needed, changed by the fold. A message that is sent and
 * changed in one batch is not in Redis in between; so a message that was asked for
 * and not found is awaited, and taken over when it is sent.
 *
 *            missing         found
 *   unknown ─────────▶ asked ─────▶ known ◀──┐
 *      ▲                 │ not found         │ sent
 *      │   shrink        ▼                   │
 *      └───────────── awaited ───────────────┘
 */
import { readMessage, readReactions, foldedField } from "../../domain/message-record.ts";
import { NO_SUBJECT, type Subject } from "../../domain/decide-message.ts";
import type { Message, Origin, OwnReaction } from "../../domain/message.ts";
import type { Room } from "../../domain/room.ts";
import { parseCursor, type Cursor, type CursorParts } from "../../protocol/cursor.ts";
import type { RoomId, Seq, UserId } from "../../protocol/ids.ts";
import type { RedisArg } from "../../redis/connect.ts";
import { array, asBytes, asTextOrNull, readEntries } from "../../redis/replies.ts";
import { blockOf, isKept } from "../../streams/blocks.ts";
import type { Command, LoggedCommand } from "../../streams/command-log.ts";
import { readConversationEntry } from "../../streams/conversation.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";

/** Of one partition in memory; past it those not used for longest are forgotten. */
export const MESSAGE_BOUNDS = { messages: 2_000, reactors: 10_000 } as const;

/** One request for Redis and what is done with its answer. */
interface Question {
  readonly request: readonly RedisArg[];
  readonly take: (reply: unknown) => void;
}

export class MessageState {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  /** By room and seq. */
  readonly #messages = new Map<string, Message>();
  /** By room, seq and user. */
  readonly #reactions = new Map<string, readonly OwnReaction[]>();
  /** Messages that Redis does not have: to come in a batch, or never. */
  readonly #awaited = new Set<string>();
  /** First messages of threads whose replies have been read just now. */
  readonly #firsts = new Map<string, { readonly room: RoomId; readonly seq: Seq }>();

  constructor(keys: Keys, partition: PartitionId) {
    this.#keys = keys;
    this.#partition = partition;
  }

  /** There is more to be read before the commands can be decided. */
  get incomplete(): boolean {
    return this.#firsts.size > 0;
  }

  /** The requests of these commands that memory cannot answer; `fill` takes as many replies. */
  missing(commands: readonly LoggedCommand[]): {
    readonly requests: readonly (readonly RedisArg[])[];
    readonly fill: (replies: readonly unknown[]) => void;
  } {
    const questions = new Map<string, Question[]>();
    for (const { command, user } of commands) {
      const cursor = namedBy(command);
      if (cursor === null) continue;
      this.#askForMessage(questions, command.room, cursor);
      if (command.type === "react" || command.type === "unreact") {
        this.#askForReactions(questions, command.room, cursor.seq, user);
      }
    }
    for (const [key, { room, seq }] of this.#firsts) this.#askForFirst(questions, key, room, seq);
    this.#firsts.clear();
    const asked = questions.size === 0 ? [] : [...questions.values()].flat();
    return {
      requests: asked.map(({ request }) => request),
      fill: (replies) => asked.forEach(({ take }, i) => take(replies[i])),
    };
  }

  #askForMessage(questions: Map<string, Question[]>, room: RoomId, cursor: CursorParts): void {
    const { seq, id } = cursor;
    const known = this.#messages.get(messageKey(room, seq));
    if (known) this.#follow(room, known);
    // By the id too: a forged cursor is not to stand in the way of a true one.
    const key = awaitedKey(room, seq, id);
    if (known || this.#awaited.has(key) || questions.has(key)) return;
    let first: Uint8Array | null = null;
    const conversation = this.#keys.conversation(this.#partition, room);
    questions.set(key, [
      {
        request: ["XRANGE", conversation, id, id],
        take: (reply) => (first = payloadAt(reply, seq)),
      },
      {
        request: this.#foldedRequest(room, seq),
        take: (reply) => this.#read(key, room, reply, first),
      },
    ]);
  }

  /** It has a reply, so it has a folded form and its id need not be known. */
  #askForFirst(questions: Map<string, Question[]>, key: string, room: RoomId, seq: Seq): void {
    if (this.#messages.has(messageKey(room, seq)) || questions.has(key)) return;
    const request = this.#foldedRequest(room, seq);
    questions.set(key, [{ request, take: (reply) => this.#read(key, room, reply, null) }]);
  }

  #foldedRequest(room: RoomId, seq: Seq): readonly RedisArg[] {
    const { history, shown, replies } = foldedField;
    const key = this.#keys.folded(this.#partition, room, blockOf(seq));
    return ["HMGET", key, history(seq), shown(seq), replies(seq)];
  }

  #read(key: string, room: RoomId, reply: unknown, first: Uint8Array | null): void {
    const [history, shown, replies] = array(reply).map(bytesOrNull);
    const entry = shown ?? first;
    const stored = { history: history ?? null, replies: replies ?? null };
    const message = entry === null ? null : readMessage({ entry, ...stored });
    if (message === null) {
      this.#awaited.add(key);
      return;
    }
    this.#messages.set(messageKey(room, message.origin.seq), message);
    this.#follow(room, message);
  }

  #follow(room: RoomId, { replyTo }: Message): void {
    if (replyTo === null) return;
    const key = awaitedKey(room, replyTo);
    if (!this.#messages.has(messageKey(room, replyTo)) && !this.#awaited.has(key)) {
      this.#firsts.set(key, { room, seq: replyTo });
    }
  }

  #askForReactions(questions: Map<string, Question[]>, room: RoomId, seq: Seq, user: UserId): void {
    const key = reactionsKey(room, seq, user);
    if (this.#reactions.has(key) || questions.has(key)) return;
    const folded = this.#keys.folded(this.#partition, room, blockOf(seq));
    const request = ["HGET", folded, foldedField.reactions(seq, user)];
    const take = (reply: unknown): void => {
      this.#reactions.set(key, readReactions(asTextOrNull(reply)));
    };
    questions.set(key, [{ request, take }]);
  }

  /** What a command is about, as it stands at this place in the order. */
  subject(room: Room, command: Command, by: UserId, kept: number): Subject {
    const cursor = namedBy(command);
    if (cursor === null || cursor.epoch !== room.epoch) return NO_SUBJECT;
    const message = this.find(room, cursor.seq, kept, cursor.id);
    if (message?.origin.id !== cursor.id) return NO_SUBJECT;
    const own = command.type === "react" || command.type === "unreact";
    return { message, reactions: own ? this.reactions(room.id, cursor.seq, by) : [] };
  }

  /**
   * Null for what is no message, or none of the newest `kept` entries. `id` as it was asked for,
   * where it was asked for by a cursor.
   */
  find(room: Room, seq: Seq, kept: number, id?: string): Message | null {
    if (!isKept(seq, room.head, kept)) return null;
    const key = messageKey(room.id, seq);
    const message = this.#messages.get(key);
    if (!message) {
      if (this.#awaited.has(awaitedKey(room.id, seq, id))) return null;
      throw new Error(`message ${seq} of ${room.id} was used before it was loaded`);
    }
    this.#messages.delete(key);
    this.#messages.set(key, message);
    return message;
  }

  reactions(room: RoomId, seq: Seq, user: UserId): readonly OwnReaction[] {
    const own = this.#reactions.get(reactionsKey(room, seq, user));
    if (!own) throw new Error(`reactions to ${seq} of ${room} were used before they were loaded`);
    return own;
  }
  setReactions(room: RoomId, seq: Seq, user: UserId, own: readonly OwnReaction[]): void {
    const key = reactionsKey(room, seq, user);
    this.#reactions.delete(key);
    this.#reactions.set(key, own);
  }

  /** Whether a message that is sent now is named by a later command. */
  awaits(room: RoomId, { seq, id }: Origin): boolean {
    return this.#awaited.size > 0 && this.#awaited.has(awaitedKey(room, seq, id));
  }
  sent(room: RoomId, message: Message): void {
    this.#messages.set(messageKey(room, message.origin.seq), message);
  }

  /** Call between batches only: what a batch under way has changed must stay. */
  shrink(): void {
    this.#awaited.clear();
    dropOldest(this.#messages, MESSAGE_BOUNDS.messages);
    dropOldest(this.#reactions, MESSAGE_BOUNDS.reactors);
  }
}

/** The message that a command names; null for one that names none. */
function namedBy(command: Command): CursorParts | null {
  switch (command.type) {
    case "send":
      return readCursor(command.replyTo);
    case "edit":
    case "delete":
    case "react":
    case "unreact":
    case "pin":
    case "unpin":
      return readCursor(command.message);
    // Counted by seq; what it names is not looked at.
    case "markUnread":
    case "create":
    case "join":
    case "leave":
    case "invite":
    case "rename":
    case "setReceipts":
      return null;
  }
}

function readCursor(cursor: Cursor | undefined): CursorParts | null {
  return cursor === undefined ? null : parseCursor(cursor);
}

const messageKey = (room: RoomId, seq: Seq): string => `${room} ${seq}`;
/** First messages of threads are asked for without an id. */
const awaitedKey = (room: RoomId, seq: Seq, id = ""): string => `${room} ${seq} @${id}`;
const reactionsKey = (room: RoomId, seq: Seq, user: UserId): string => `${room} ${seq} :${user}`;

/** Null where the entry is gone, or another one than the cursor says. */
function payloadAt(reply: unknown, seq: Seq): Uint8Array | null {
  const [found] = readEntries(reply);
  if (!found) return null;
  const entry = readConversationEntry(found.id, found.fields);
  return entry.seq === seq ? entry.payload : null;
}

function bytesOrNull(reply: unknown): Uint8Array | null {
  return reply === null ? null : asBytes(reply);
}

function dropOldest<K>(cache: Map<K, unknown>, most: number): void {
  for (const key of cache.keys()) {
    if (cache.size <= most) return;
    cache.delete(key);
  }
}
