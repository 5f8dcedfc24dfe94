/**
 * Presence as the owner of a partition holds it in memory: the incarnations that
 * the partition knows, all of them, and the rooms that were needed.
 */
import {
  readIncarnation,
  readWhereabouts,
  type Incarnation,
  type RoomPresence,
} from "../../domain/presence.ts";
import type { RoomId, UserId } from "../../protocol/ids.ts";
import type { RedisArg } from "../../redis/connect.ts";
import { readHash } from "../../redis/replies.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";

/** Rooms of one partition in memory; past it the ones not used for longest are forgotten. */
export const PRESENCE_ROOMS_MAX = 2_000;

export class PresenceState {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  /** As many as edges were here lately; null until they were read. */
  #incarnations: Map<string, Incarnation> | null = null;
  readonly #rooms = new Map<RoomId, RoomPresence>();

  constructor(keys: Keys, partition: PartitionId) {
    this.#keys = keys;
    this.#partition = partition;
  }

  incarnation(name: string): Incarnation | undefined {
    return this.#known().get(name);
  }

  /** Null when nothing is left of it. */
  setIncarnation(name: string, incarnation: Incarnation | null): void {
    if (incarnation === null) this.#known().delete(name);
    else this.#known().set(name, incarnation);
  }

  #known(): Map<string, Incarnation> {
    if (!this.#incarnations) throw new Error("incarnations were used before they were loaded");
    return this.#incarnations;
  }

  room(id: RoomId): RoomPresence {
    const room = this.#rooms.get(id);
    if (!room) throw new Error(`presence of ${id} was used before it was loaded`);
    this.#rooms.delete(id);
    this.#rooms.set(id, room);
    return room;
  }

  /** What is to be read before the presence of these rooms can change, and where the answers go. */
  missing(rooms: ReadonlySet<RoomId>): {
    readonly requests: readonly (readonly RedisArg[])[];
    readonly fill: (replies: readonly unknown[]) => void;
  } {
    const wanted = [...rooms].filter((room) => !this.#rooms.has(room));
    const requests: RedisArg[][] = wanted.map((room) => [
      "HGETALL",
      this.#keys.presence(this.#partition, room),
    ]);
    const first = this.#incarnations === null;
    if (first) requests.push(["HGETALL", this.#keys.live(this.#partition)]);
    const fill = (replies: readonly unknown[]): void => {
      wanted.forEach((room, i) => this.#rooms.set(room, readPresence(replies[i])));
      if (first) this.#incarnations = readIncarnations(replies.at(-1));
    };
    return { requests, fill };
  }

  /** Call between batches only. */
  shrink(): void {
    for (const room of this.#rooms.keys()) {
      if (this.#rooms.size <= PRESENCE_ROOMS_MAX) return;
      this.#rooms.delete(room);
    }
  }
}

function readPresence(reply: unknown): RoomPresence {
  const presence: RoomPresence = new Map();
  for (const [user, value] of readHash(reply)) presence.set(user as UserId, readWhereabouts(value));
  return presence;
}

function readIncarnations(reply: unknown): Map<string, Incarnation> {
  return new Map([...readHash(reply)].map(([name, value]) => [name, readIncarnation(value)]));
}
