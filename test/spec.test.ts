/** SPEC.md and the tests' titles must name the same rules: nothing promised untested, nothing tested unsaid. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

/** `- **SE3** sentence` */
const RULE = /^- \*\*([A-Z]{2}\d+)\*\* /gm;
/** `it("[SE3] …"`, also with several: `[SE3, SE4] …`. */
const CITED = /(["'`])\[([A-Z]{2}\d+(?:, ?[A-Z]{2}\d+)*)\] /g;

function rulesOf(spec: string): string[] {
  return [...spec.matchAll(RULE)].map((match) => match[1] as string);
}
function citedBy(tests: readonly string[]): Set<string> {
  const found = tests.flatMap((text) => [...text.matchAll(CITED)]);
  return new Set(found.flatMap((match) => (match[2] as string).split(/, ?/)));
}
function compare(
  spec: string,
  tests: readonly string[],
): { untested: string[]; unknown: string[] } {
  const rules = new Set(rulesOf(spec));
  const cited = citedBy(tests);
  return {
    untested: [...rules].filter((rule) => !cited.has(rule)),
    unknown: [...cited].filter((rule) => !rules.has(rule)),
  };
}

const tests = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((path) => /\.(test|contract)\.ts$/.test(path) && path !== "spec.test.ts")
  .map((path) => readFileSync(join("test", path), "utf8"));

describe("SPEC.md", () => {
  const spec = readFileSync("SPEC.md", "utf8");

  it("and the tests name the same rules", () => {
    expect(compare(spec, tests)).toEqual({ untested: [], unknown: [] });
  });

  it("gives each id once", () => {
    const rules = rulesOf(spec);
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.filter((rule, i) => rules.indexOf(rule) !== i)).toEqual([]);
  });
});

it("the comparison finds what is missing on either side", () => {
  const spec = "- **LE1** a rule\n- **LE2** another\ntext about **LE9** is no rule\n";
  const found = compare(spec, ['it("[LE1, HI9] title", f);', "it.each(rows)('[HI8] %s', f);"]);
  expect(found).toEqual({ untested: ["LE2"], unknown: ["HI9", "HI8"] });
});
