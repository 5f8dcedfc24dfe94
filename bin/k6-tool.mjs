#!/usr/bin/env node
/**
 * Finds k6, or builds it with Go into .millrace/tools; where it can do neither,
 * says what to do. Plain JavaScript without dependencies.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

import { fail, ROOT, SetUpError, step } from "./set-up.mjs";

const K6_VERSION = "1.8.1";
/** The first with what the scenarios use: `k6/websockets` and TypeScript as it is. */
const K6_MIN = [1, 6];
/** What k6 itself asks for. */
const GO_MIN = [1, 25];
const NO_WAY = 3;
const TOOLS = join(ROOT, ".millrace", "tools");
/** Between two lines of progress where there is no terminal to replace one on. */
const PROGRESS_MS = 15_000;

/** k6 is not there and cannot be built here. */
class NoWay extends SetUpError {}

/** The command that runs k6, or null. One on PATH comes before one that was built here. */
function findK6() {
  return (
    ["k6", join(TOOLS, "k6")].find((command) => isRecent(command, ["version"], K6_MIN)) ?? null
  );
}

function canBuildK6() {
  return isRecent("go", ["version"], GO_MIN);
}

/** Resolves with the command that runs k6; throws SetUpError with what to do when there is none. */
export async function ensureK6() {
  const found = findK6();
  if (found !== null) return found;
  if (!canBuildK6()) {
    throw new NoWay(
      `k6 ${K6_MIN.join(".")} or later is needed and not on PATH, and without Go ${GO_MIN.join(".")} ` +
        "it cannot be built here: https://grafana.com/docs/k6/latest/set-up/install-k6/",
    );
  }
  step(`building k6 ${K6_VERSION} with Go, once, some three minutes`);
  mkdirSync(TOOLS, { recursive: true });
  const { status, lastWords } = await buildK6();
  const built = findK6();
  if (status === 0 && built !== null) return built;
  throw new SetUpError(`go install of k6 failed:\n  ${lastWords.join("\n  ")}`);
}

function buildK6() {
  const words = ["install", "-v", `go.k6.io/k6@v${K6_VERSION}`];
  const env = { ...process.env, GOBIN: TOOLS };
  const go = spawn("go", words, { env, stdio: ["ignore", "ignore", "pipe"] });
  const lastWords = [];
  const startedAt = performance.now();
  let packages = 0;
  let saidAt = startedAt;
  const terminal = process.stderr.isTTY;
  createInterface({ input: go.stderr }).on("line", (line) => {
    if (!line.startsWith("go: downloading")) packages++;
    lastWords.push(line);
    if (lastWords.length > 5) lastWords.shift();
    if (!terminal && performance.now() - saidAt < PROGRESS_MS) return;
    saidAt = performance.now();
    const seconds = Math.round((saidAt - startedAt) / 1_000);
    const text = `· k6: ${packages} packages, ${seconds} s`;
    process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
  });
  return new Promise((resolve) => {
    go.once("error", (error) => resolve({ status: 1, lastWords: [error.message] }));
    go.once("close", (status) => {
      if (terminal) process.stderr.write("\r\u001b[K");
      resolve({ status, lastWords });
    });
  });
}

/** Whether `command` runs and calls itself this version or a later one. */
function isRecent(command, words, [major, minor]) {
  const { status, stdout } = spawnSync(command, words, { encoding: "utf8" });
  const version = status === 0 ? /(\d+)\.(\d+)/.exec(stdout) : null;
  if (version === null) return false;
  const [foundMajor, foundMinor] = version.slice(1).map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}

// For tests: prints the command, or leaves with a code of its own where there can be none.
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    process.stdout.write(`${await ensureK6()}\n`);
  } catch (error) {
    if (!(error instanceof NoWay)) fail(error);
    process.stderr.write(`${error.message}\n`);
    process.exitCode = NO_WAY;
  }
}
