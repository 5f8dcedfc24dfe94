/** What is to be played: the logs that were named, or a synthetic corpus where there are none. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

import { ConfigError } from "../../config.ts";
import { parseLog, type LogFile } from "./log-file.ts";
import { planOf, type Cast, type Plan } from "./plan.ts";
import { seededRandom } from "./random.ts";
import { REAL_SHAPE, syntheticLogs } from "./synthetic.ts";

/** Each log is a room with two observers on sockets of their own. */
const LOGS_MAX = 1_000;

export interface Corpus {
  /** What was played in words; null for the files that were asked for. */
  readonly synthetic: string | null;
  readonly logs: readonly LogFile[];
  /** One for each log with anything to play. */
  readonly plans: readonly Plan[];
}

/** A pattern that the shell has left as it was names nothing; any other missing file is a mistake. */
export async function loadCorpus(
  names: readonly string[],
  seed: number,
  cast: Cast,
): Promise<Corpus> {
  const read = await Promise.all(names.map(readLog));
  const logs = read.filter((log) => log !== null);
  const patterns = names.filter((_, i) => read[i] === null);
  if (logs.length > LOGS_MAX)
    throw new ConfigError(`at most ${LOGS_MAX} logs can be played at once`);
  const synthetic = logs.length === 0 ? syntheticReason(patterns, seed) : null;
  if (synthetic !== null) {
    const made = syntheticLogs({ seed, ...REAL_SHAPE });
    logs.push(...made.map(({ name, content }) => parseLog(name, content)));
  }
  const random = seededRandom(seed);
  const plans = logs
    .map((log) => planOf(log, cast, random))
    .filter(({ steps }) => steps.length > 0);
  if (plans.length === 0) throw new ConfigError("there is nothing to play in these files");
  return { synthetic, logs, plans };
}

async function readLog(path: string): Promise<LogFile | null> {
  try {
    // Old logs mix encodings; what is no UTF-8 becomes U+FFFD, which can be sent.
    return parseLog(basename(path), new TextDecoder().decode(await readFile(path)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && path.includes("*")) return null;
    throw new ConfigError(`${path} cannot be read: ${code ?? String(error)}`);
  }
}

function syntheticReason(patterns: readonly string[], seed: number): string {
  const why = patterns.length > 0 ? `no file is named ${patterns.join(" ")}` : "no file was named";
  return `${why}: playing a synthetic corpus, made with seed ${seed}`;
}
