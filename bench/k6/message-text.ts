/** What the messages of a run say: enough to find out at each receiver what became of them. */

export interface Message {
  /** `queued`: due while its sender was away. `last`: its sender says no more. */
  readonly kind: "live" | "queued" | "last";
  /** Counts the messages of one sender, from 1. */
  readonly n: number;
  /** When it was due, in ms since 1970. */
  readonly dueMs: number;
}

/** Some 90 bytes, as people write them. */
const FILLER = "The quick brown fox jumps over the lazy dog and thinks about it.";

export function formatMessage({ kind, n, dueMs }: Message): string {
  return `${kind} ${n} ${dueMs.toFixed(2)} ${FILLER}`;
}

/** Of a text that `formatMessage` made. */
export function parseMessage(text: string): Message {
  const [kind, n, dueMs] = text.split(" ", 3);
  return { kind: kind as Message["kind"], n: Number(n), dueMs: Number(dueMs) };
}
