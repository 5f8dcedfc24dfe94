/**
 * The projections of one partition as its owner holds them in memory: rooms and
 * device windows, read from Redis when first needed. The owner is their only
 * writer while its fence holds, so they need no refreshing; on any doubt the
 * whole object is thrown away.
 */
import { DeviceWindow } from "../../domain/device-window.ts";
import { shortenTail, TAIL_MESSAGES_MAX } from "../../domain/positions.ts";
import { readRoom } from "../../domain/room-record.ts";
import type { Room } from "../../domain/room.ts";
import type { Epoch, RoomId, Seq } from "../../protocol/ids.ts";
import type { RedisArg } from "../../redis/connect.ts";
import { asBytes, readHash } from "../../redis/replies.ts";
import type { Fact, LoggedCommand } from "../../streams/command-log.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import { MessageState } from "../messages/message-state.ts";
import { askForTail, fillTail, namedPositions } from "../positions/tails.ts";
import { PresenceState } from "../presence/presence-state.ts";
import { RecentMap } from "./recent-map.ts";

/**
 * Per partition; past it those not used lately are forgotten and read again when needed. A long
 * tail is one with more than TAIL_MESSAGES_MAX messages, up to all that a history holds.
 */
export const CACHE_BOUNDS = { rooms: 5_000, devices: 20_000, longTails: 16 } as const;

/** What has to be read before some commands can be decided, and where the answers go. */
export interface Missing {
  readonly requests: readonly (readonly RedisArg[])[];
  /** Takes as many replies as there are requests. */
  readonly fill: (replies: readonly unknown[]) => void;
}

interface MissingTail {
  readonly room: Room;
  readonly through: Seq;
  readonly request: readonly RedisArg[];
}

export class PartitionState {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  readonly #epoch: Epoch;
  readonly #rooms = new RecentMap<RoomId, Room>();
  readonly #windows = new RecentMap<string, DeviceWindow>();
  #hasUnknownTails = false;
  /** Rooms in which the batch under way places somebody. */
  readonly #placing = new Set<Room>();
  /** Those that were used last come last. */
  readonly #longTails = new Set<Room>();
  readonly presence: PresenceState;
  readonly messages: MessageState;

  constructor(keys: Keys, partition: PartitionId, epoch: Epoch) {
    this.#keys = keys;
    this.#partition = partition;
    this.#epoch = epoch;
    this.presence = new PresenceState(keys, partition);
    this.messages = new MessageState(keys, partition);
  }

  windowKey({ user, device }: LoggedCommand): string {
    return this.#keys.device(this.#partition, user, device);
  }

  room(id: RoomId): Room {
    return loaded(id, this.#rooms.get(id));
  }
  window(key: string): DeviceWindow {
    return loaded(key, this.#windows.get(key));
  }

  missing(commands: readonly LoggedCommand[], facts: readonly Fact[] = []): Missing {
    const rooms = new Set<RoomId>();
    const windows = new Set<string>();
    const attended = new Set<RoomId>();
    for (const fact of facts) {
      if (!("room" in fact)) continue;
      if (!this.#rooms.has(fact.room)) rooms.add(fact.room);
      if (fact.type === "attendance") attended.add(fact.room);
    }
    for (const logged of commands) {
      if (logged.command.type === "leave") attended.add(logged.command.room);
      if (!this.#rooms.has(logged.command.room)) rooms.add(logged.command.room);
      const key = this.windowKey(logged);
      if (!this.#windows.has(key)) windows.add(key);
    }
    // Partitions in which nobody attends have nothing to load for it.
    const touched = facts.length > 0 || attended.size > 0;
    const presence = touched ? this.presence.missing(attended) : null;
    const messages = this.messages.missing(commands);
    const tails = this.#missingTails(
      namedPositions(commands, facts, (room) => this.#rooms.get(room)),
    );
    const requests = [
      ...messages.requests,
      ...tails.map(({ request }) => request),
      ...[...rooms].flatMap((room) => [
        ["HGETALL", this.#keys.room(this.#partition, room)],
        ["HGETALL", this.#keys.members(this.#partition, room)],
      ]),
      ...[...windows].map((key) => ["GET", key]),
      ...(presence?.requests ?? []),
    ];
    const fill = (replies: readonly unknown[]): void => {
      messages.fill(replies);
      const next = replies.slice(messages.requests.length)[Symbol.iterator]();
      for (const { room, through } of tails) fillTail(room, through, next.next().value);
      for (const id of rooms) {
        const fields = readHash(next.next().value);
        this.#rooms.set(id, readRoom(id, this.#epoch, fields, readHash(next.next().value)));
      }
      for (const key of windows) {
        const reply = next.next().value;
        this.#windows.set(key, DeviceWindow.unpack(reply === null ? null : asBytes(reply)));
      }
      presence?.fill([...next]);
    };
    return { requests, fill };
  }

  /** Of a room that is not here yet it is not known what is missing: it is asked for again. */
  #missingTails(named: ReadonlyMap<RoomId, Seq>): MissingTail[] {
    this.#hasUnknownTails = false;
    const tails: MissingTail[] = [];
    for (const [id, through] of named) {
      const room = this.#rooms.get(id);
      this.#hasUnknownTails ||= room === undefined;
      if (room) this.#hold(room);
      const key = this.#keys.conversation(this.#partition, id);
      const request = room ? askForTail(room, key, through) : null;
      if (room && request) tails.push({ room, through, request });
    }
    return tails;
  }

  /** Or messages of the same batch would push out what it counts. */
  #hold(room: Room): void {
    room.positions.tail.held = true;
    this.#placing.add(room);
  }

  #release(room: Room): void {
    const { tail } = room.positions;
    tail.held = false;
    this.#longTails.delete(room);
    if (tail.messages.length > TAIL_MESSAGES_MAX) this.#longTails.add(room);
  }

  /** What was loaded has shown that more is missing. */
  get incomplete(): boolean {
    return this.#hasUnknownTails || this.messages.incomplete;
  }

  /** Call between batches only: what a batch under way has changed must stay. */
  shrink(): void {
    for (const room of this.#placing) this.#release(room);
    this.#placing.clear();
    for (const room of this.#longTails) {
      if (this.#longTails.size <= CACHE_BOUNDS.longTails) break;
      shortenTail(room.positions);
      this.#longTails.delete(room);
    }
    this.#rooms.shrink(CACHE_BOUNDS.rooms);
    this.#windows.shrink(CACHE_BOUNDS.devices);
    this.presence.shrink();
    this.messages.shrink();
  }
}

function loaded<V>(key: string, value: V | undefined): V {
  if (value === undefined) throw new Error(`${key} was used before it was loaded`);
  return value;
}
