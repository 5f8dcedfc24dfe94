#!/usr/bin/env node
/** Runs benchmarks from a fresh clone. Arguments: names of scenarios, `--quick`; see bench/README.md. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { ensureRedis } from "./redis.mjs";
import { checkNode, ensureBuilt, ensureInstalled, fail, ROOT, SetUpError } from "./set-up.mjs";

checkNode();
const args = process.argv.slice(2);
try {
  ensureInstalled({ development: true });
  ensureBuilt();
  await ensureRedis({ yes: args.includes("--yes") });
  // Always, because a build of the engine removes from dist what is not its own.
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  if (run(tsc, ["-p", "tsconfig.bench.json"]) !== 0) throw new SetUpError("tsc failed, see above");
} catch (error) {
  fail(error);
}
const main = join(ROOT, "dist", "bench", "bench", "run.js");
process.exit(
  run(
    main,
    args.filter((arg) => arg !== "--yes"),
  ),
);

function run(script, words) {
  const options = { cwd: ROOT, stdio: "inherit" };
  return spawnSync(process.execPath, [script, ...words], options).status ?? 1;
}
