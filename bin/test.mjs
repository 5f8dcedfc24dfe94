#!/usr/bin/env node
/** Runs the tests from a fresh clone. Arguments go to vitest, for instance a file or `--project unit`. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { ensurePrometheus } from "./prometheus.mjs";
import { ensureRedis } from "./redis.mjs";
import { checkNode, ensureBuilt, ensureInstalled, fail, ROOT } from "./set-up.mjs";

checkNode();
const args = process.argv.slice(2);
try {
  ensureInstalled({ development: true });
  ensureBuilt();
  await ensureRedis({ yes: args.includes("--yes") });
  ensurePrometheus();
} catch (error) {
  fail(error);
}
const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
const rest = args.filter((arg) => arg !== "--yes");
const { status } = spawnSync(process.execPath, [vitest, "run", ...rest], {
  cwd: ROOT,
  stdio: "inherit",
});
process.exit(status ?? 1);
