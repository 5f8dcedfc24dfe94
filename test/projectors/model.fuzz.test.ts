import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Ingest } from "../../src/ingest/ingest.ts";
import { startProjector } from "../../src/projectors/worker.ts";
import { ProjectorChild } from "./child.ts";
import { Compiled } from "./compiled.ts";
import { Storm } from "./storm.ts";

/** A seed that ever failed joins them. For a longer run, raise these two numbers. */
const SEEDS = [11, 29, 47] as const;
const STORM_MS = 5_000;

let compiled: Compiled;
beforeAll(async () => (compiled = await Compiled.fromSources()));
afterAll(() => compiled.remove());

describe("storm", () => {
  it.each(SEEDS)(
    "[IN3] [IN7] [PR1] [LE2] [HI2] loses, doubles and reorders nothing, seed %i",
    async (seed) => {
      const outside = ProjectorChild.start.bind(ProjectorChild, compiled);
      const storm = { seed, ms: STORM_MS, outside };
      const { violations, commands, copies } = await Storm.rage({ Ingest, startProjector }, storm);
      console.log(`storm with seed ${seed}: ${commands} commands, ${copies} copies`);
      expect(violations).toEqual([]);
      // A calm sea proves nothing.
      expect(commands).toBeGreaterThan(50);
      expect(copies).toBeGreaterThan(0);
    },
  );
});
