/** The style that can be checked, as functions from sources to complaints. */
import { posix } from "node:path";

import type { SourceFile } from "./source-file.ts";

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

/** Each part of src and what it may import: other parts, or single files. The order is the one in which to read them. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  ops: ["protocol"],
  redis: ["protocol", "ops"],
  streams: ["protocol", "redis"],
  domain: ["protocol", "streams", "redis/position.ts"],
  ingest: ["protocol", "ops", "redis", "streams"],
  projectors: ["protocol", "ops", "redis", "streams", "domain"],
  edge: ["protocol", "ops", "redis", "streams", "domain", "ingest"],
  client: ["protocol"],
  "setting-kinds.ts": [],
  "config.ts": ["protocol", "ops", "streams", "setting-kinds.ts"],
  cli: [
    "protocol",
    "ops",
    "redis",
    "streams",
    "domain",
    "client",
    "projectors",
    "edge",
    "config.ts",
  ],
  "main.ts": ["cli", "config.ts"],
};
/** Layers that run in a browser as well. */
const BROWSER_SAFE = new Set(["protocol", "client"]);
/** Packages that have one door. */
const DOORS: Readonly<Record<string, RegExp>> = {
  ioredis: /^(src\/redis|bench\/peers)\//,
  "uWebSockets.js": /^src\/edge\/sockets\/(server|wire)-uws\.ts$/,
  commander: /^src\/(cli\/program|main)\.ts$/,
};
/** Things that only one place may use; `any` and parked tests have none. */
const PLACES: Readonly<Record<string, RegExp>> = {
  "process.env": /^(src\/config\.ts$|bin\/|bench\/|test\/)/,
  "Date.now": /^(src\/ops\/clock\.ts$|src\/client\/|bench\/|test\/)/,
  "new Date()": /^(src\/ops\/clock\.ts$|src\/client\/|bench\/|test\/)/,
  "a signal handler": /^(src\/main\.ts$|bench\/)/,
};
const BARREL_ALLOWED = "src/client/index.ts";
const VAGUE_NAME = /(^|\/|-)(utils?|helpers?|common|misc|shared|lib)(\/|-|\.|$)/;

export function complaintsOf(file: SourceFile): string[] {
  return [...sizes(file), ...names(file), ...uses(file), ...layers(file)];
}

function sizes({ path, lines, functions }: SourceFile): string[] {
  const found = functions
    .filter((each) => each.lines > FUNCTION_LINES_MAX)
    .map(
      (each) =>
        `${path}:${each.line} a function of ${each.lines} lines, at most ${FUNCTION_LINES_MAX}`,
    );
  if (lines > FILE_LINES_MAX) found.push(`${path} has ${lines} lines, at most ${FILE_LINES_MAX}`);
  return found;
}

function names({ path, isBarrel }: SourceFile): string[] {
  const found: string[] = [];
  if (VAGUE_NAME.test(path)) found.push(`${path} is named after nothing in particular`);
  if (isBarrel && path !== BARREL_ALLOWED) found.push(`${path} is a barrel`);
  return found;
}

function uses({ path, uses }: SourceFile): string[] {
  return uses
    .filter(({ what }) => !PLACES[what]?.test(path))
    .map(({ line, what }) => `${path}:${line} ${what} has no place here`);
}

function layers({ path, imports }: SourceFile): string[] {
  const layer = layerOf(path);
  if (layer === null) return [];
  const allowed = LAYERS[layer];
  if (!allowed) return [`${path} is in no layer that is known`];
  return imports.flatMap(({ from }) => {
    if (from.startsWith("node:")) return BROWSER_SAFE.has(layer) ? [`${path} imports ${from}`] : [];
    if (!from.startsWith("."))
      return (DOORS[from]?.test(path) ?? true) ? [] : [`${path} imports ${from}`];
    const file = posix.join(posix.dirname(path), from);
    const target = layerOf(file);
    // A single file of another layer may be allowed by its name.
    const named = [target, file.replace(/^src\//, "")];
    const fits = target === layer || named.some((name) => name !== null && allowed.includes(name));
    return fits ? [] : [`${path} imports ${from}: ${layer} may not import ${target ?? "that"}`];
  });
}

/** `edge` of src/edge/…, `main.ts` of src/main.ts, null outside of src. */
function layerOf(path: string): string | null {
  const [top, layer] = path.split("/");
  return top === "src" ? (layer ?? null) : null;
}

/** Circles of imports that exist at run time, each as a path that ends where it began. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const targets = new Map(files.map((file) => [file.path, resolved(file)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) cycles.push([...trail.slice(at), path].join(" → "));
    if (at !== -1 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const path of targets.keys()) walk(path, []);
  return cycles;
}

function resolved({ path, imports }: SourceFile): string[] {
  return imports
    .filter(({ from, typeOnly }) => from.startsWith(".") && !typeOnly)
    .map(({ from }) => posix.join(posix.dirname(path), from));
}

interface LockedPackage {
  readonly resolved?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * A lockfile that was written on one platform may lack the binaries of others;
 * `npm ci` then fails there.
 */
export function lockComplaints(packages: Readonly<Record<string, LockedPackage>>): string[] {
  const found: string[] = [];
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!isLocked(packages, path, name)) found.push(`${path} names ${name}, which has no entry`);
    }
    if (entry.resolved !== undefined && !entry.link) found.push(`${path} names a registry`);
  }
  return found;
}

/** Whether a package at `path` would find `name` by walking up, as Node does. */
function isLocked(
  packages: Readonly<Record<string, unknown>>,
  path: string,
  name: string,
): boolean {
  const below = path === "" ? "" : `${path}/`;
  if (`${below}node_modules/${name}` in packages) return true;
  if (path === "") return false;
  return isLocked(packages, path.slice(0, Math.max(0, path.lastIndexOf("/node_modules/"))), name);
}
