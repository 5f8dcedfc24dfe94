/**
 * Every key that the engine writes. All keys of a partition carry its hash tag,
 * so one script may touch any of them, also in a cluster.
 */
import type { DeviceId, RoomId, UserId } from "../protocol/ids.ts";
import { partitionOf, partitionTags, type PartitionId } from "./partitions.ts";

/** The consumer group that folds history, membership and device windows. */
export const CORE_GROUP = "core";

export class Keys {
  readonly partitions: number;
  readonly #prefixes: readonly string[];
  readonly #namespace: string;

  /** `namespace` goes before every key; a rebuild folds into another one. */
  constructor(partitions: number, namespace = "") {
    this.partitions = partitions;
    this.#namespace = namespace;
    this.#prefixes = partitionTags(partitions).map((tag) => `${namespace}{${tag}}:`);
  }

  partitionOf(room: RoomId): PartitionId {
    return partitionOf(room, this.partitions);
  }

  *all(): Generator<PartitionId> {
    for (let p = 0; p < this.partitions; p++) yield p as PartitionId;
  }

  #of(partition: PartitionId): string {
    const prefix = this.#prefixes[partition];
    if (prefix === undefined) throw new RangeError(`there is no partition ${partition}`);
    return prefix;
  }

  /** Stream of packed commands, in order; only a trim script removes from it. */
  events(partition: PartitionId): string {
    return `${this.#of(partition)}events`;
  }
  /** Hash: how many commands were ever appended. */
  log(partition: PartitionId): string {
    return `${this.#of(partition)}log`;
  }
  /** Hash: who owns the partition's projections, until when. */
  lease(partition: PartitionId): string {
    return `${this.#of(partition)}lease:${CORE_GROUP}`;
  }
  /** Hash: the last position applied, the counts of commands and entries up to it, and the fence. */
  checkpoint(partition: PartitionId): string {
    return `${this.#of(partition)}ck:${CORE_GROUP}`;
  }
  /** Stream with one entry per applied batch. */
  bell(partition: PartitionId): string {
    return `${this.#of(partition)}bell`;
  }
  /** Stream of commands that could not be decided, with the reason. */
  dead(partition: PartitionId): string {
    return `${this.#of(partition)}dead`;
  }
  /** Stream: a room's history, newest N. */
  conversation(partition: PartitionId, room: RoomId): string {
    return `${this.#of(partition)}conv:${room}`;
  }
  /** Hash: kind, name, epoch, head of a room. */
  room(partition: PartitionId, room: RoomId): string {
    return `${this.#of(partition)}room:${room}`;
  }
  /** Hash: user to role, joined seq. */
  members(partition: PartitionId, room: RoomId): string {
    return `${this.#of(partition)}members:${room}`;
  }
  /** Text: the anti-replay window of one device of one user. */
  device(partition: PartitionId, user: UserId, device: DeviceId): string {
    // Device ids hold no colon, so the first colon ends the device: no two pairs share a key.
    return `${this.#of(partition)}device:${device}:${user}`;
  }
  /** Hash: rooms of this partition that the user is in. */
  userRooms(partition: PartitionId, user: UserId): string {
    return `${this.#of(partition)}user:${user}`;
  }
  /** Hash: the layout and settings that every process must agree on. */
  config(): string {
    return `${this.#namespace}chat:cfg`;
  }
  /** Sorted set: live projector workers by the end of their last sign of life. */
  workers(): string {
    return `${this.#namespace}chat:workers`;
  }
  /** Text with a short life: the user behind a single-use ticket. */
  ticket(digest: string): string {
    return `${this.#namespace}chat:ticket:${digest}`;
  }
}
