/**
 * The anti-replay window of one device: what became of its newest commands. A
 * command that is in it, or older than all of it, is a copy and changes nothing;
 * the copy is answered as the first one was.
 *
 * Why this is safe below the window: a client has at most LIMITS.commandsInFlight
 * commands without an outcome, and the window is wider than that.
 */
import { ERROR_CODES, type ErrorCode } from "../protocol/errors.ts";
import type { CommandNumber, Seq } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { pack, unpackTrusted } from "../protocol/msgpack.ts";
import type { CommandResult } from "../streams/bell.ts";

/** By the clock of the log, so that a replay forgets exactly what was forgotten then. */
export const WINDOW_TTL_MS = 7 * 24 * 3_600_000;

/** 0: not seen. 1 + seq: applied. -1 - index of the code: rejected. Small numbers pack into few bytes. */
type Mark = number;
const UNSEEN: Mark = 0;

export interface DeviceWindow {
  /** Time of the newest command, in milliseconds since 1970. */
  readonly at: number;
  /** The highest command number seen; 0 for none. */
  readonly top: number;
  /** `marks[i]` tells of command `top - i`; at most LIMITS.deviceWindow of them. */
  readonly marks: readonly Mark[];
}

export const EMPTY_WINDOW: DeviceWindow = { at: 0, top: 0, marks: [] };

/** The window as a command at time `at` meets it. */
export function windowAt(window: DeviceWindow, at: number): DeviceWindow {
  return at - window.at > WINDOW_TTL_MS ? EMPTY_WINDOW : window;
}

/** The result of an earlier copy; null for a command that is new. */
export function findCopy(window: DeviceWindow, k: CommandNumber): CommandResult | null {
  const age = window.top - k;
  if (age < 0) return null;
  if (age >= LIMITS.deviceWindow) return { status: "applied", seq: 0 as Seq };
  const mark = window.marks[age] ?? UNSEEN;
  if (mark === UNSEEN) return null;
  if (mark > 0) return { status: "applied", seq: (mark - 1) as Seq };
  return { status: "rejected", code: ERROR_CODES[-1 - mark] as ErrorCode };
}

/** The window after a new command was decided. */
export function record(
  window: DeviceWindow,
  k: CommandNumber,
  at: number,
  result: CommandResult,
): DeviceWindow {
  const mark = result.status === "applied" ? 1 + result.seq : -1 - ERROR_CODES.indexOf(result.code);
  if (k > window.top) return advance(window, k, at, mark);
  const marks = [...window.marks];
  while (marks.length <= window.top - k) marks.push(UNSEEN);
  marks[window.top - k] = mark;
  return { at, top: window.top, marks };
}

function advance(window: DeviceWindow, k: number, at: number, mark: Mark): DeviceWindow {
  const marks: Mark[] = [mark];
  const skipped = Math.min(k - window.top - 1, LIMITS.deviceWindow);
  for (let i = 0; i < skipped && marks.length < LIMITS.deviceWindow; i++) marks.push(UNSEEN);
  for (const old of window.marks) {
    if (marks.length >= LIMITS.deviceWindow) break;
    marks.push(old);
  }
  return { at, top: k, marks };
}

export function packWindow({ at, top, marks }: DeviceWindow): Uint8Array {
  return pack([at, top, marks]);
}

export function unpackWindow(bytes: Uint8Array | null): DeviceWindow {
  if (bytes === null) return EMPTY_WINDOW;
  const [at, top, marks] = unpackTrusted(bytes) as [number, number, Mark[]];
  return { at, top, marks };
}
