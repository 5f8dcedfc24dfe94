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
  const skipped = Math.min(k - window.top - 1, LIMITS.deviceWindow - 1);
  const kept = window.marks.slice(0, LIMITS.deviceWindow - 1 - skipped);
  // A device that is new here has nothing before its first command to tell apart from unseen.
  if (kept.length === 0) return { at, top: k, marks: [mark] };
  const unseen = Array.from({ length: skipped }, () => UNSEEN);
  return { at, top: k, marks: [mark, ...unseen, ...kept] };
}

/** Sevens of bits, low ones first; the top bit says that more follow. */
const VARINT_BYTES_MAX = 8;
const scratch = new Uint8Array((2 + LIMITS.deviceWindow) * VARINT_BYTES_MAX);

/**
 * Time, top and the marks as varints, 1 to 2 bytes a mark: an application is the
 * difference to the one before it in the window, because this text is written for
 * every device of every batch. 0 unseen, odd rejected, even applied.
 */
export function packWindow({ at, top, marks }: DeviceWindow): Uint8Array {
  let end = putVarint(putVarint(0, at), top);
  let last = 0;
  for (const mark of marks) {
    if (mark === UNSEEN) end = putVarint(end, 0);
    else if (mark < 0) end = putVarint(end, 2 * -mark - 1);
    else {
      end = putVarint(end, 2 * (1 + zigzag(mark - last)));
      last = mark;
    }
  }
  return scratch.slice(0, end);
}

export function unpackWindow(bytes: Uint8Array | null): DeviceWindow {
  if (bytes === null) return EMPTY_WINDOW;
  const values = varints(bytes);
  const [at, top] = values;
  if (at === undefined || top === undefined || values.length > 2 + LIMITS.deviceWindow) {
    throw new Error(`a device window of ${values.length} numbers`);
  }
  const marks: Mark[] = [];
  let last = 0;
  for (const value of values.slice(2)) {
    if (value === 0) marks.push(UNSEEN);
    else if (value % 2 === 1) marks.push(-(value + 1) / 2);
    else marks.push((last += unzigzag(value / 2 - 1)));
  }
  return { at, top, marks };
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (value: number): number => (value % 2 === 1 ? -(value + 1) / 2 : value / 2);

/** By arithmetic: bit operations end at 31 bits, this at seq 2^51. */
function putVarint(at: number, value: number): number {
  let end = at;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) scratch[end++] = 0x80 | (rest % 0x80);
  scratch[end++] = rest;
  return end;
}

function varints(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte & 0x80) continue;
    values.push(value);
    [value, scale] = [0, 1];
  }
  return values;
}
