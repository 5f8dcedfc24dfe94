/**
 * The rooms that somebody on this edge follows, each with the position up to
 * which its followers have everything. Whatever brings entries (a bell, a read,
 * a resume) offers them here; they are published only where they continue the
 * chain of previous ids, so no source can cause a gap, a copy or a wrong order.
 */
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { comparePositions, type Position } from "../redis/position.ts";
import type { ConversationEntry, Payload } from "../streams/conversation.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";

export interface RoomTail {
  readonly room: RoomId;
  readonly partition: PartitionId;
  readonly conversationKey: string;
  readonly epoch: Epoch;
  /** Newest entry that was handed to the followers. */
  position: Position;
  seq: Seq;
  /** Followers by encoding; the tail ends with the last one. */
  readonly followers: { binary: number; json: number };
  /** Beat round in which it moved last. */
  movedIn: number;
}
export interface Mark {
  readonly position: Position;
  readonly seq: Seq;
}

/** Sends what has gathered in a turn to a room's followers. */
export interface Fanout {
  publish(tail: RoomTail, payloads: readonly Payload[]): void;
  /** After the entry that says so was published. */
  left(room: RoomId, user: UserId): void;
}

/**
 * Newest entries that one room keeps for sessions on their way in, at least; at
 * most twice as many. Who was away for longer asks for another page.
 */
const JOIN_BUFFER_ENTRIES = 1_024;

/** What was offered since the last flush. */
interface Gathered {
  /** Where the tail stood before. */
  readonly from: Mark;
  readonly payloads: Payload[];
  readonly leavers: UserId[];
}

interface Joining {
  sessions: number;
  /** What the tail went over since the first of them, in order. */
  readonly entries: ConversationEntry[];
}

export class RoomTails {
  readonly #keys: Keys;
  readonly #fanout: Fanout;
  readonly #tails = new Map<RoomId, RoomTail>();
  /** Tails that need a read of their conversation, because something is missing. */
  readonly #dirty = new Set<RoomTail>();
  readonly #gathered = new Map<RoomTail, Gathered>();
  readonly #joining = new Map<RoomId, Joining>();
  /** Rises with every round of beats. */
  round = 0;
  /** Called when somebody waits for a room to be read: the reader may have to be woken. */
  onWanted: () => void = () => {};

  constructor(keys: Keys, fanout: Fanout) {
    this.#keys = keys;
    this.#fanout = fanout;
  }

  get size(): number {
    return this.#tails.size;
  }
  get(room: RoomId): RoomTail | undefined {
    return this.#tails.get(room);
  }
  all(): IterableIterator<RoomTail> {
    return this.#tails.values();
  }

  /**
   * To be read once in any case: what came since `mark` may have been heard of,
   * and passed over, while nobody followed the room.
   */
  open(room: RoomId, epoch: Epoch, mark: Mark): RoomTail {
    const partition = this.#keys.partitionOf(room);
    const conversationKey = this.#keys.conversation(partition, room);
    const followers = { binary: 0, json: 0 };
    const tail: RoomTail = {
      room,
      partition,
      conversationKey,
      epoch,
      ...mark,
      followers,
      movedIn: this.round,
    };
    this.#tails.set(room, tail);
    this.#want(tail);
    return tail;
  }

  close(tail: RoomTail): void {
    this.#tails.delete(tail.room);
    this.#dirty.delete(tail);
    this.#gathered.delete(tail);
  }

  /** One entry, from whatever source, in any order and any number of times. */
  offer(room: RoomId, entry: ConversationEntry): void {
    const tail = this.#tails.get(room);
    if (!tail) return;
    if (entry.prev !== tail.position) {
      if (comparePositions(entry.id, tail.position) > 0) this.#dirty.add(tail);
      return;
    }
    let gathered = this.#gathered.get(tail);
    if (!gathered) {
      const from = { position: tail.position, seq: tail.seq };
      gathered = { from, payloads: [], leavers: [] };
      this.#gathered.set(tail, gathered);
    }
    this.#remember(room, entry);
    tail.position = entry.id;
    tail.seq = entry.seq;
    tail.movedIn = this.round;
    gathered.payloads.push(entry.payload);
    if (entry.leaver === null) return;
    gathered.leavers.push(entry.leaver);
    // Nothing that follows may reach whoever has left with this entry.
    this.flush();
  }

  /** Up to where the followers were sent everything: behind the tail while entries are gathered. */
  publishedTo(tail: RoomTail): Mark {
    return this.#gathered.get(tail)?.from ?? tail;
  }

  /** Publishes what was offered since the last flush: one message a room. */
  flush(): void {
    for (const [tail, { payloads, leavers }] of this.#gathered) {
      this.#gathered.delete(tail);
      this.#fanout.publish(tail, payloads);
      for (const user of leavers) this.#fanout.left(tail.room, user);
    }
  }

  /** Does nothing for a tail that was closed meanwhile. */
  markDirty(tail: RoomTail): void {
    if (this.#tails.get(tail.room) === tail) this.#dirty.add(tail);
  }

  #want(tail: RoomTail): void {
    this.#dirty.add(tail);
    this.onWanted();
  }

  /** Rooms to read, `most` at a time; they count as clean from here on. */
  takeDirty(most: number): RoomTail[] {
    const taken: RoomTail[] = [];
    for (const tail of this.#dirty) {
      if (taken.length >= most) break;
      this.#dirty.delete(tail);
      taken.push(tail);
    }
    return taken;
  }

  get hasDirty(): boolean {
    return this.#dirty.size > 0;
  }

  #remember(room: RoomId, entry: ConversationEntry): void {
    const entries = this.#joining.get(room)?.entries;
    if (!entries) return;
    entries.push(entry);
    // Never emptied as a whole: in a storm of joins there is always somebody on the way.
    if (entries.length >= 2 * JOIN_BUFFER_ENTRIES) entries.splice(0, JOIN_BUFFER_ENTRIES);
  }

  /**
   * From here until `endJoin`, entries of the room are kept for a session that
   * reads its history meanwhile: the read may be older than the tail by then.
   */
  beginJoin(room: RoomId): void {
    const joining = this.#joining.get(room);
    if (joining) joining.sessions++;
    else this.#joining.set(room, { sessions: 1, entries: [] });
  }

  endJoin(room: RoomId): void {
    const joining = this.#joining.get(room);
    if (joining && --joining.sessions === 0) this.#joining.delete(room);
  }

  /**
   * Brings a session that has everything up to `mark` to the tail's position:
   * the entries between, oldest first, or null where they are not at hand. Opens
   * the tail if there is none, and moves one that is behind the mark. One that
   * stays behind is read soon: who was served by a faster edge before is ahead.
   */
  bridge(
    room: RoomId,
    epoch: Epoch,
    mark: Mark,
    read: readonly ConversationEntry[],
  ): readonly ConversationEntry[] | null {
    const behind = this.#tails.get(room);
    if (behind && comparePositions(behind.position, mark.position) < 0) {
      for (const entry of read) this.offer(room, entry);
      this.flush();
    }
    // The last follower may have left with one of these entries, and the tail with them.
    const tail = this.#tails.get(room) ?? this.open(room, epoch, mark);
    if (tail.position === mark.position) return [];
    if (comparePositions(tail.position, mark.position) < 0) {
      this.#want(tail);
      return null;
    }
    return this.#between(room, mark.position, tail.position);
  }

  #between(room: RoomId, from: Position, to: Position): readonly ConversationEntry[] | null {
    const between: ConversationEntry[] = [];
    let at = from;
    for (const entry of this.#joining.get(room)?.entries ?? []) {
      if (entry.prev !== at) continue;
      between.push(entry);
      at = entry.id;
      if (at === to) return between;
    }
    return null;
  }
}
