/**
 * The projections of one partition as its owner holds them in memory: rooms and
 * device windows, read from Redis when first needed. The owner is their only
 * writer while its fence holds, so they need no refreshing; on any doubt the
 * whole object is thrown away.
 */
import { unpackWindow, type DeviceWindow } from "../../domain/device-window.ts";
import { readRoom } from "../../domain/room-record.ts";
import type { Room } from "../../domain/room.ts";
import type { Epoch, RoomId } from "../../protocol/ids.ts";
import type { RedisArg } from "../../redis/connect.ts";
import { asBytes, readHash } from "../../redis/replies.ts";
import type { LoggedCommand } from "../../streams/command-log.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";

/** Per partition; past it the ones not used for longest are forgotten and read again when needed. */
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
  readonly #rooms = new Map<RoomId, Room>();
  readonly #windows = new Map<string, DeviceWindow>();

  constructor(keys: Keys, partition: PartitionId, epoch: Epoch) {
    this.#keys = keys;
    this.#partition = partition;
    this.#epoch = epoch;
  }

  windowKey({ user, device }: LoggedCommand): string {
    return this.#keys.device(this.#partition, user, device);
  }

  room(id: RoomId): Room {
    return touch(this.#rooms, id);
  }
  window(key: string): DeviceWindow {
    return touch(this.#windows, key);
  }
  setWindow(key: string, window: DeviceWindow): void {
    this.#windows.set(key, window);
  }

  missing(commands: readonly LoggedCommand[]): Missing {
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
        this.#windows.set(key, unpackWindow(reply === null ? null : asBytes(reply)));
      }
    };
    return { requests, fill };
  }

  /** Call between batches only: what a batch under way has changed must stay. */
  shrink(): void {
    dropOldest(this.#rooms, CACHE_BOUNDS.rooms);
    dropOldest(this.#windows, CACHE_BOUNDS.devices);
  }
}

/** Reads and moves to the young end: a Map iterates in the order of insertion. */
function touch<K, V>(cache: Map<K, V>, key: K): V {
  const value = cache.get(key);
  if (value === undefined) throw new Error(`${String(key)} was used before it was loaded`);
  cache.delete(key);
  cache.set(key, value);
  return value;
}

function dropOldest<K>(cache: Map<K, unknown>, most: number): void {
  for (const key of cache.keys()) {
    if (cache.size <= most) return;
    cache.delete(key);
  }
}
