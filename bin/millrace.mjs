#!/usr/bin/env node
/**
 * Runs millrace from a fresh clone: what is missing is installed and built
 * first. Plain JavaScript without dependencies, because nothing is there yet.
 */
import { fileURLToPath } from "node:url";

import { checkNode, ensureBuilt, ensureInstalled, fail, isBuilt, MAIN } from "./set-up.mjs";
import { ensurePrometheus } from "./prometheus.mjs";
import { ensureRedis } from "./redis.mjs";

checkNode();
const words = process.argv.slice(2);
try {
  // A built engine runs without the development packages.
  const built = isBuilt();
  ensureInstalled({ development: !built });
  if (!built) ensureBuilt();
  if (needsPrometheus()) process.env.PROMETHEUS = ensurePrometheus().prometheus;
  if (needsRedis()) await ensureRedis({ yes: words.includes("--yes") });
} catch (error) {
  fail(error);
}
// In this process, so that signals, exit code and terminal are the engine's own.
process.argv[1] = fileURLToPath(MAIN);
await import(MAIN.href);

function needsPrometheus() {
  const named = process.env.PROMETHEUS || words.some((word) => word.startsWith("--prometheus="));
  return words[0] === "observe" && !named && !words.includes("--prometheus") && !wantsHelp();
}

function wantsHelp() {
  return words.includes("--help") || words.includes("-h");
}

function needsRedis() {
  if (wantsHelp()) return false;
  const named = process.env.REDIS_URL || words.some((word) => word.startsWith("--redis-url"));
  const running = words[0] === "replay" && words.some((word) => word.startsWith("--url"));
  return !named && !running && (words[0] === "start" || words[0] === "replay");
}
