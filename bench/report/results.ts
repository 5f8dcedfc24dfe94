/** Results that were written earlier: of each scenario the newest. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Machine } from "./machine.ts";

export interface Result {
  /** Its name within the folder. */
  readonly file: string;
  readonly scenario: string;
  readonly about: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly command: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly faults: readonly string[];
  /** Each scenario has a shape of its own; who reads one looks before believing. */
  readonly cases: readonly unknown[];
}
export type Results = ReadonlyMap<string, Result>;

/** What a result file has wrong, with a sentence for a person. */
export class ResultError extends Error {
  override readonly name = "ResultError";
}

const TEXTS = ["scenario", "about", "startedAt", "command", "commit"] as const;

/** Throws ResultError where the folder cannot be read or a file in it is no JSON. */
export function newestResults(dir: string): Results {
  const newest = new Map<string, Result>();
  for (const file of namesIn(dir)) {
    const result = asResult(file, contentOf(join(dir, file)));
    // Other tools keep their results here as well.
    if (result === null) continue;
    const known = newest.get(result.scenario);
    if (!known || known.startedAt < result.startedAt) newest.set(result.scenario, result);
  }
  return newest;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith(".json"))
      .sort();
  } catch (error) {
    throw new ResultError(`${dir}: cannot be read`, { cause: error });
  }
}

function contentOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new ResultError(`${path}: is no JSON`, { cause: error });
  }
}

/** Null for anything that `writeReport` did not write. */
export function asResult(file: string, content: unknown): Result | null {
  if (!isRecord(content) || !TEXTS.every((name) => typeof content[name] === "string")) return null;
  if (!Array.isArray(content["cases"]) || !isRecord(content["machine"])) return null;
  return { faults: [], ...content, file } as unknown as Result;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** NaN where there is no such number: comparisons with it are false, and sums show it. */
export function numberAt(value: unknown, ...path: readonly string[]): number {
  let at = value;
  for (const name of path) at = isRecord(at) ? at[name] : undefined;
  return typeof at === "number" ? at : Number.NaN;
}
