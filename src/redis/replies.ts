/**
 * Redis answers, decoded from `unknown`. A shape that is not known throws: it is
 * better to stop than to guess.
 */
import type { Position } from "./position.ts";

export interface StreamEntry {
  readonly id: Position;
  /** Names and values in turn. */
  readonly fields: readonly Buffer[];
}

/** Reply of XREAD: the entries of each stream that has some, by key. */
export function readStreams(reply: unknown): Map<string, StreamEntry[]> {
  const streams = new Map<string, StreamEntry[]>();
  if (reply === null) return streams;
  for (const pair of array(reply)) {
    const [key, entries] = array(pair);
    streams.set(asText(key), readEntries(entries));
  }
  return streams;
}

/** Reply of XRANGE and XREVRANGE. */
export function readEntries(reply: unknown): StreamEntry[] {
  return array(reply).map((entry) => {
    const [id, fields] = array(entry);
    return { id: asText(id) as Position, fields: array(fields) as Buffer[] };
  });
}

/** Reply of HGETALL over RESP2. */
export function readHash(reply: unknown): Map<string, string> {
  const flat = array(reply);
  const hash = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) hash.set(asText(flat[i]), asText(flat[i + 1]));
  return hash;
}

export function array(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  if (reply instanceof Error) throw reply;
  throw new Error(`Redis answered ${typeof reply} where a list was expected`);
}

export function asText(reply: unknown): string {
  if (typeof reply === "string") return reply;
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (reply instanceof Uint8Array) return Buffer.from(reply).toString();
  if (typeof reply === "number") return String(reply);
  if (reply instanceof Error) throw reply;
  throw new Error(
    `Redis answered ${reply === null ? "nil" : typeof reply} where text was expected`,
  );
}

export function asTextOrNull(reply: unknown): string | null {
  return reply === null || reply === undefined ? null : asText(reply);
}

export function asBytes(reply: unknown): Uint8Array {
  if (reply instanceof Uint8Array) return reply;
  if (reply instanceof Error) throw reply;
  throw new Error(
    `Redis answered ${reply === null ? "nil" : typeof reply} where bytes were expected`,
  );
}

export function asInteger(reply: unknown): number {
  const value = Number(asText(reply));
  if (!Number.isSafeInteger(value))
    throw new Error(`Redis answered ${asText(reply)} where an integer was expected`);
  return value;
}

/** Redis said no, as opposed to the silence of a broken connection. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}
