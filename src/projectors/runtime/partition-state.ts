/**
 * The projections of one partition as its owner holds them in memory: rooms and
 * device windows, read from Redis when first needed. The owner is their only
 * writer while its fence holds, so they need no refreshing; on any doubt the
 * whole object is thrown away.
 */
import { DeviceWindow } from "../../domain/device-window.ts";
import { readRoom } from "../../domain/room-record.ts";
import type { Room } from "../../domain/room.ts";
import type { Epoch, RoomId } from "../../protocol/ids.ts";
import type { RedisArg } from "../../redis/connect.ts";
import { asBytes, readHash } from "../../redis/replies.ts";
import type { LoggedCommand } from "../../streams/command-log.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import { RecentMap } from "./recent-map.ts";

/** Per partition; past it those not used lately are forgotten and read again when needed. */
export const CACHE_BOUNDS = { rooms: 5_000, devices: 20_000 } as const;

/** What has to be read before some commands can be decided, and where the answers go. */
export interface Missing {
  readonly requests: readonly (readonly RedisArg[])[];
  /** Takes as many replies as there are requests. */
  readonly fill: (replies: readonly unknown[]) => void;
}

export class PartitionState {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  readonly #epoch: Epoch;
  readonly #rooms = new RecentMap<RoomId, Room>();
  readonly #windows = new RecentMap<string, DeviceWindow>();

  constructor(keys: Keys, partition: PartitionId, epoch: Epoch) {
    this.#keys = keys;
    this.#partition = partition;
    this.#epoch = epoch;
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

  missing(commands: Iterable<LoggedCommand>): Missing {
    const rooms = new Set<RoomId>();
    const windows = new Set<string>();
    for (const logged of commands) {
      if (!this.#rooms.has(logged.command.room)) rooms.add(logged.command.room);
      const key = this.windowKey(logged);
      if (!this.#windows.has(key)) windows.add(key);
    }
    const requests = [
      ...[...rooms].flatMap((room) => [
        ["HGETALL", this.#keys.room(this.#partition, room)],
        ["HGETALL", this.#keys.members(this.#partition, room)],
      ]),
      ...[...windows].map((key) => ["GET", key]),
    ];
    const fill = (replies: readonly unknown[]): void => {
      const next = replies[Symbol.iterator]();
      for (const id of rooms) {
        const fields = readHash(next.next().value);
        this.#rooms.set(id, readRoom(id, this.#epoch, fields, readHash(next.next().value)));
      }
      for (const key of windows) {
        const reply = next.next().value;
        this.#windows.set(key, DeviceWindow.unpack(reply === null ? null : asBytes(reply)));
      }
    };
    return { requests, fill };
  }

  /** Call between batches only: what a batch under way has changed must stay. */
  shrink(): void {
    this.#rooms.shrink(CACHE_BOUNDS.rooms);
    this.#windows.shrink(CACHE_BOUNDS.devices);
  }
}

function loaded<V>(key: string, value: V | undefined): V {
  if (value === undefined) throw new Error(`${key} was used before it was loaded`);
  return value;
}
