import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  EMPTY_WINDOW,
  findCopy,
  packWindow,
  record,
  unpackWindow,
  WINDOW_TTL_MS,
  windowAt,
  type DeviceWindow,
} from "../../src/domain/device-window.ts";
import { ERROR_CODES } from "../../src/protocol/errors.ts";
import type { CommandNumber, Seq } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { CommandResult } from "../../src/streams/bell.ts";

const WIDTH = LIMITS.deviceWindow;
const DAY = 24 * 3_600_000;
const number = (k: number): CommandNumber => k as CommandNumber;
const applied = (seq: number): CommandResult => ({ status: "applied", seq: seq as Seq });

/** What the window stands for: everything is remembered, and the rules are applied to that. */
class Reference {
  #seen = new Map<number, CommandResult>();
  #at = 0;

  offer(k: number, at: number, fresh: CommandResult): CommandResult | null {
    if (at - this.#at > WINDOW_TTL_MS) this.#seen.clear();
    const top = Math.max(0, ...this.#seen.keys());
    const known = this.#seen.get(k);
    if (k <= top - WIDTH) return applied(0);
    if (known) return known;
    this.#seen.set(k, fresh);
    this.#at = at;
    return null;
  }
}

const result: fc.Arbitrary<CommandResult> = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 40 }).map(applied),
  fc.constantFrom(...ERROR_CODES).map((code) => ({ status: "rejected" as const, code })),
);
/** Mostly steps near the top, as clients make them; sometimes a leap, a resend, or a long silence. */
const step = fc.record({
  move: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 3 }) },
    { weight: 3, arbitrary: fc.integer({ min: -WIDTH - 3, max: 0 }) },
    { weight: 1, arbitrary: fc.integer({ min: WIDTH - 2, max: 3 * WIDTH }) },
  ),
  pauseMs: fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 10_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(WINDOW_TTL_MS, WINDOW_TTL_MS + 1) },
  ),
  result,
});

describe("device window", () => {
  it("[IN3] answers as if every command had been remembered, in any order of numbers", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const reference = new Reference();
        let window: DeviceWindow = EMPTY_WINDOW;
        let top = 0;
        let at = 1_700_000_000_000;
        for (const { move, pauseMs, result: fresh } of steps) {
          const k = Math.max(1, top + move);
          top = Math.max(top, k);
          at += pauseMs;
          window = windowAt(window, at);
          const copy = findCopy(window, number(k));
          expect(copy).toEqual(reference.offer(k, at, fresh));
          // Through its stored form each time, as when another worker takes over.
          if (copy === null) {
            window = unpackWindow(packWindow(record(window, number(k), at, fresh)));
          }
          expect(window.marks.length).toBeLessThanOrEqual(WIDTH);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("[IN3] is empty for a device that was never heard of", () => {
    expect(unpackWindow(null)).toEqual(EMPTY_WINDOW);
    for (const k of [1, 5, 10 ** 9]) expect(findCopy(EMPTY_WINDOW, number(k))).toBeNull();
  });

  it("[IN3] answers a copy with what became of the first", () => {
    const codes = ERROR_CODES.map((code): CommandResult => ({ status: "rejected", code }));
    const results = [applied(0), applied(1), applied(2 ** 52), ...codes];
    let window: DeviceWindow = EMPTY_WINDOW;
    results.forEach((each, i) => (window = record(window, number(i + 1), 1, each)));
    results.forEach((each, i) => expect(findCopy(window, number(i + 1))).toEqual(each));
  });

  it("[IN3] takes what is older than all of it for a copy of unknown seq", () => {
    const window = record(EMPTY_WINDOW, number(1_000), 1, applied(9));
    expect(findCopy(window, number(1_000 - WIDTH + 1))).toBeNull();
    expect(findCopy(window, number(1_000 - WIDTH))).toEqual(applied(0));
  });

  it("[IN3] is stored in about a byte a command, and refused when it is no window", () => {
    let window: DeviceWindow = EMPTY_WINDOW;
    for (let k = 1; k <= 500; k++) {
      window = record(window, number(k), 1_700_000_000_000 + k, applied(100_000 + 7 * k));
    }
    const packed = packWindow(window);
    expect(packed.length).toBeLessThan(WIDTH + 20);
    expect(unpackWindow(packed)).toEqual(window);
    for (const bytes of [Buffer.alloc(0), Buffer.from([7]), Buffer.from(packed.join(","))]) {
      expect(() => unpackWindow(bytes)).toThrow(/device window/);
    }
  });

  it("[IN3] is wider than the commands that a client may have under way", () => {
    expect(WIDTH).toBeGreaterThanOrEqual(2 * LIMITS.commandsInFlight);
  });

  it("[IN5] ends seven days of the log's time after its newest command, not a millisecond before", () => {
    const window = record(EMPTY_WINDOW, number(3), DAY, applied(1));
    expect(windowAt(window, 8 * DAY)).toBe(window);
    expect(windowAt(window, 8 * DAY + 1)).toEqual(EMPTY_WINDOW);
  });
});
