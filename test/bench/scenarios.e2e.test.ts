/** Every scenario of `npm run bench` works, from the command line to the table. Only completeness decides. */
import { spawn } from "node:child_process";

import { describe, expect, it } from "vitest";

import { SCENARIOS } from "../../bench/scenarios/all.ts";

interface Exit {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function quickly(scenario: string): Promise<Exit> {
  const words = ["bin/bench.mjs", "--quick", scenario];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  return new Promise((resolve) => {
    child.once("close", (code) => resolve({ code, out, err }));
  });
}

describe("npm run bench -- --quick", () => {
  it.each(SCENARIOS.map(({ name }) => name))("runs %s", async (name) => {
    const { code, out, err } = await quickly(name);
    expect({ code, err }).toMatchObject({ code: 0 });
    const [title, , head, line, ...rows] = out.trim().split("\n");
    expect({ title, line }).toEqual({ title: name, line: head?.replaceAll(/[^|]+/g, " --- ") });
    expect(rows.length).toBeGreaterThan(0);
  });
});
