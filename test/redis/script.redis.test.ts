/** The binding of Lua files to typed functions, and the headers that keep the two together. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { pipeline } from "../../src/redis/connect.ts";
import { array, asInteger, asText } from "../../src/redis/replies.ts";
import { isNoScript, runScripts, Script } from "../../src/redis/script.ts";
import { Scene } from "../projectors/scene.ts";

const SOURCES = new URL("../../src/", import.meta.url);
let scene: Scene;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "millrace-script-"));
  scene = await Scene.start();
});
afterAll(async () => {
  rmSync(dir, { recursive: true });
  await scene.stop();
});

function fileOf(name: string, source: string): URL {
  const file = pathToFileURL(join(dir, name));
  writeFileSync(file, source);
  return file;
}
function script(name: string, source: string, keys = ["counter"], args = ["by"]): Script<number> {
  return new Script({ file: fileOf(name, source), keys, args, decode: asInteger });
}
const ADD = "#!lua\n--@ keys counter\n--@ args by\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])\n";

describe("script files", () => {
  const everything = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });
  const lua = everything.filter((name) => name.endsWith(".lua"));
  const sourceOf = (name: string): string => readFileSync(new URL(name, SOURCES), "utf8");
  const libraries = lua.filter((name) => /^--@ constants/m.test(sourceOf(name)));
  const files = lua.filter((name) => !libraries.includes(name));

  it.each(files)("[OP52] %s begins with #!lua, says what it is, and states its keys", (name) => {
    const source = sourceOf(name);
    expect(source).toMatch(/^#!lua\n--\[\[\n {2}\S/);
    expect(source).toMatch(/^--@ keys \S/m);
    expect(source).toMatch(/Returns?\b|list of/);
    // A key that is not in KEYS would be refused in a cluster only.
    expect(source).not.toMatch(/\.p?call\('[A-Z]+',\s*(?:'XINFO',\s*)?'[^']*[{:]/);
  });

  it.each(libraries)(
    "[OP52] %s is a library: it says what it is and only has functions",
    (name) => {
      const source = sourceOf(name);
      expect(source).toMatch(/^#!lua\n--\[\[\n {2}\S/);
      // What it did by itself, every script that uses it would do.
      const outside = source
        .slice(source.indexOf("]]\n") + 3)
        .split("\n")
        .filter((line) => !/^( |--|$|local function |end$)/.test(line));
      expect(outside).toEqual([]);
    },
  );

  it("[OP52] are all there", () => {
    expect(files.length).toBeGreaterThanOrEqual(6);
    expect(libraries.length).toBeGreaterThanOrEqual(2);
  });
});

describe("script binding", () => {
  it.each([
    ["a missing #!lua", ADD.slice(6), ["counter"], ["by"], /#!lua/],
    ["keys of another name", ADD, ["count"], ["by"], /keys "counter"/],
    ["arguments in another order", ADD, ["counter"], ["by", "to"], /args "by"/],
    ["no header at all", "#!lua\nreturn 1\n", ["counter"], ["by"], /keys "undefined"/],
  ])("[OP52] refuses %s when it is made", (_what, source, keys, args, why) => {
    expect(() => script("bad.lua", source, keys, args)).toThrow(why);
  });

  it("[OP52] refuses a call with too few or too many keys or arguments", () => {
    const add = script("add.lua", ADD);
    expect(() => add.call([], [1])).toThrow(/0 keys/);
    expect(() => add.call(["a", "b"], [1])).toThrow(/2 keys/);
    expect(() => add.call(["a"], [])).toThrow(/0 arguments/);
    expect(() => add.call(["a"], [1, 2])).toThrow(/2 arguments/);
  });

  it("[OP52] takes any number past a last name with dots, but none too few", () => {
    const source = "#!lua\n--@ keys a ...rest\n--@ args\nreturn #KEYS\n";
    const count = script("rest.lua", source, ["a", "...rest"], []);
    expect(() => count.call([], [])).toThrow(/0 keys/);
    expect(count.call(["a"], []).keys).toHaveLength(1);
    expect(count.call(["a", "b", "c"], []).keys).toHaveLength(3);
  });
});

describe("a library", () => {
  const LIBRARY = "#!lua\n--@ constants STEP LIMIT\nlocal function step(x) return x + STEP end\n";
  const USER = "#!lua\n--@ library steps.lua\n--@ keys\n--@ args x\nreturn step(ARGV[1])\n";
  const made = (
    source: string,
    constants: Record<string, number> | null,
    shared = LIBRARY,
  ): Script<number> =>
    new Script({
      file: fileOf("uses.lua", source),
      ...(constants && { library: { file: fileOf("steps.lua", shared), constants } }),
      keys: [],
      args: ["x"],
      decode: asInteger,
    });

  it("[OP52] lends its functions, and its constants have the values of the binding", async () => {
    const run = async (STEP: number): Promise<number> =>
      made(USER, { STEP, LIMIT: 1 }).run(scene.redis, [], [2]);
    expect([await run(5), await run(40)]).toEqual([7, 42]);
  });

  it.each([
    ["is not stated", USER.replace("--@ library steps.lua\n", ""), { STEP: 5, LIMIT: 1 }, LIBRARY],
    ["is of another name", USER.replace("steps", "strides"), { STEP: 5, LIMIT: 1 }, LIBRARY],
    ["is stated and not bound", USER, null, LIBRARY],
    ["lacks a constant", USER, { STEP: 5 }, LIBRARY],
    ["has constants in another order", USER, { LIMIT: 1, STEP: 5 }, LIBRARY],
    ["has no header", USER, {}, "#!lua\n"],
    ["begins otherwise", USER, { STEP: 5, LIMIT: 1 }, LIBRARY.slice(6)],
  ])("[OP52] is refused when it %s", (_what, source, constants, shared) => {
    expect(() => made(source, constants, shared)).toThrow(/states|must begin/);
  });
});

describe("running scripts", () => {
  it("[OP53] sends a script again to a server that forgot it, and runs it once", async () => {
    const add = script("add.lua", ADD);
    await scene.redis.del("n");
    expect(await add.run(scene.redis, ["n"], [1])).toBe(1);
    await scene.redis.script("FLUSH");
    expect(await add.run(scene.redis, ["n"], [1])).toBe(2);
    expect(await scene.redis.get("n")).toBe("2");
  });

  it("[OP53] of a pipeline sends again only those that were not known", async () => {
    const known = script("add.lua", ADD);
    await known.run(scene.redis, ["n"], [0]);
    await scene.redis.del("n");
    const strange = script("strange.lua", `${ADD}-- ${Math.random()}\n`);
    const calls = [known.call(["n"], [1]), strange.call(["n"], [10]), known.call(["n"], [100])];
    // The one that was refused runs last: scripts of one pipeline have no order.
    expect(await runScripts(scene.redis, calls)).toEqual([1, 111, 101]);
  });

  it("[OP53] gives a refusal in its place and the other answers beside it", async () => {
    const add = script("add.lua", ADD);
    await scene.redis.set("word", "x");
    await scene.redis.del("n");
    const [bad, good] = await runScripts(scene.redis, [
      add.call(["word"], [1]),
      add.call(["n"], [5]),
    ]);
    expect(bad).toBeInstanceOf(Error);
    expect(good).toBe(5);
    await expect(add.run(scene.redis, ["word"], [1])).rejects.toThrow(/integer/);
  });

  it("[OP53] tells an unknown script from other refusals", async () => {
    const [unknown] = await pipeline(scene.redis, [["EVALSHA", "0".repeat(40), 0]]);
    expect(isNoScript(unknown)).toBe(true);
    const [wrong] = await pipeline(scene.redis, [["INCRBY", "word", 1]]);
    expect(isNoScript(wrong)).toBe(false);
    const [text] = await pipeline(scene.redis, [["CONFIG", "GET", "maxmemory"]]);
    expect(array(text).map(asText)).toEqual(["maxmemory", "0"]);
  });
});
