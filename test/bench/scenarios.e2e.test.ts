/** Every scenario of `npm run bench` works, from the command line to the table. Only completeness decides. */
import { spawn } from "node:child_process";

import { describe, expect, it } from "vitest";

import { SCENARIOS } from "../../bench/scenarios/all.ts";

interface Exit {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function bench(...words: readonly string[]): Promise<Exit> {
  const child = spawn(process.execPath, ["bin/bench.mjs", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  return new Promise((resolve) => {
    child.once("close", (code) => resolve({ code, out, err }));
  });
}

describe("npm run bench -- --quick", () => {
  it.each(SCENARIOS.map(({ name }) => name))("runs %s", async (name) => {
    const { code, out, err } = await bench("--quick", name);
    expect({ code, err }).toMatchObject({ code: 0 });
    const [title, , head, line, ...rows] = out.trim().split("\n");
    expect({ title, line }).toEqual({ title: name, line: head?.replaceAll(/[^|]+/g, " --- ") });
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe("npm run bench", () => {
  it("answers --help, and what it does not know with exit code 2", async () => {
    const help = await bench("--help");
    expect(help.code).toBe(0);
    for (const { name } of SCENARIOS) expect(help.out).toContain(name);
    const wrong = await bench("rates", "--quik");
    expect(wrong).toMatchObject({ code: 2, out: "" });
    expect(wrong.err).toContain("unknown option '--quik'");
  });
});
