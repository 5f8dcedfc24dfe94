/**
 * Commands that break the code which decides them. The code is whole, so it is
 * broken on purpose: in a copy, at one place.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type * as Worker from "../../src/projectors/worker.ts";
import { Hand } from "./commands.ts";
import { Compiled } from "./compiled.ts";
import { Deployment } from "./deployment.ts";
import { BellReader } from "./talkers.ts";

const ROOM = "general";
const POISON = "poison";

let deployment: Deployment;
let compiled: Compiled;
const mutants: Compiled[] = [];
beforeAll(async () => {
  deployment = await Deployment.start(2);
  compiled = await Compiled.fromSources();
});
afterEach(async () => deployment.clear());
afterAll(async () => {
  for (const each of [compiled, ...mutants]) each.remove();
  await deployment.stop();
});

const BROKEN: readonly [where: string, file: string, find: string, replacement: string][] = [
  [
    "in decide",
    "domain/decide.js",
    "return decideSend(room, command, by, subject);",
    `if (command.text === "${POISON}") throw new Error("no way");
     return decideSend(room, command, by, subject);`,
  ],
  [
    "after the room has changed",
    "projectors/history/history.js",
    "const leaver = ",
    `if (event.text === "${POISON}") throw new Error("no way"); const leaver = `,
  ],
];

describe("a command that throws", () => {
  it.each(BROKEN)(
    "[PR7] %s is put aside, and its neighbours are not",
    async (_where, ...change) => {
      const mutant = compiled.mutant(...change);
      mutants.push(mutant);
      const { startProjector } = await mutant.load<typeof Worker>("projectors/worker.js");
      const ann = new Hand("ann", "phone", 7);
      await deployment.write(ann.creates(ROOM), ann.says("a", ROOM));
      await deployment.write(ann.says("b", ROOM), ann.says(POISON, ROOM), ann.says("c", ROOM));
      await deployment.write(ann.says("d", ROOM));

      const projector = await startProjector(deployment.options);
      await deployment.folded();
      await deployment.write(ann.says("e", ROOM));
      await deployment.folded();
      await projector.stop();

      expect(await deployment.texts(ROOM)).toEqual(["a", "b", "c", "d", "e"]);
      const letters = await deployment.deadLetters(deployment.partitionOf(ROOM));
      expect(letters).toHaveLength(1);
      expect(letters[0]?.["content"]).toContain(POISON);
      expect(letters[0]?.["position"]).toMatch(/\/1$/);
      expect(letters[0]?.["reason"]).not.toBe("");

      const outcomes = await new BellReader(deployment.redis, deployment.keys).outcomes();
      const statuses = outcomes.map(({ session, result }) => [session, result.status]);
      expect(statuses.filter(([, status]) => status === "rejected")).toEqual([[7, "rejected"]]);
      const rejected = outcomes.find(({ result }) => result.status === "rejected");
      expect(rejected?.result).toEqual({ status: "rejected", code: "internal" });
      expect(outcomes).toHaveLength(7);
    },
  );
});
