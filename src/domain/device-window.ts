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

const WIDTH = LIMITS.deviceWindow;

/**
 * Changes in place, like a room: its owner is the only holder, and drops it when
 * an APPLY fails. The marks are a ring, so that a command costs one of them.
 */
export class DeviceWindow {
  /** Time of the newest command, in milliseconds since 1970. */
  #at = 0;
  /** The highest command number seen; 0 for none. */
  #top = 0;
  /** How many numbers from `top` down have a mark; what is below was not seen. At most WIDTH. */
  #known = 0;
  /** The mark of number k is at k modulo WIDTH. */
  readonly #marks: Mark[] = [];

  /** From what `pack` made; an empty one from null. Throws for bytes that are no window. */
  static unpack(bytes: Uint8Array | null): DeviceWindow {
    const window = new DeviceWindow();
    if (bytes === null) return window;
    const values = varints(bytes);
    const [at, top] = values;
    if (at === undefined || top === undefined || values.length > 2 + WIDTH) {
      throw new Error(`a device window of ${values.length} numbers`);
    }
    window.#at = at;
    window.#top = top;
    window.#known = values.length - 2;
    let last = 0;
    for (let age = 0; age < window.#known; age++) {
      const value = values[age + 2] as number;
      let mark = UNSEEN;
      if (value % 2 === 1) mark = -(value + 1) / 2;
      else if (value > 0) mark = last += unzigzag(value / 2 - 1);
      window.#put(age, mark);
    }
    return window;
  }

  /** Marks kept. */
  get size(): number {
    return this.#known;
  }

  /** The result of an earlier copy of a command that comes at time `at`; null for one that is new. */
  find(k: CommandNumber, at: number): CommandResult | null {
    const age = this.#top - k;
    if (age < 0 || this.#hasEnded(at)) return null;
    if (age >= WIDTH) return { status: "applied", seq: 0 as Seq };
    const mark = age < this.#known ? this.#mark(age) : UNSEEN;
    if (mark === UNSEEN) return null;
    if (mark > 0) return { status: "applied", seq: (mark - 1) as Seq };
    return { status: "rejected", code: ERROR_CODES[-1 - mark] as ErrorCode };
  }

  /** Takes in that the new command `k` was decided. */
  record(k: CommandNumber, at: number, result: CommandResult): void {
    if (this.#hasEnded(at)) this.#top = this.#known = 0;
    if (k > this.#top) this.#advance(k);
    this.#at = at;
    const age = this.#top - k;
    while (this.#known <= age) this.#put(this.#known++, UNSEEN);
    const applied = result.status === "applied";
    this.#put(age, applied ? 1 + result.seq : -1 - ERROR_CODES.indexOf(result.code));
  }

  #hasEnded(at: number): boolean {
    return at - this.#at > WINDOW_TTL_MS;
  }

  #advance(top: number): void {
    const skipped = Math.min(top - this.#top - 1, WIDTH - 1);
    const kept = Math.min(this.#known, WIDTH - 1 - skipped);
    this.#top = top;
    // A device that is new here has nothing before its first command to tell apart from unseen.
    this.#known = kept === 0 ? 1 : 1 + skipped + kept;
    if (kept > 0) for (let age = 1; age <= skipped; age++) this.#put(age, UNSEEN);
  }

  #mark(age: number): Mark {
    return this.#marks[(this.#top - age) % WIDTH] ?? UNSEEN;
  }
  #put(age: number, mark: Mark): void {
    this.#marks[(this.#top - age) % WIDTH] = mark;
  }

  /**
   * Time, top and the marks as varints, 1 to 2 bytes a mark: an application is the
   * difference to the one before it in the window, because this text is written for
   * every device of every batch. 0 unseen, odd rejected, even applied.
   */
  pack(): Uint8Array {
    let end = putVarint(putVarint(0, this.#at), this.#top);
    let last = 0;
    for (let age = 0; age < this.#known; age++) {
      const mark = this.#mark(age);
      if (mark === UNSEEN) end = putVarint(end, 0);
      else if (mark < 0) end = putVarint(end, 2 * -mark - 1);
      else {
        end = putVarint(end, 2 * (1 + zigzag(mark - last)));
        last = mark;
      }
    }
    return scratch.slice(0, end);
  }
}

/** Sevens of bits, low ones first; the top bit says that more follow. */
const VARINT_BYTES_MAX = 8;
const scratch = new Uint8Array((2 + WIDTH) * VARINT_BYTES_MAX);

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
