import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  counted,
  ended,
  enter,
  leave,
  raised,
  readIncarnation,
  readWhereabouts,
  vanish,
  writeIncarnation,
  writeWhereabouts,
  type RoomPresence,
} from "../../src/domain/presence.ts";
import type { UserId } from "../../src/protocol/ids.ts";

const user = fc.constantFrom("ann", "ben", "zoë :+-").map((name) => name as UserId);
const edge = fc.constantFrom("e.1", "e.2", "f.1");
const step = fc.oneof(
  fc.record({ does: fc.constant("enter" as const), user, edge }),
  fc.record({ does: fc.constant("leave" as const), user, edge }),
  fc.record({ does: fc.constant("vanish" as const), user, edge }),
);

describe("presence of a room", () => {
  it("[PS8] a user is there while any incarnation says so, and steps tell each change once", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const presence: RoomPresence = new Map();
        /** Plainly: who says so of whom. */
        const said = new Set<string>();
        const isThere = (name: string): boolean =>
          [...said].some((pair) => pair.endsWith(` ${name}`));
        steps.forEach(({ does, user: who, edge: by }, atMs) => {
          const before = isThere(who);
          const pair = `${by} ${who}`;
          if (does === "vanish") {
            const gone = [...said].filter((one) => one.endsWith(` ${who}`));
            expect(
              vanish(presence, who)
                .map((name) => `${name} ${who}`)
                .sort(),
            ).toEqual(gone.sort());
            for (const one of gone) said.delete(one);
            expect(presence.has(who)).toBe(false);
            return;
          }
          const isNew = does === "enter" ? !said.has(pair) : said.has(pair);
          if (does === "enter") said.add(pair);
          else said.delete(pair);
          const told = does === "enter" ? enter(presence, who, by) : leave(presence, who, by, atMs);
          const after = isThere(who);
          const expected = before === after ? (isNew ? "by" : "nothing") : after ? "came" : "went";
          expect(told).toBe(expected);
          expect(presence.get(who)?.name === "there").toBe(after);
          if (told === "went") expect(presence.get(who)).toEqual({ name: "away", sinceMs: atMs });
        });
        for (const [, where] of presence) {
          expect(readWhereabouts(writeWhereabouts(where))).toEqual(where);
        }
      }),
    );
  });

  it("[PS8] an incarnation is known until it has ended and nobody is in by it", () => {
    const up = raised(undefined);
    expect(up).toEqual({ state: "up", attending: 0 });
    const two = counted(counted(up, 1) ?? undefined, 1);
    expect(raised(two ?? undefined)).toEqual({ state: "up", attending: 2 });
    const down = ended(two ?? undefined);
    expect(down).toEqual({ state: "ended", attending: 2 });
    // Said twice, it is no more at its end than before; and it never comes back.
    expect(ended(down ?? undefined)).toEqual(down);
    expect(raised(down ?? undefined)).toEqual(down);
    expect(counted(counted(down ?? undefined, -1) ?? undefined, -1)).toBe(null);
    expect(ended(up)).toBe(null);
    expect(ended(undefined)).toBe(null);
    for (const each of [up, two, down]) {
      if (each) expect(readIncarnation(writeIncarnation(each))).toEqual(each);
    }
  });
});
