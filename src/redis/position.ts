import type { Brand } from "../protocol/ids.ts";

/** A Redis entry id, `<ms>-<n>`: orders one stream; never crosses the wire. */
export type Position = Brand<string, "Position">;

export const ORIGIN = "0-0" as Position;

/**
 * Positions are pairs of integers, so neither `<` on strings ("5-10" < "5-9")
 * nor a single Number orders them.
 */
export function comparePositions(a: Position, b: Position): number {
  const [aMs, aN] = halves(a);
  const [bMs, bN] = halves(b);
  return aMs - bMs || aN - bN;
}

/** Both halves; safe as numbers for any id that a clock before the year 280000 made. */
export function halves(position: Position): readonly [ms: number, n: number] {
  const dash = position.indexOf("-");
  return [Number(position.slice(0, dash)), Number(position.slice(dash + 1))];
}

/** Milliseconds since 1970 by the clock of the Redis that gave out the id. */
export function positionMs(position: Position): number {
  return halves(position)[0];
}
