/** What a figure was measured on; a figure without it says nothing. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";

import { findRedisBinary } from "../../src/cli/redis-process.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly redis: string;
}

export async function describeMachine(): Promise<Machine> {
  const binary = (await findRedisBinary()) ?? "redis-server";
  const version = output(binary, ["--version"]);
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    redis: `${binary} ${/v=(\S+)/.exec(version)?.[1] ?? version}`,
  };
}

/** With `+changes` where the working tree is not what was committed. */
export function describeCommit(): string {
  try {
    const commit = output("git", ["rev-parse", "--short=12", "HEAD"]);
    const changes = output("git", ["status", "--porcelain", "--untracked-files=no", "src"]);
    return changes === "" ? commit : `${commit}+changes`;
  } catch {
    // A copy without its history can be measured as well.
    return "unknown";
  }
}

function output(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: "utf8" }).trim();
}
