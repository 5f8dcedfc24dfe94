import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatCursor, originCursor, parseCursor } from "../../src/protocol/cursor.ts";
import type { Epoch, Seq } from "../../src/protocol/ids.ts";

const SEED = 20_241_123;

describe("cursors", () => {
  it("[PV5] name an entry by epoch, seq and id", () => {
    const cursor = formatCursor(1 as Epoch, 57 as Seq, 1_700_000_000_000, 4_096);
    expect(cursor).toBe("1.57.loyw3v28-35s");
    expect(parseCursor(cursor)).toEqual({ epoch: 1, seq: 57, id: "1700000000000-4096" });
    expect(parseCursor(originCursor(3 as Epoch))).toEqual({ epoch: 3, seq: 0, id: "0-0" });
  });

  it(`[PV5] come back as they were made (seed ${SEED})`, () => {
    const epochs = fc.integer({ min: 0, max: 2 ** 31 });
    const seqs = fc.integer({ min: 0, max: 10 ** 15 - 1 });
    const times = fc.integer({ min: 0, max: 10 ** 15 });
    fc.assert(
      fc.property(epochs, seqs, times, fc.maxSafeNat(), (epoch, seq, ms, n) => {
        const parts = parseCursor(formatCursor(epoch as Epoch, seq as Seq, ms, n));
        expect(parts).toEqual({ epoch, seq, id: `${ms}-${n}` });
      }),
      { seed: SEED },
    );
  });

  it.each([
    "",
    "1.57",
    "1.57.loyw3v28",
    "1.57.LOYW3V28-35S",
    "-1.57.loyw3v28-35s",
    "1.57.loyw3v28-35s ",
    "1.57.loyw3v28-35s\n",
    "01234567890.1.0-0",
    "1.1234567890123456.0-0",
    "1.1.zzzzzzzzzzz-0",
    "1.1.0-zzzzzzzzzzz",
    "1.1.0-zzzzzzzzzzzz",
  ])("[PV5] %j is none", (text) => {
    expect(parseCursor(text)).toBeNull();
  });
});
