/** Writes to rooms as APPLY does, a conversation entry and the bell that carries it, without what leads to it. */
import { encodeEntry } from "../../src/protocol/codec.ts";
import { formatCursor } from "../../src/protocol/cursor.ts";
import type {
  CommandNumber,
  DeviceId,
  Epoch,
  RoomId,
  Seq,
  UserId,
} from "../../src/protocol/ids.ts";
import { pipeline, type Redis, type RedisArg } from "../../src/redis/connect.ts";
import { halves, ORIGIN, type Position } from "../../src/redis/position.ts";
import { BELLS_KEPT, packBellHeader } from "../../src/streams/bell.ts";
import {
  conversationFields,
  type ConversationEntry,
  type Payload,
} from "../../src/streams/conversation.ts";
import type { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";

const EPOCH = 1 as Epoch;
const ROOMS_AT_ONCE = 500;
const TEXT_BYTES = 64;
/** A prime, so that the rooms that are written to lie far apart. */
const STRIDE = 7_919;

/** The first entry of every room, there before anybody follows it. */
export const FIRST = { position: "1-0" as Position, seq: 1 as Seq } as const;

export const tailedRoom = (room: number): RoomId => `t${room}` as RoomId;

/** Microseconds of a clock that all processes of a machine share. */
export function sharedClockUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

interface Head {
  readonly position: Position;
  readonly seq: Seq;
}

export class TailWriter {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #rooms: number;
  readonly #heads = new Map<number, Head>();
  readonly #applied = new Map<PartitionId, Position>();
  #written = 0;

  constructor(redis: Redis, keys: Keys, rooms: number) {
    this.#redis = redis;
    this.#keys = keys;
    this.#rooms = rooms;
  }

  get written(): number {
    return this.#written;
  }

  /** Every room gets its first entry. */
  async open(): Promise<void> {
    for (let r = 0; r < this.#rooms; r += ROOMS_AT_ONCE) {
      const size = Math.min(ROOMS_AT_ONCE, this.#rooms - r);
      const first = Array.from({ length: size }, (_, i) => {
        const room = tailedRoom(r + i);
        const key = this.#keys.conversation(this.#keys.partitionOf(room), room);
        const entry = entryOf(r + i, FIRST, ORIGIN);
        return ["XADD", key, entry.id, ...conversationFields(entry)];
      });
      await pipeline(this.#redis, first);
    }
  }

  /** One message to the next room. */
  async write(): Promise<void> {
    const number = this.#written++;
    const index = (number * STRIDE) % this.#rooms;
    const room = tailedRoom(index);
    const partition = this.#keys.partitionOf(room);
    const before = this.#heads.get(index) ?? FIRST;
    const position = `${2 + number}-0` as Position;
    const entry = entryOf(index, { position, seq: (before.seq + 1) as Seq }, before.position);
    const header = packBellHeader({
      from: this.#applied.get(partition) ?? ORIGIN,
      to: position,
      outcomes: [],
      entries: [{ ...entry, room }],
      rooms: [],
    });
    this.#heads.set(index, { position, seq: entry.seq });
    this.#applied.set(partition, position);
    const bell = ["MAXLEN", "~", BELLS_KEPT, "*", "h", header, "d", entry.payload] as RedisArg[];
    const key = this.#keys.conversation(partition, room);
    // A transaction, because a script wakes its readers once, when it has written both.
    const replies = await pipeline(this.#redis, [
      ["MULTI"],
      ["XADD", key, position, ...conversationFields(entry)],
      ["XADD", this.#keys.bell(partition), ...bell],
      ["EXEC"],
    ]);
    const refused = replies.find((reply) => reply instanceof Error);
    if (refused) throw refused as Error;
  }
}

export function entryOf(room: number, head: Head, prev: Position): ConversationEntry {
  const { position, seq } = head;
  const payload = encodeEntry({
    seq,
    cursor: formatCursor(EPOCH, seq, ...halves(position)),
    at: Date.now(),
    by: `u${room}` as UserId,
    device: "bench" as DeviceId,
    k: seq as number as CommandNumber,
    event: { type: "message.sent", text: tailText(room) },
  });
  return { id: position, prev, seq, payload: payload as Payload, leaver: null };
}

function tailText(room: number): string {
  return `${room} ${sharedClockUs()} `.padEnd(TEXT_BYTES, ".");
}

export function readTailText(text: string): { readonly room: number; readonly writtenUs: number } {
  const [room, writtenUs] = text.split(" ");
  return { room: Number(room), writtenUs: Number(writtenUs) };
}
