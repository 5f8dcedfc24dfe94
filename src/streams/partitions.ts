/**
 * Which partition a room belongs to, and the hash tag that all keys of a
 * partition share. Both are part of the stored layout: test vectors pin them,
 * and `chat:cfg` keeps their version.
 */
import type { Brand, RoomId, UserId } from "../protocol/ids.ts";

/** One of P streams of commands: the unit of order, atomicity, ownership and scale. */
export type PartitionId = Brand<number, "PartitionId">;

/** Raised when either function below changes its answers, or what is stored is written otherwise. */
export const LAYOUT_VERSION = 2;
export const PARTITIONS_MAX = 1_024;
const SLOTS = 16_384;

/** Of a room, or of a user's list of rooms. FNV-1a over UTF-8, then a finaliser, because FNV's low bits alone are weak. */
export function partitionOf(name: RoomId | UserId, partitions: number): PartitionId {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    // Room ids are ASCII by their pattern, so units are bytes; of users they are UTF-16.
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) % partitions) as PartitionId;
}

/**
 * Tags whose Redis Cluster slots lie in the middle of P equal ranges, so that
 * any even split of the slots over masters splits the partitions evenly too.
 * The first short text that hashes to the slot is taken.
 */
export function partitionTags(partitions: number): readonly string[] {
  const wanted = new Map<number, number>();
  for (let p = 0; p < partitions; p++) wanted.set(Math.floor(((p + 0.5) * SLOTS) / partitions), p);
  const tags: string[] = [];
  for (let candidate = 0; wanted.size > 0; candidate++) {
    const tag = candidate.toString(36);
    const partition = wanted.get(crc16(tag) % SLOTS);
    if (partition === undefined) continue;
    tags[partition] = tag;
    wanted.delete(crc16(tag) % SLOTS);
  }
  return tags;
}

/** CRC-16/XMODEM, as Redis Cluster computes slots. */
function crc16(text: string): number {
  let crc = 0;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc;
}
