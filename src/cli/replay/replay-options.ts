/** The options that only `replay` has, checked. */
import { randomBytes } from "node:crypto";

import { ConfigError, type Flags } from "../../config.ts";
import { SEED_MAX } from "./random.ts";

/** Slower than this, one pause of a log would outlast what a timer can wait. */
const SPEED_MIN = 0.1;
const SPEED_MAX = 1_000_000;

export interface ReplayOptions {
  /** Times the log's own pace; null: as fast as the order allows. */
  readonly speed: number | null;
  readonly seed: number;
  readonly kill: boolean;
  /** An engine that runs already; null: one is started. */
  readonly url: string | null;
}

/** @throws ConfigError with one line for everything that is wrong. */
export function readReplayOptions(flags: Flags): ReplayOptions {
  const problems: string[] = [];
  const speed = flags["speed"] === "max" ? null : Number(flags["speed"]);
  if (speed !== null && !(speed >= SPEED_MIN && speed <= SPEED_MAX)) {
    problems.push(
      `--speed: expected max or a number from ${SPEED_MIN} to ${SPEED_MAX}, not "${flags["speed"]}"`,
    );
  }
  const given = flags["seed"];
  const seed = given === undefined ? randomBytes(4).readUInt32BE() : Number(given);
  if (given !== undefined && !(/^\d{1,10}$/.test(String(given)) && seed <= SEED_MAX)) {
    problems.push(`--seed: expected a whole number from 0 to ${SEED_MAX}, not "${given}"`);
  }
  const url = flags["url"] === undefined ? null : String(flags["url"]);
  if (url !== null && !isAddress(url)) {
    problems.push(`--url: expected an http or https address, not "${url}"`);
  }
  const kill = flags["kill"] === true;
  if (kill && url !== null) {
    problems.push("--kill: only an engine of the replay's own can be killed: leave out --url");
  }
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return { speed, seed, kill, url };
}

function isAddress(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
