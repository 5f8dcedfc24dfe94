/** docs/client-protocol.md says what the code does: vectors, codes, fields and limits. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  decodeClientFrame,
  decodeEntry,
  decodeServerFrame,
  encodeClientFrame,
  encodeEntry,
  encodeServerFrame,
} from "../../src/protocol/codec.ts";
import { CLOSE, ERRORS } from "../../src/protocol/errors.ts";
import { CLIENT_FRAMES, ENTRY, EVENTS, SERVER_FRAMES } from "../../src/protocol/frames.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { Variants } from "../../src/protocol/schema.ts";
import { SUBPROTOCOL } from "../../src/protocol/version.ts";

const DOCUMENT = readFileSync(new URL("../../docs/client-protocol.md", import.meta.url), "utf8");

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly json: string;
}

const VECTORS: Vector[] = (/```vectors\n([\s\S]*?)```/.exec(DOCUMENT)?.[1] ?? "")
  .trim()
  .split("\n")
  .map((line) => {
    const [, name = "", hex = "", json = ""] = /^(\S+) ([0-9a-f]+) (\{.*\})$/.exec(line) ?? [];
    return { name, hex, json };
  });

/** Cells of every table row whose first cells match, without the padding. */
function rows(pattern: RegExp): string[][] {
  return DOCUMENT.split("\n")
    .filter((line) => pattern.test(line))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const unquoted = (cell = ""): string => cell.replaceAll("`", "");

describe("the golden vectors", () => {
  const readers = {
    client: { read: decodeClientFrame, write: encodeClientFrame },
    server: { read: decodeServerFrame, write: encodeServerFrame },
  };

  it.each(VECTORS)("[PV7] $name reads and writes as the document says", ({ name, hex, json }) => {
    const bytes = Buffer.from(hex, "hex");
    const side = name.split("/")[0];
    if (side === "entry") {
      const entry = ENTRY.read(JSON.parse(json), "named", "");
      expect(decodeEntry(bytes)).toEqual(entry);
      expect(Buffer.from(encodeEntry(entry)).toString("hex")).toBe(hex);
      expect(JSON.stringify(ENTRY.write(entry, "named"))).toBe(json);
      return;
    }
    const { read, write } = readers[side as keyof typeof readers];
    const frame = read(bytes);
    expect(`${side}/${frame.type}`).toBe(name);
    expect(read(json)).toEqual(frame);
    expect(Buffer.from(write(frame as never, "binary")).toString("hex")).toBe(hex);
    expect(write(frame as never, "json")).toBe(json);
  });

  it("[PV7] cover every frame and every event", () => {
    const named = new Set(VECTORS.map(({ name }) => name));
    const wanted = [
      ...Object.keys(CLIENT_FRAMES).map((name) => `client/${name}`),
      ...Object.keys(SERVER_FRAMES).map((name) => `server/${name}`),
      ...Object.keys(EVENTS).map((name) => `entry/${name}`),
    ];
    expect([...named].sort()).toEqual(wanted.sort());
  });
});

describe("the tables of the document", () => {
  /** `code name field field …` for each variant. */
  function variants(table: Variants): string[] {
    return Object.entries(table).map(
      ([name, { code, fields }]) => `${code} ${name}: ${Object.keys(fields).join(" ")}`,
    );
  }

  it("[PV7] name every frame and event with its code and its fields in wire order", () => {
    const documented = rows(/^\| \d+ +\| `[a-zA-Z.]+` +\|/).map(([code, name, fields = ""]) => {
      const quoted = [...fields.matchAll(/`(\w+)`/g)].map(([, field = ""]) => field);
      return `${code} ${unquoted(name)}: ${quoted.filter((field) => !(field in LIMITS)).join(" ")}`;
    });
    const close = Object.values(CLOSE).map(({ code }) => `${code} `);
    const frames = documented.filter((row) => !close.some((code) => row.startsWith(code)));
    expect(frames).toEqual([
      ...variants(CLIENT_FRAMES),
      ...variants(SERVER_FRAMES),
      ...variants(EVENTS),
    ]);
  });

  it("[PV7] name the fields of an entry in wire order", () => {
    const text = /An entry is a record of ((?:`\w+`,? ?\n?)+)/.exec(DOCUMENT)?.[1] ?? "";
    const documented = [...text.matchAll(/`(\w+)`/g)].map(([, field]) => field);
    const vector = VECTORS.find(({ name }) => name.startsWith("entry/"));
    expect(documented).toEqual(Object.keys(JSON.parse(vector?.json ?? "{}") as object));
  });

  it("[PV7] give every limit its value", () => {
    const documented = rows(/^\| `\w+` +\| \d+ +\|/)
      .filter(([name]) => !(unquoted(name) in ERRORS))
      .map(([name, value]) => [unquoted(name), Number(value)]);
    expect(Object.fromEntries(documented)).toEqual(LIMITS);
  });

  it("[PV7] give every close code its name and reason", () => {
    const documented = rows(/^\| 4\d{3} +\|/).map(([code, name, reason]) => [
      unquoted(name),
      { code: Number(code), reason },
    ]);
    expect(Object.fromEntries(documented)).toEqual(CLOSE);
  });

  it("[PV7] give every error code its status and meaning", () => {
    const documented = rows(/^\| `\w+` +\| [45]\d\d +\|/)
      .filter(([name]) => !(unquoted(name) in LIMITS))
      .map(([code, http, message]) => [unquoted(code), { http: Number(http), message }]);
    expect(Object.fromEntries(documented)).toEqual(ERRORS);
  });

  it("[PV7] name the sub-protocols", () => {
    const documented = rows(/^\| `millrace\./).map(([name]) => unquoted(name));
    expect(documented).toEqual(Object.values(SUBPROTOCOL));
  });
});
