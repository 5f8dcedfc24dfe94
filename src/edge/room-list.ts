/**
 * A user's list of rooms, with what is unread in each. The list itself is kept by
 * an outbox and says where to look; what is told of a room is read from the room,
 * through the gate, in one script a partition.
 */
import { refusal } from "../domain/gate.ts";
import { shownOf, type ReadersStep } from "../domain/marks.ts";
import {
  positionField,
  readDeleted,
  readPositions,
  readReaders,
  readStanding,
  standingFields,
} from "../domain/positions-record.ts";
import { unread, unreadCalls } from "../domain/positions.ts";
import { readMember, readReceiptsOn, ROOM_FIELD } from "../domain/room-record.ts";
import type { Role } from "../domain/room.ts";
import { decodeEntry } from "../protocol/codec.ts";
import type { Entry, RoomKind } from "../protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { isLargeRoom, LIMITS } from "../protocol/limits.ts";
import { pipeline, type Redis } from "../redis/connect.ts";
import { array, asBytes, asInteger, asText, asTextOrNull, readHash } from "../redis/replies.ts";
import { runScripts, Script } from "../redis/script.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";
import { FOLDED } from "./folded.ts";

/** Rooms of one script call: some 2 ms of Redis. */
const ROOMS_PER_CALL = 200;

export interface Unread {
  /** Up to here the user has read. */
  readonly through: Seq;
  /** Messages after it by others, at most LIMITS.unreadCounted. */
  readonly unread: number;
  /** Those among them that call the user, at most LIMITS.mentionsCounted. */
  readonly mentions: number;
  /** The newest entry of the room that this takes into account. */
  readonly head: Seq;
}
export interface ListedRoom extends Unread {
  readonly room: RoomId;
  readonly role: Role;
  readonly kind: RoomKind;
  readonly name: string;
  readonly epoch: Epoch;
  /** The newest message, as pages show it; none where there is none, or it is no longer kept. */
  readonly last: Entry | null;
}

/** How far each has read; of a large room, how many have. */
export type RoomReadings =
  | { readonly marks: readonly { readonly user: UserId; readonly through: Seq }[] }
  | { readonly steps: readonly ReadersStep[] };

type Standing = readonly unknown[];

const standingsScript = new Script<readonly Standing[]>({
  file: new URL("./standings.lua", import.meta.url),
  library: FOLDED,
  keys: ["...rooms"],
  args: ["user", "messages", "mark", "own", "all", "last"],
  decode: (reply) => array(reply).map(array),
});

export class RoomList {
  readonly #redis: Redis;
  readonly #keys: Keys;

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /**
   * The rooms that the user is in or invited to, the one with the newest message first. A change
   * of membership shows shortly after it is in effect; what is told of a room holds now.
   */
  async of(user: UserId): Promise<ListedRoom[]> {
    const [list] = await pipeline(this.#redis, [["HGETALL", this.#keys.list(user)]]);
    const rooms = await this.#standings(user, [...readHash(list).keys()] as RoomId[]);
    return rooms.sort((a, b) => activity(b) - activity(a) || (a.room < b.room ? -1 : 1));
  }

  /** What is unread for the user in one room; null for someone who may not read there. */
  async unread(user: UserId, room: RoomId): Promise<Unread | null> {
    const [found] = await this.#standings(user, [room]);
    return found && refusal(found, "read") === null ? found : null;
  }

  /**
   * How far the members of a room have read, as far as others may see: nothing where receipts are
   * off. The positions of a large room are not even read.
   */
  async readings(room: RoomId): Promise<RoomReadings> {
    const partition = this.#keys.partitionOf(room);
    const key = this.#keys.room(partition, room);
    const [members, readers] = await pipeline(this.#redis, [
      ["HLEN", this.#keys.members(partition, room)],
      ["HMGET", key, positionField.readers, ROOM_FIELD.receipts],
    ]);
    if (isLargeRoom(asInteger(members))) {
      const [steps, receipts] = array(readers).map(asTextOrNull);
      return { steps: readReceiptsOn(receipts ?? null) ? readReaders(steps ?? "") : [] };
    }
    const [reply] = await pipeline(this.#redis, [["HGETALL", key]]);
    const fields = readHash(reply);
    // Of the same read as the positions, or they could be older than the switch.
    if (!readReceiptsOn(fields.get(ROOM_FIELD.receipts) ?? null)) return { marks: [] };
    const { marks } = readPositions(fields, 0 as Seq);
    // Others may have come since the members were counted.
    if (isLargeRoom(marks.size)) {
      return { steps: readReaders(fields.get(positionField.readers) ?? "") };
    }
    return { marks: [...marks].map(([user, mark]) => ({ user, through: shownOf(mark) })) };
  }

  async #standings(user: UserId, rooms: readonly RoomId[]): Promise<ListedRoom[]> {
    const args = [user, ...standingFields(user), positionField.last];
    const chunks = this.#chunks(rooms);
    const calls = chunks.map((chunk) => {
      return standingsScript.call(
        chunk.flatMap((room) => this.#keysOf(room)),
        args,
      );
    });
    const replies = await runScripts(this.#redis, calls);
    return replies.flatMap((reply, i) => {
      if (reply instanceof Error) throw reply;
      return reply.flatMap((one, n) => readListed(user, chunks[i]?.[n] as RoomId, one) ?? []);
    });
  }

  /** Rooms of one partition each, and not too many. */
  #chunks(rooms: readonly RoomId[]): RoomId[][] {
    const full: RoomId[][] = [];
    const open = new Map<PartitionId, RoomId[]>();
    for (const room of rooms) {
      const partition = this.#keys.partitionOf(room);
      const chunk = open.get(partition);
      if (!chunk) open.set(partition, [room]);
      else if (chunk.push(room) === ROOMS_PER_CALL) {
        full.push(chunk);
        open.delete(partition);
      }
    }
    return [...full, ...open.values()];
  }

  #keysOf(room: RoomId): string[] {
    const partition = this.#keys.partitionOf(room);
    return [
      this.#keys.room(partition, room),
      this.#keys.members(partition, room),
      this.#keys.deleted(partition, room),
      this.#keys.conversation(partition, room),
      this.#keys.foldedBlocks(partition, room),
    ];
  }
}

function activity({ last }: ListedRoom): number {
  return last?.at ?? 0;
}

function readListed(user: UserId, room: RoomId, standing: Standing): ListedRoom | null {
  const [membership, kind, name, epoch, head, ...position] = standing;
  const { role } = readMember(asText(membership));
  if (asText(membership) === "" || asTextOrNull(kind) === null) return null;
  const about = {
    room,
    role,
    kind: asText(kind) as RoomKind,
    name: asText(name),
    epoch: asInteger(epoch) as Epoch,
    head: asInteger(head) as Seq,
  };
  // Who is only invited learns which room it is, and nothing of what is said there.
  if (refusal(about, "read") !== null) return { ...about, ...NOTHING_UNREAD, last: null };
  const [messages, mark, own, all, deleted, newest] = position;
  const last = newest === null || newest === undefined ? null : decodeEntry(asBytes(newest));
  const fields = [messages, mark, own, all].map((value) => asTextOrNull(value));
  const found = readStanding(user, fields);
  if (!found) return { ...about, ...NOTHING_UNREAD, last };
  const gone = array(deleted).map((member) => readDeleted(asText(member)));
  const { through } = found.mark;
  return {
    ...about,
    last,
    through,
    unread: Math.min(LIMITS.unreadCounted, unread(found.positions, user, found.mark, gone)),
    mentions: unreadCalls(found.positions, user, found.mark),
  };
}

const NOTHING_UNREAD: Omit<Unread, "head"> = { through: 0 as Seq, unread: 0, mentions: 0 };
