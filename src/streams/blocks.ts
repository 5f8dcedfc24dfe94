/**
 * What a room keeps. Entries are dropped where the head crosses a full hundred, in
 * whole hundreds, so that what is left follows from the head alone and not from how
 * the log was cut into batches. What changes messages have undergone stands in
 * blocks of a hundred seqs, each dropped with the last of its entries.
 */
import type { Seq } from "../protocol/ids.ts";

/** The scripts of the edge are given it. */
export const BLOCK_SIZE = 100;

export function blockOf(seq: Seq): number {
  return Math.floor(seq / BLOCK_SIZE);
}

/** Entries that stay at this head, in a room that keeps `kept`: up to a block more than that. */
export function entriesKept(head: Seq, kept: number): number {
  return kept + (head % BLOCK_SIZE);
}

/** The oldest block that has a kept entry. */
export function oldestBlock(head: Seq, kept: number): number {
  return Math.max(0, Math.floor((head - entriesKept(head, kept) + 1) / BLOCK_SIZE));
}

/** Whether a message may still be changed: by seq, so that every replay says the same. */
export function isKept(seq: Seq, head: Seq, kept: number): boolean {
  return seq <= head && head - seq < kept;
}
