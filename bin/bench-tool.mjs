#!/usr/bin/env node
/** Runs what reads benchmark results, from a fresh clone: `capacity` or `plots`, and its flags. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { checkNode, ensureInstalled, fail, ROOT, SetUpError } from "./set-up.mjs";

/** Where tsconfig.bench-tools.json puts them. */
const BUILT = join(ROOT, "dist", "bench-tools", "bench");
const TOOLS = {
  capacity: join(BUILT, "capacity", "run.js"),
  plots: join(BUILT, "report", "plots", "run.js"),
};

checkNode();
const [name, ...words] = process.argv.slice(2);
try {
  const tool = TOOLS[name];
  if (!tool) throw new SetUpError(`which tool: ${Object.keys(TOOLS).join(" or ")}?`);
  ensureInstalled({ development: true });
  // Always, because a build of the engine removes from dist what is not its own.
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  if (run(tsc, ["-p", "tsconfig.bench-tools.json"]) !== 0) {
    throw new SetUpError("tsc failed, see above");
  }
  process.exitCode = run(tool, words);
} catch (error) {
  fail(error);
}

function run(script, args) {
  const options = { cwd: ROOT, stdio: "inherit" };
  return spawnSync(process.execPath, [script, ...args], options).status ?? 1;
}
