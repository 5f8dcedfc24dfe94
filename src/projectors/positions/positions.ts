/** The position projection: how far members have read, and what that leaves unread. */
import {
  call,
  markUnread,
  memberCame,
  memberLeft,
  messageSent,
  readThrough,
  uncall,
  type Call,
  type Called,
} from "../../domain/positions.ts";
import {
  positionField,
  writeCalls,
  writeDeleted,
  writeLast,
  writeMark,
  writeReaders,
} from "../../domain/positions-record.ts";
import type { Room } from "../../domain/room.ts";
import { shownOf, type Mark } from "../../domain/marks.ts";
import { parseCursor } from "../../protocol/cursor.ts";
import type { ChatEvent } from "../../protocol/frames.ts";
import type { RoomId, Seq, UserId } from "../../protocol/ids.ts";
import { isLargeRoom, LIMITS } from "../../protocol/limits.ts";
import type { MovedMark } from "../../streams/bell.ts";
import type { FactOf } from "../../streams/command-log.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import type { Operations } from "../runtime/operations.ts";

/** Deleted messages of a room that are remembered, the newest ones. */
export const DELETED_KEPT = 2_000;

/** A message that was edited or deleted, as it was before. */
export interface Former extends Called {
  readonly seq: Seq;
  readonly by: UserId;
}

interface Changes {
  readonly marks: Set<UserId>;
  readonly calls: Set<string>;
  readonly left: Set<UserId>;
  readonly deleted: Call[];
}

export class PositionProjection {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  readonly #kept: number;
  readonly #changed = new Map<Room, Changes>();
  /** By room and user: of several moves the last one counts. */
  readonly #moved = new Map<string, MovedMark>();
  /** Rooms in which receipts were switched on or off. */
  readonly #switched = new Set<RoomId>();

  /** `kept`: entries of a room's history. */
  constructor(keys: Keys, partition: PartitionId, kept: number) {
    this.#keys = keys;
    this.#partition = partition;
    this.#kept = kept;
  }

  get moved(): readonly MovedMark[] {
    return [...this.#moved.values()];
  }

  get switched(): readonly RoomId[] {
    return [...this.#switched];
  }

  /** Takes in an event that `room` has taken in just now; `former` is the message that it changed. */
  happened(room: Room, event: ChatEvent, by: UserId, former: Former | null): void {
    switch (event.type) {
      case "message.sent":
        messageSent(room.positions, { seq: room.head, id: room.headId, by }, event);
        this.#of(room).marks.add(by);
        this.#called(room, event);
        return;
      case "room.created":
        for (const user of event.members) this.#came(room, user);
        return;
      case "member.joined":
        this.#came(room, event.user);
        return;
      case "member.left":
        memberLeft(room.positions, event.user);
        this.#of(room).marks.delete(event.user);
        this.#of(room).calls.delete(event.user);
        this.#of(room).left.add(event.user);
        return;
      case "message.edited":
        if (former) this.#edited(room, former, event);
        return;
      case "message.deleted":
        if (former) this.#deleted(room, former);
        return;
      case "member.invited":
        // May make the room a large one.
        this.#of(room);
        return;
      case "room.receiptsSet":
        this.#switched.add(room.id);
        return;
      case "room.renamed":
      case "message.pinned":
      case "message.unpinned":
      case "reaction.added":
      case "reaction.removed":
      case "message.folded":
        return;
    }
  }

  #came(room: Room, user: UserId): void {
    memberCame(room.positions, user, room.head);
    this.#of(room).marks.add(user);
  }

  #called(room: Room, { mentions, everyone }: Called): void {
    const { calls } = this.#of(room);
    for (const user of everyone ? [""] : (mentions ?? [])) calls.add(user);
  }

  #edited(room: Room, former: Former, now: Called): void {
    const changed = [
      ...uncall(room.positions, former.seq, former),
      ...call(room.positions, former, now),
    ];
    for (const user of changed) this.#of(room).calls.add(user);
  }

  #deleted(room: Room, former: Former): void {
    for (const user of uncall(room.positions, former.seq, former)) this.#of(room).calls.add(user);
    this.#of(room).deleted.push({ seq: former.seq, by: former.by });
  }

  /** Takes in how far members have read; what says nothing new, or nothing true, has no effect. */
  reading(room: Room, { marks }: FactOf<"reading">): void {
    for (const { user, through, private: isPrivate = false } of marks) {
      const cursor = parseCursor(through);
      if (cursor?.epoch !== room.epoch) continue;
      const before = room.positions.marks.get(user);
      const read = { through: cursor.seq, private: isPrivate };
      const mark = readThrough(room.positions, user, read, this.#bounds(room));
      if (mark) this.#move(room, user, before, mark);
    }
  }

  /** The entry `from` and what follows are unread again for a member. */
  markUnread(room: Room, user: UserId, from: Seq): boolean {
    const since = room.members.get(user)?.since ?? (0 as Seq);
    const before = room.positions.marks.get(user);
    const mark = markUnread(room.positions, user, { from, since }, this.#bounds(room));
    if (mark) this.#move(room, user, before, mark);
    return mark !== null;
  }

  #bounds({ head }: Room): { head: Seq; kept: number } {
    return { head, kept: this.#kept };
  }

  #move(room: Room, user: UserId, before: Mark | undefined, mark: Mark): void {
    this.#of(room).marks.add(user);
    const key = `${room.id} ${user}`;
    const shown = shownOf(mark);
    const isSeen = room.receiptsOn && (before === undefined || shownOf(before) !== shown);
    const now = isLargeRoom(room.members.size) ? "count" : shown;
    // What others saw move earlier in the batch is to be told with a private move too.
    const told = isSeen ? now : (this.#moved.get(key)?.told ?? null);
    const atHead = mark.through === room.head;
    this.#moved.set(key, { room: room.id, user, through: mark.through, atHead, told });
  }

  #of(room: Room): Changes {
    let changes = this.#changed.get(room);
    if (!changes) {
      changes = { marks: new Set(), calls: new Set(), left: new Set(), deleted: [] };
      this.#changed.set(room, changes);
    }
    return changes;
  }

  /** Writes what the batch came to. */
  finish(operations: Operations): void {
    for (const [room, { marks, calls, left, deleted }] of this.#changed) {
      const { positions } = room;
      const key = this.#keys.room(this.#partition, room.id);
      const fields = [positionField.messages, String(positions.messages)];
      if (positions.last) fields.push(positionField.last, writeLast(positions.last));
      for (const user of marks) {
        const mark = positions.marks.get(user);
        if (mark) fields.push(positionField.mark(user), writeMark(mark));
      }
      for (const user of calls) {
        fields.push(positionField.calls(user), writeCalls(positions.calls.get(user) ?? []));
      }
      // Before the fields are set: who has left may have come back in the same batch.
      for (const user of left) {
        operations.removeField(key, positionField.mark(user));
        operations.removeField(key, positionField.calls(user));
      }
      if (isLargeRoom(room.members.size)) {
        const readers = positions.marks.readers(LIMITS.readersSteps);
        fields.push(positionField.readers, writeReaders(readers));
      } else if (isLargeRoom(room.members.size + left.size)) {
        // It was large until now, or may have been.
        operations.removeField(key, positionField.readers);
      }
      operations.setFields(key, fields);
      this.#writeDeleted(operations, room, deleted);
    }
  }

  #writeDeleted(operations: Operations, room: Room, deleted: readonly Call[]): void {
    if (deleted.length === 0) return;
    const key = this.#keys.deleted(this.#partition, room.id);
    for (const one of deleted) operations.rank(key, one.seq, writeDeleted(one));
    operations.keepRanks(key, DELETED_KEPT);
  }
}
