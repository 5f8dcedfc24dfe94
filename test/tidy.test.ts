/** The style of the code, where a machine can check it. The rules are in support/tidy-rules.ts. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { readSource, type SourceFile } from "./support/source-file.ts";
import { complaintsOf, importCycles, lockComplaints } from "./support/tidy-rules.ts";

const SOURCES = ["src", "test", "bench", "bin", "grafana"];
const IGNORED = new Set(["node_modules", "dist", ".git", ".millrace", "coverage", "results"]);

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name).replaceAll("\\", "/");
    if (IGNORED.has(entry.name)) return [];
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

const everything = filesBelow(".");
const files: SourceFile[] = everything
  .filter((path) => SOURCES.some((dir) => path.startsWith(`${dir}/`)) && /\.(ts|mjs)$/.test(path))
  .map((path) => readSource(path, readFileSync(path, "utf8")));

describe("this repository", () => {
  it("keeps layers, sizes, names and places", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap(complaintsOf)).toEqual([]);
  });

  it("has no import cycle", () => {
    expect(importCycles(files)).toEqual([]);
  });

  it("has a lockfile that is complete for every platform", () => {
    const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      packages: Parameters<typeof lockComplaints>[0];
    };
    expect(lockComplaints(lock.packages)).toEqual([]);
  });

  it("names no folder of one machine and leaves no note for later", () => {
    const machine = /(^|[\s"'`(=])\/(home|Users|root|work)\/|\b(TODO|FIXME|XXX)\b/;
    const found = everything
      .filter((path) => !path.endsWith("package-lock.json") && !path.startsWith("test/tidy"))
      .filter((path) => machine.test(readFileSync(path, "utf8")));
    expect(found).toEqual([]);
  });

  it("opens every script with its engine and a header that says what it does", () => {
    const scripts = everything.filter((path) => path.startsWith("src/") && path.endsWith(".lua"));
    expect(scripts.length).toBeGreaterThan(3);
    for (const path of scripts) expect(readFileSync(path, "utf8"), path).toMatch(/^#!lua\n--\[\[/);
  });
});

describe("the check itself", () => {
  const complaints = (path: string, text: string): string[] => complaintsOf(readSource(path, text));
  const long = (lines: number): string => "\n".repeat(lines - 1) + "export const x = 1;\n";

  it.each([
    ["src/client/a.ts", 'import { x } from "../redis/connect.ts";'],
    ["src/protocol/a.ts", 'import { readFile } from "node:fs";'],
    ["src/edge/a.ts", 'import { Redis } from "ioredis";'],
    ["src/edge/a.ts", 'export const load = () => import("../projectors/worker.ts");'],
    ["src/edge/a.ts", 'import type { Config } from "../config.ts";'],
    ["src/edge/session.ts", 'import uws from "uWebSockets.js";'],
    ["src/novelty/a.ts", "export const x = 1;"],
    ["src/edge/a.ts", "export const x = process.env.PORT;"],
    ["src/edge/a.ts", 'export const x = process["env"] as any;'],
    ["src/domain/a.ts", "export const x = Date.now();"],
    ["src/domain/a.ts", "export const x = new Date();"],
    ["src/cli/a.ts", 'process.once("SIGTERM", () => undefined);'],
    ["src/edge/string-utils.ts", "export const x = 1;"],
    ["src/common/a.ts", "export const x = 1;"],
    ["src/edge/index.ts", 'export { x } from "./x.ts";\nexport * from "./y.ts";'],
    ["src/edge/a.ts", long(401)],
    ["src/edge/a.ts", `export function f() {${"\n".repeat(70)}}`],
    ["test/a.test.ts", 'it.skip("later", () => undefined);'],
  ])("complains about planted fault %#, in %s", (path, text) => {
    expect(complaints(path, text)).not.toEqual([]);
  });

  it.each([
    ["src/edge/a.ts", long(400)],
    ["src/edge/a.ts", `export function f() {${"\n".repeat(69)}}`],
    ["src/redis/a.ts", 'import { Redis } from "ioredis";'],
    ["src/edge/a.ts", '// process.env and Date.now() and any\nexport const x = "Date.now()";'],
    ["src/client/index.ts", 'export { x } from "./x.ts";'],
    ["test/a.test.ts", `describe("x", () => {${"\n".repeat(100)}});`],
    ["test/a.contract.ts", `export function f() {${"\n".repeat(100)}describe.each([1])("x", g);}`],
    ["src/ops/log.ts", "export const x = new Date(0);"],
  ])("has nothing against sample %#, in %s", (path, text) => {
    expect(complaints(path, text)).toEqual([]);
  });

  it("finds a circle of imports", () => {
    const circle = [
      readSource("src/edge/a.ts", 'import { b } from "./b.ts";'),
      readSource("src/edge/b.ts", 'import { c } from "./c.ts";'),
      readSource("src/edge/c.ts", 'import { b } from "./b.ts";'),
    ];
    expect(importCycles(circle)).toEqual(["src/edge/b.ts → src/edge/c.ts → src/edge/b.ts"]);
    const typeOnly = readSource("src/edge/c.ts", 'import type { b } from "./b.ts";');
    expect(importCycles([...circle.slice(0, 2), typeOnly])).toEqual([]);
  });

  it("finds an optional package without an entry, nested ones included", () => {
    const optionalDependencies = { "@x/linux": "1", "@x/mac": "1" };
    const packages = {
      "": {},
      "node_modules/x": { optionalDependencies },
      "node_modules/y/node_modules/x": { optionalDependencies },
      "node_modules/y/node_modules/@x/mac": {},
      "node_modules/@x/linux": {},
    };
    expect(lockComplaints(packages)).toEqual(["node_modules/x names @x/mac, which has no entry"]);
    expect(
      lockComplaints({ "node_modules/z": { resolved: "https://registry/z.tgz" } }),
    ).toHaveLength(1);
  });
});
