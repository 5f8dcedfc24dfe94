import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Marks, shownOf } from "../../src/domain/marks.ts";
import type { Seq, UserId } from "../../src/protocol/ids.ts";

const user = fc.constantFrom("ann", "bob", "cid", "dora", "eve", "finn") as fc.Arbitrary<UserId>;
const through = fc.integer({ min: 0, max: 12 }) as fc.Arbitrary<Seq>;
const less = fc.option(fc.integer({ min: 1, max: 6 }));
const move = fc.oneof(
  { weight: 6, arbitrary: fc.record({ user, through, less }) },
  { weight: 1, arbitrary: fc.record({ user, through: fc.constant(null) }) },
);

describe("counts of readers", () => {
  it("[UN8] [UN9] equal a recount of what others may see, whenever they are asked for first", () => {
    const moves = fc.array(move, { maxLength: 60 });
    fc.assert(
      fc.property(moves, fc.nat(60), fc.integer({ min: 1, max: 8 }), (all, asked, steps) => {
        const marks = new Marks();
        const plain = new Map<UserId, Seq>();
        all.forEach((one, i) => {
          if (one.through === null) {
            marks.delete(one.user);
            plain.delete(one.user);
          } else {
            const shown = Math.max(0, one.through - (one.less ?? 0)) as Seq;
            const hides = shown < one.through;
            marks.set(one.user, { through: one.through, base: i, ...(hides && { shown }) });
            plain.set(one.user, shown);
          }
          if (i < asked) return;
          const places = [...new Set(plain.values())].sort((a, b) => b - a).slice(0, steps);
          const recount = places.map((place) => ({
            through: place,
            readers: [...plain.values()].filter((position) => position >= place).length,
          }));
          expect(marks.readers(steps)).toEqual(recount);
        });
        expect(new Map([...marks].map(([name, mark]) => [name, shownOf(mark)]))).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });
});
