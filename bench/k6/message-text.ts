/** What the messages of a run say: enough to find out at each receiver what became of them. */

export interface Message {
  /** Counts the messages of one sender, from 1. */
  readonly n: number;
  /** When it was due, in ms since 1970. */
  readonly dueMs: number;
  /** Its sender was away when it was due. */
  readonly late: boolean;
  /** Its sender says no more. */
  readonly last: boolean;
}

/** Some 90 bytes, as people write them. */
const FILLER = "The quick brown fox jumps over the lazy dog and thinks about it.";

export function formatMessage({ n, dueMs, late, last }: Message): string {
  return `${n} ${dueMs.toFixed(2)} ${late ? "late" : "-"} ${last ? "last" : "-"} ${FILLER}`;
}

/** Of a text that `formatMessage` made. */
export function parseMessage(text: string): Message {
  const [n, dueMs, late, last] = text.split(" ", 4);
  return { n: Number(n), dueMs: Number(dueMs), late: late === "late", last: last === "last" };
}
