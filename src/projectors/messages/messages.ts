/**
 * The message projection: changes of messages, folded in the order of the log. Each
 * message that a batch changed is written once, in the form in which pages show it.
 */
import {
  emptiedEdit,
  evolveMessage,
  evolveReactions,
  replied,
  replyDeleted,
  sentMessage,
  type Message,
  type MessageChange,
  type Origin,
} from "../../domain/message.ts";
import {
  encodeAs,
  encodeFolded,
  foldedField,
  packHistory,
  packReplies,
  writeReactions,
} from "../../domain/message-record.ts";
import { ROOM_FIELD, writePins } from "../../domain/room-record.ts";
import { evolvePins, findPin, type Room } from "../../domain/room.ts";
import type { ChatEvent } from "../../protocol/frames.ts";
import type { Epoch, Seq, UserId } from "../../protocol/ids.ts";
import { blockOf, entriesKept, oldestBlock } from "../../streams/blocks.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import type { Operations } from "../runtime/operations.ts";
import type { Former } from "../positions/positions.ts";
import type { MessageState } from "./message-state.ts";

/** What a batch changed in one room. */
interface Changes {
  /** Messages to be written; true where the list of replies changed too. */
  readonly messages: Map<Message, boolean>;
  /** Edits that lost their text, with the message that they edited. */
  readonly emptied: Map<Origin, Seq>;
  /** Seq of the message and user of changed reactions, by both. */
  readonly reactions: Map<string, { readonly seq: Seq; readonly user: UserId }>;
  pins: boolean;
}

export class MessageProjection {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  readonly #state: MessageState;
  readonly #kept: number;
  readonly #changed = new Map<Room, Changes>();

  /** `kept`: entries of a room's history. */
  constructor(keys: Keys, partition: PartitionId, state: MessageState, kept: number) {
    this.#keys = keys;
    this.#partition = partition;
    this.#state = state;
    this.#kept = kept;
  }

  /** The message that an event is about to change, as it stands; null where it is known no more. */
  former(room: Room, event: ChatEvent): Former | null {
    if (event.type !== "message.edited" && event.type !== "message.deleted") return null;
    const message = this.#state.find(room, event.target, this.#kept + 1);
    if (message === null) return null;
    const { origin, mentions, everyone } = message;
    return { seq: origin.seq, by: origin.by, mentions, everyone };
  }

  /** Takes in an event that `room` has taken in just now, as the entry `cause`. */
  happened(room: Room, event: ChatEvent, cause: Origin): void {
    switch (event.type) {
      case "message.sent":
        if (event.replyTo !== undefined) this.#replied(room, event.replyTo, cause);
        if (this.#state.awaits(room.id, cause)) {
          this.#state.sent(room.id, sentMessage(cause, event));
        }
        return;
      case "message.edited":
      case "message.deleted":
      case "message.pinned":
      case "message.unpinned":
      case "reaction.added":
      case "reaction.removed":
        this.#change(room, event, cause);
        return;
      case "message.folded":
      case "room.created":
      case "room.renamed":
      case "room.receiptsSet":
      case "member.joined":
      case "member.left":
      case "member.invited":
        return;
    }
  }

  /** The first message of a thread, for as long as pages show it. */
  #first(room: Room, seq: Seq): Message | null {
    return this.#state.find(room, seq, entriesKept(room.head, this.#kept));
  }

  #replied(room: Room, first: Seq, cause: Origin): void {
    const message = this.#first(room, first);
    if (message === null) return;
    replied(message, cause);
    this.#changesOf(room).messages.set(message, true);
  }

  #change(room: Room, event: MessageChange, cause: Origin): void {
    const changes = this.#changesOf(room);
    // One that has just fallen out of the history too, for the sake of its edits.
    const newest = Math.max(this.#kept + 1, entriesKept(room.head, this.#kept));
    const pin = event.type === "message.unpinned" ? findPin(room, event.target) : undefined;
    const message = this.#state.find(room, event.target, newest, pin?.id);
    if (event.type === "message.pinned" || isUnpinning(room, event)) {
      evolvePins(room, event, message?.origin.id ?? cause.id);
      changes.pins = true;
    }
    if (message === null) return;
    if (event.type === "reaction.added" || event.type === "reaction.removed") {
      const { by: user } = cause;
      const own = this.#state.reactions(room.id, event.target, user);
      this.#state.setReactions(room.id, event.target, user, evolveReactions(own, event, cause));
      changes.reactions.set(`${event.target} ${user}`, { seq: event.target, user });
    }
    const emptied = evolveMessage(message, event, cause);
    if (emptied) changes.emptied.set(emptied, event.target);
    if (!changes.messages.has(message)) changes.messages.set(message, false);
    if (event.type === "message.deleted" && message.replyTo !== null) {
      this.#replyDeleted(room, message.replyTo, event.target, cause);
    }
  }

  #replyDeleted(room: Room, first: Seq, reply: Seq, cause: Origin): void {
    const message = this.#first(room, first);
    if (message === null) return;
    replyDeleted(message, reply, cause);
    this.#changesOf(room).messages.set(message, true);
  }

  #changesOf(room: Room): Changes {
    let changes = this.#changed.get(room);
    if (!changes) {
      changes = { messages: new Map(), emptied: new Map(), reactions: new Map(), pins: false };
      this.#changed.set(room, changes);
    }
    return changes;
  }

  /** Writes what the batch came to in the rooms that it moved. */
  finish(operations: Operations, moved: Iterable<Room>): void {
    for (const [room, changes] of this.#changed) this.#write(operations, room, changes);
    for (const room of moved) this.#dropBlocks(operations, room);
  }

  #write(operations: Operations, room: Room, changes: Changes): void {
    const key = this.#keys.room(this.#partition, room.id);
    if (changes.pins) operations.setFields(key, [ROOM_FIELD.pins, writePins(room.pins)]);
    const oldest = oldestBlock(room.head, this.#kept);
    let from = room.foldedFrom ?? Number.POSITIVE_INFINITY;
    const fields = new Map<number, (string | Uint8Array)[]>();
    const put = (seq: Seq, field: string, value: string | Uint8Array): void => {
      const block = blockOf(seq);
      from = Math.min(from, Math.max(block, oldest));
      // Fell out of the history in this very batch.
      if (block < oldest) return;
      const list = fields.get(block);
      if (list) list.push(field, value);
      else fields.set(block, [field, value]);
    };
    this.#putMessages(room.epoch, changes, put);
    for (const { seq, user } of changes.reactions.values()) {
      const own = this.#state.reactions(room.id, seq, user);
      const field = foldedField.reactions(seq, user);
      const block = this.#keys.folded(this.#partition, room.id, blockOf(seq));
      if (own.length > 0) put(seq, field, writeReactions(own));
      else if (blockOf(seq) >= oldest) operations.removeField(block, field);
    }
    for (const [block, list] of fields) {
      operations.setFields(this.#keys.folded(this.#partition, room.id, block), list);
    }
    if (from !== room.foldedFrom && Number.isFinite(from)) this.#foldedFrom(operations, room, from);
  }

  #foldedFrom(operations: Operations, room: Room, block: number): void {
    room.foldedFrom = block;
    const key = this.#keys.room(this.#partition, room.id);
    operations.setFields(key, [ROOM_FIELD.foldedFrom, String(block)]);
  }

  #putMessages(
    epoch: Epoch,
    { messages, emptied }: Changes,
    put: (seq: Seq, field: string, value: string | Uint8Array) => void,
  ): void {
    for (const [message, hasNewReplies] of messages) {
      const { seq } = message.origin;
      put(seq, foldedField.shown(seq), encodeFolded(message, epoch));
      const history = packHistory(message);
      if (history !== null) put(seq, foldedField.history(seq), history);
      if (hasNewReplies) put(seq, foldedField.replies(seq), packReplies(message.replies));
    }
    for (const [edit, target] of emptied) {
      put(edit.seq, foldedField.shown(edit.seq), encodeAs(edit, epoch, emptiedEdit(target)));
    }
  }

  /** Blocks go with their last entry, or deleted texts would come back with none to cover them. */
  #dropBlocks(operations: Operations, room: Room): void {
    const oldest = oldestBlock(room.head, this.#kept);
    if (room.foldedFrom === null || room.foldedFrom >= oldest) return;
    for (let block = room.foldedFrom; block < oldest; block++) {
      operations.remove(this.#keys.folded(this.#partition, room.id, block));
    }
    this.#foldedFrom(operations, room, oldest);
  }
}

type Unpinning = MessageChange & { type: "message.unpinned" | "message.deleted" };

function isUnpinning(room: Room, event: MessageChange): event is Unpinning {
  const unpins = event.type === "message.unpinned" || event.type === "message.deleted";
  return unpins && room.pins.some(({ seq }) => seq === event.target);
}
