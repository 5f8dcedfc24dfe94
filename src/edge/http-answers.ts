/** What the handlers of HTTP requests have in common. */
import type { Context, Hono } from "hono";
import { ERRORS, type ErrorCode } from "../protocol/errors.ts";
import type { Identity } from "./auth.ts";
import type { Refused } from "./room-reader.ts";

export type App = Hono<{ Variables: { identity: Identity } }>;

/** NaN for anything but a plain integer of at least `min`. */
export function readCount(text: string, min: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min ? value : Number.NaN;
}

/** The first parameter that is not among the known ones, in words; null for none. */
export function unknownParameter(
  query: Record<string, string>,
  known: readonly string[],
): string | null {
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return null;
  return `no parameter "${unknown}" but ${known.length > 0 ? `only ${known.join(", ")}` : "none"}`;
}

export function isRefused(found: object): found is Refused {
  return "refused" in found;
}

export function failed(
  c: Context,
  code: ErrorCode,
  message: string = ERRORS[code].message,
): Response {
  return c.json({ error: { code, message } }, ERRORS[code].http);
}
