#!/usr/bin/env node
/** Runs a k6 scenario from a fresh clone. Arguments: `--help`, or see bench/README.md. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { ensureK6 } from "./k6-tool.mjs";
import { ensureRedis } from "./redis.mjs";
import { checkNode, ensureBuilt, ensureInstalled, fail, ROOT, SetUpError } from "./set-up.mjs";

/** Where tsconfig.k6.json puts the runner. */
const RUNNER = join(ROOT, "dist", "k6", "bench", "k6-runner");
const USAGE = 2;

checkNode();
try {
  ensureInstalled({ development: true });
  ensureBuilt();
  compile();
  const { readCommandLine } = await load("command-line.js");
  // Before anything that takes minutes: a mistyped flag is answered at once.
  const asked = readCommandLine(process.argv.slice(2));
  if (asked.kind === "run") process.exitCode = await run(asked.options);
  else answer(asked);
} catch (error) {
  fail(error);
}

async function run(options) {
  if (options.engine.kind === "private") await ensureRedis({ yes: options.yes });
  const k6 = await ensureK6();
  const runner = await load("run.js");
  return runner.run(options, { k6, root: ROOT });
}

function answer({ kind, text }) {
  const output = kind === "help" ? process.stdout : process.stderr;
  output.write(text);
  process.exitCode = kind === "help" ? 0 : USAGE;
}

/** Always, because a build of the engine removes from dist what is not its own. */
function compile() {
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.k6.json"], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) throw new SetUpError("tsc failed, see above");
}

function load(name) {
  return import(pathToFileURL(join(RUNNER, name)).href);
}
