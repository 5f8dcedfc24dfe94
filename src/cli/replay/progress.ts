/** How far a replay has come: a bar on a terminal, now and then a line elsewhere. */
import type { Writable } from "node:stream";

import { monotonicMs } from "../../ops/clock.ts";

const BAR_MS = 200;
const LINE_MS = 5_000;
const BAR_COLUMNS = 30;

export interface ProgressSample {
  readonly done: number;
  readonly total: number;
  /** Added to the line, for instance how many were killed. */
  readonly note: string;
}

/** Returns a function that ends it. */
export function showProgress(
  output: Writable & { readonly isTTY?: boolean },
  sample: () => ProgressSample,
): () => void {
  const startedAtMs = monotonicMs();
  const bar = output.isTTY === true;
  const show = (): void => {
    const now = sample();
    const text = progressLine(now, monotonicMs() - startedAtMs);
    output.write(bar ? `\r\u001B[K${barOf(now)} ${text}` : `${text}\n`);
  };
  const timer = setInterval(show, bar ? BAR_MS : LINE_MS);
  return () => {
    clearInterval(timer);
    show();
    if (bar) output.write("\n");
  };
}

function progressLine({ done, total, note }: ProgressSample, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? Math.round((done * 1_000) / elapsedMs) : 0;
  const share = total > 0 ? Math.floor((done * 100) / total) : 100;
  const parts = [
    `${String(share).padStart(3)}%`,
    `${done.toLocaleString("en")} of ${total.toLocaleString("en")} commands`,
    `${rate.toLocaleString("en")}/s`,
    `${(elapsedMs / 1_000).toFixed(0)} s`,
  ];
  return [...parts, ...(note === "" ? [] : [note])].join("  ");
}

function barOf({ done, total }: ProgressSample): string {
  const full = total > 0 ? Math.floor((done * BAR_COLUMNS) / total) : BAR_COLUMNS;
  return `[${"=".repeat(full)}${" ".repeat(BAR_COLUMNS - full)}]`;
}
