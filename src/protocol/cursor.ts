import type { Brand, Epoch, Seq } from "./ids.ts";

/**
 * A client's resume token for one room. Clients store it and hand it back; only
 * the server looks inside. It names the entry three ways (epoch, seq and id),
 * because each alone misses a case: the epoch does not reveal a lost tail, and
 * after a lossy failover a seq is given out a second time.
 *
 * Text form: `<epoch>.<seq>.<id>`, the id in base 36 as `<ms>-<n>`.
 * Example: entry 57 of epoch 1 with the id 1700000000000-4096 is `1.57.loyw3v28-35s`.
 */
export type Cursor = Brand<string, "Cursor">;

export interface CursorParts {
  readonly epoch: Epoch;
  readonly seq: Seq;
  /** Entry id in decimal, `<ms>-<n>`. */
  readonly id: string;
}

const CURSOR = /^(\d{1,10})\.(\d{1,15})\.([0-9a-z]{1,10})-([0-9a-z]{1,11})$/;

/** The cursor before the first entry of an epoch: everything is after it. */
export function originCursor(epoch: Epoch): Cursor {
  return `${epoch}.0.0-0` as Cursor;
}

/** `ms` and `n` are the two halves of the entry's id. */
export function formatCursor(epoch: Epoch, seq: Seq, ms: number, n: number): Cursor {
  return `${epoch}.${seq}.${ms.toString(36)}-${n.toString(36)}` as Cursor;
}

/** Null for anything that `formatCursor` could not have made. */
export function parseCursor(text: string): CursorParts | null {
  const match = CURSOR.exec(text);
  if (!match) return null;
  const ms = Number.parseInt(match[3] as string, 36);
  const n = Number.parseInt(match[4] as string, 36);
  if (!Number.isSafeInteger(ms) || !Number.isSafeInteger(n)) return null;
  return {
    epoch: Number(match[1]) as Epoch,
    seq: Number(match[2]) as Seq,
    id: `${ms}-${n}`,
  };
}
