/** The steps from a clone to something that runs; each is done only when it is needed. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const MAIN = new URL("../dist/main.js", import.meta.url);

const NODE_MIN = [20, 19];
const STAMP = join(ROOT, "dist", ".built");

/** A step that failed, with a sentence for a person. */
export class SetUpError extends Error {}

export function fail(error) {
  process.stderr.write(`millrace: ${error instanceof SetUpError ? error.message : error.stack}\n`);
  process.exit(1);
}

/** One line a step; on stderr, because the engine's own output may be read by machines. */
export function step(text) {
  process.stderr.write(`· ${text}\n`);
}

export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = NODE_MIN;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(new SetUpError(`Node ${NODE_MIN.join(".")} or later is needed, this is ${process.version}`));
}

/** Runs `npm ci` when a package is missing or has another version than the lockfile says. */
export function ensureInstalled({ development }) {
  const reason = installReason(development);
  if (reason === null) return;
  step(`installing packages (${reason})`);
  run("npm", ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"]);
}

function installReason(development) {
  const wanted = readJson(join(ROOT, "package-lock.json"));
  // npm writes this file last, so an interrupted install does not count.
  const found = readJson(join(ROOT, "node_modules", ".package-lock.json"));
  if (!found) return "there are none yet";
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (path === "" || entry.optional || entry.devOptional) continue;
    if (entry.dev && !development) continue;
    if (found.packages[path]?.version !== entry.version) {
      return `${path.replace(/^.*node_modules\//, "")} differs from the lockfile`;
    }
  }
  return null;
}

/** True when dist was built from exactly these sources. A few milliseconds. */
export function isBuilt() {
  return existsSync(MAIN) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === sourcesDigest();
}

export function ensureBuilt() {
  if (isBuilt()) return;
  step("building");
  const digest = sourcesDigest();
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  run(process.execPath, [tsc, "-p", "tsconfig.build.json"]);
  const sources = files(join(ROOT, "src"));
  for (const path of sources.filter((path) => path.endsWith(".lua"))) {
    const target = join(ROOT, "dist", relative(join(ROOT, "src"), path));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
  removeOrphans(new Set(sources));
  writeFileSync(STAMP, digest);
}

/** Output whose source is gone would still be found by an import. */
function removeOrphans(sources) {
  for (const path of files(join(ROOT, "dist"))) {
    const stem = join(ROOT, "src", relative(join(ROOT, "dist"), path));
    const source = stem.replace(/\.js(\.map)?$/, ".ts");
    if (source !== stem && !sources.has(source)) rmSync(path);
  }
}

function sourcesDigest() {
  const hash = createHash("sha256").update(process.versions.node);
  const configs = ["tsconfig.json", "tsconfig.build.json", "package-lock.json"];
  for (const path of [...files(join(ROOT, "src")), ...configs.map((name) => join(ROOT, name))]) {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${relative(ROOT, path)} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}

function files(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;
}

/** Output goes to stderr for the same reason as in `step`. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (error) throw new SetUpError(`${command} cannot be run: ${error.message}`);
  if (status !== 0) throw new SetUpError(`${command} ${args[0]} failed, see above`);
}
