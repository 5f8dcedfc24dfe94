/**
 * Every key that the engine writes. All keys of a partition carry its hash tag,
 * so one script may touch any of them, also in a cluster.
 */
import type { DeviceId, RoomId, UserId } from "../protocol/ids.ts";
import { partitionOf, partitionTags, type PartitionId } from "./partitions.ts";

/** The consumer group that folds history, membership and device windows. */
export const CORE_GROUP = "core";
/** The consumer group that keeps the users' lists of rooms. */
export const LISTS_GROUP = "lists";

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
  /** Hash: the changed messages of a block of seqs. Scripts name blocks by themselves: `<folded>:<block>`. */
  folded(partition: PartitionId, room: RoomId, block: number): string {
    return `${this.foldedBlocks(partition, room)}:${block}`;
  }
  foldedBlocks(partition: PartitionId, room: RoomId): string {
    return `${this.#of(partition)}folded:${room}`;
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
  /** Sorted set: deleted messages of a room with their authors, by seq; the newest ones. */
  deleted(partition: PartitionId, room: RoomId): string {
    return `${this.#of(partition)}gone:${room}`;
  }
  /** Stream: changes of membership, for the lists of the users concerned. */
  outbox(partition: PartitionId): string {
    return `${this.#of(partition)}out`;
  }
  /** Hash: the rooms of a user, as `seq:role` of their newest change. In a partition of the user's own. */
  list(user: UserId): string {
    return `${this.#of(partitionOf(user, this.partitions))}list:${user}`;
  }
  /** Hash with a life of days: rooms that a user has left, by seq. */
  listLeft(user: UserId): string {
    return `${this.#of(partitionOf(user, this.partitions))}list-left:${user}`;
  }
  /** Sorted set: incarnations of edges that have somebody here, by the end of their lease. */
  edges(partition: PartitionId): string {
    return `${this.#of(partition)}edges`;
  }
  /** Hash: incarnation to `+` (what it says counts) or `-` (ended), and how many it still has in. */
  live(partition: PartitionId): string {
    return `${this.#of(partition)}live`;
  }
  /** Set of `room user`: whom an incarnation has let in. */
  attends(partition: PartitionId, incarnation: string): string {
    return `${this.#of(partition)}attends:${incarnation}`;
  }
  /** Hash: user to whereabouts in a room. */
  presence(partition: PartitionId, room: RoomId): string {
    return `${this.#of(partition)}presence:${room}`;
  }
  /** Channel of whose list of rooms has changed; nothing of it is stored. */
  listNews(): string {
    return `${this.#namespace}chat:lists`;
  }
  /** Channel of who types; nothing of it is stored. */
  typing(): string {
    return `${this.#namespace}chat:typing`;
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
