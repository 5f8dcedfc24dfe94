import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { DeviceWindow, WINDOW_TTL_MS } from "../../src/domain/device-window.ts";
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
  stored: fc.boolean(),
});

describe("device window", () => {
  it("[IN3] answers as if every command had been remembered, in any order of numbers", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const reference = new Reference();
        let window = new DeviceWindow();
        let top = 0;
        let at = 1_700_000_000_000;
        for (const { move, pauseMs, result: fresh, stored } of steps) {
          const k = Math.max(1, top + move);
          top = Math.max(top, k);
          at += pauseMs;
          const copy = window.find(number(k), at);
          expect(copy).toEqual(reference.offer(k, at, fresh));
          if (copy === null) window.record(number(k), at, fresh);
          // Through its stored form, as when another worker takes over.
          if (stored) window = DeviceWindow.unpack(window.pack());
          expect(window.size).toBeLessThanOrEqual(WIDTH);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("[IN3] is empty for a device that was never heard of", () => {
    const empty = DeviceWindow.unpack(null);
    for (const k of [1, 5, 10 ** 9]) expect(empty.find(number(k), 1)).toBeNull();
    expect(empty.size).toBe(0);
  });

  it("[IN3] answers a copy with what became of the first", () => {
    const codes = ERROR_CODES.map((code): CommandResult => ({ status: "rejected", code }));
    const results = [applied(0), applied(1), applied(2 ** 52), ...codes];
    const window = new DeviceWindow();
    results.forEach((each, i) => window.record(number(i + 1), 1, each));
    results.forEach((each, i) => expect(window.find(number(i + 1), 1)).toEqual(each));
  });

  it("[IN3] takes what is older than all of it for a copy of unknown seq", () => {
    const window = new DeviceWindow();
    window.record(number(1_000), 1, applied(9));
    expect(window.find(number(1_000 - WIDTH + 1), 1)).toBeNull();
    expect(window.find(number(1_000 - WIDTH), 1)).toEqual(applied(0));
  });

  it("[IN3] is stored in about a byte a command, and refused when it is no window", () => {
    const window = new DeviceWindow();
    for (let k = 1; k <= 500; k++) {
      window.record(number(k), 1_700_000_000_000 + k, applied(100_000 + 7 * k));
    }
    const packed = window.pack();
    expect(packed.length).toBeLessThan(WIDTH + 20);
    expect(DeviceWindow.unpack(packed).pack()).toEqual(packed);
    for (const bytes of [Buffer.alloc(0), Buffer.from([7]), Buffer.from(packed.join(","))]) {
      expect(() => DeviceWindow.unpack(bytes)).toThrow(/device window/);
    }
  });

  it("[IN3] is wider than the commands that a client may have under way", () => {
    expect(WIDTH).toBeGreaterThanOrEqual(2 * LIMITS.commandsInFlight);
  });

  it("[IN5] ends seven days of the log's time after its newest command, not a millisecond before", () => {
    const window = new DeviceWindow();
    window.record(number(3), DAY, applied(1));
    expect(window.find(number(3), 8 * DAY)).toEqual(applied(1));
    expect(window.find(number(3), 8 * DAY + 1)).toBeNull();
    window.record(number(1), 8 * DAY + 1, applied(2));
    expect(window.find(number(3), 8 * DAY + 1)).toBeNull();
  });
});
