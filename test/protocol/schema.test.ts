import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientFrame, command, ENTRY, serverFrame } from "../../src/protocol/frames.ts";
import {
  choice,
  flag,
  list,
  nullable,
  SchemaError,
  struct,
  text,
  uint,
  utf8Length,
  variant,
} from "../../src/protocol/schema.ts";

const SEED = 20_241_123;
const point = struct({ x: uint(0, 9), label: nullable(text({ bytes: 4 })) });
const shape = variant({
  dot: { code: 1, fields: { at: point } },
  line: { code: 2, fields: { points: list(point, 3, 2), closed: flag } },
});

describe("a value", () => {
  it("[PV1] has a positional and a named form", () => {
    const line = {
      type: "line",
      points: [
        { x: 1, label: null },
        { x: 2, label: "b" },
      ],
      closed: true,
    } as const;
    const positional = [
      2,
      [
        [1, null],
        [2, "b"],
      ],
      true,
    ];
    expect(shape.write(line, "positional")).toEqual(positional);
    expect(shape.read(positional, "positional", "")).toEqual(line);
    expect(shape.write(line, "named")).toEqual(line);
    expect(shape.read(line, "named", "")).toEqual(line);
  });

  it("[PV9] may leave out what may be null, in the named form", () => {
    expect(point.read({ x: 1 }, "named", "")).toEqual({ x: 1, label: null });
  });
});

describe("a refusal", () => {
  it.each([
    ["at.x: expected an integer from 0 to 9", { type: "dot", at: { x: 10 } }],
    ["at.label: expected at most 4 bytes", { type: "dot", at: { x: 1, label: "€€" } }],
    ['at: expected no field "y" but only x, label', { type: "dot", at: { x: 1, y: 1 } }],
    ['at: expected no field "type" but only x, label', { type: "dot", at: { type: "x", x: 1 } }],
    ["at: expected an object", { type: "dot" }],
    ["points: expected 2 to 3 items", { type: "line", points: [], closed: true }],
    ["points[1].x: expected an integer", { type: "line", points: [{ x: 1 }, {}], closed: true }],
    ["closed: expected true or false", { type: "line", points: [{ x: 1 }, { x: 1 }], closed: 1 }],
    ["expected a known type", { type: "circle" }],
  ])("[PV9] says where and what: %s", (message, wire) => {
    const read = (): unknown => shape.read(wire, "named", "");
    expect(read).toThrow(SchemaError);
    expect(read).toThrow(message);
  });

  it("[PV9] names the fields of an array of the wrong size", () => {
    expect(() => shape.read([1], "positional", "")).toThrow("expected an array of 2: at");
  });

  it("[PV9] of a word lists the words", () => {
    expect(() => choice(["red", "blue"]).read("green", "named", "color")).toThrow(
      "color: expected one of red, blue",
    );
  });

  it("[PV4] of a table that gives one code twice comes at once", () => {
    const fields = {};
    expect(() => variant({ a: { code: 1, fields }, b: { code: 1, fields } })).toThrow(
      /given twice/,
    );
  });
});

it(`[PV2] sizes in UTF-8 are exact (seed ${SEED})`, () => {
  const points = fc.integer({ min: 0, max: 0x10_ffff }).filter((n) => n < 0xd800 || n > 0xdfff);
  const exact = fc.property(fc.array(points), (array) => {
    const value = String.fromCodePoint(...array);
    expect(utf8Length(value)).toBe(new TextEncoder().encode(value).length);
  });
  fc.assert(exact, { seed: SEED });
});

it("[PV4] the spec of a field changes with its bounds, order and names", () => {
  const specs = [
    struct({ a: uint(), b: uint() }),
    struct({ b: uint(), a: uint() }),
    struct({ a: uint(1), b: uint() }),
    struct({ a: uint(), b: nullable(uint()) }),
    struct({ a: uint(), b: text({ bytes: 1 }) }),
    struct({ a: uint(), b: text({ bytes: 1, nfc: true }) }),
    struct({ a: uint(), b: text({ bytes: 1, pattern: /^a$/ }) }),
    struct({ a: uint(), b: list(uint(), 2) }),
    struct({ a: uint(), b: list(uint(), 2, 1) }),
  ].map(({ spec }) => spec);
  expect(new Set(specs).size).toBe(specs.length);
});

it("[PV2] a text or a list without a bound cannot be described, in a frame or anywhere else", () => {
  for (const bound of [Number.POSITIVE_INFINITY, Number.NaN, 1_048_577, 1.5, undefined as never]) {
    expect(() => text({ bytes: bound })).toThrow("needs a bound");
    expect(() => list(uint(), bound)).toThrow("needs a bound");
  }
  expect(() => [text({ bytes: 1_048_576 }), list(uint(), 1_048_576)]).not.toThrow();
});

it("[PV2] every text and every list of the tables is one that was described so", () => {
  const fields = [clientFrame, serverFrame, command, ENTRY];
  for (const { spec } of fields) expect(spec.match(/(text|list)\(/g)?.length).toBeGreaterThan(3);
  // Whatever takes text or lists by itself would have to be written as a field of its own.
  const kinds = new Set(fields.flatMap(({ spec }) => spec.match(/\b[a-z]+(?=\()/g) ?? []));
  expect([...kinds].sort()).toEqual(["choice", "list", "text", "uint", "variant"]);
});
