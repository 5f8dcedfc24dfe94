/** One scenario from the command line to its table: starts the engine, runs k6, prints, keeps. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfigError } from "../../src/config.ts";
import type { Plan } from "../k6/plan.ts";
import { describeCommit, describeMachine } from "../report/machine.ts";
import type { RunOptions } from "./command-line.ts";
import { EngineError, openEngine, type Engine } from "./engine.ts";
import { runK6 } from "./k6-process.ts";
import { outcomeTable } from "./outcome-table.ts";
import { readOutcome, type Outcome } from "./outcome.ts";

const RESULTS = join("bench", "results");

export interface Place {
  /** The command that runs k6. */
  readonly k6: string;
  /** Folder of the repository. */
  readonly root: string;
}

/** Resolves with the exit code of k6, after everything that was started has ended. */
export async function run(options: RunOptions, { k6, root }: Place): Promise<number> {
  const { scenario, sizes, smoke, prometheus } = options;
  const startedAt = new Date().toISOString();
  const dir = await mkdtemp(join(tmpdir(), "millrace-k6-"));
  let engine: Engine | null = null;
  try {
    engine = await openEngine(options.engine, sizes, root);
    const { urls, secret, audience } = engine;
    const summaryPath = join(dir, "summary.json");
    const plan: Plan = {
      ...sizes,
      scenario,
      urls,
      secret,
      audience,
      run: randomBytes(4).toString("hex"),
      timed: !smoke,
      summaryPath,
    };
    const script = join(root, "bench", "k6", `${scenario}.ts`);
    const before = engine.memory();
    const code = await runK6({ k6, script, plan, prometheus });
    const after = engine.memory();
    const memory = [...before].map(([name, mib]) => ({
      name,
      before: mib,
      after: after.get(name) ?? 0,
    }));
    const text = await readFile(summaryPath, "utf8").catch(() => null);
    if (text === null) return code === 0 ? 1 : code;
    const outcome = readOutcome(text, { scenario, sizes, memory });
    process.stdout.write(`\n${outcomeTable(outcome)}\n`);
    if (options.save) await save(root, startedAt, outcome);
    return code;
  } catch (error) {
    if (!(error instanceof EngineError || error instanceof ConfigError)) throw error;
    process.stderr.write(`millrace: ${error.message}\n`);
    return 1;
  } finally {
    await engine?.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function save(root: string, startedAt: string, outcome: Outcome): Promise<void> {
  await mkdir(join(root, RESULTS), { recursive: true });
  const name = `${startedAt.slice(0, 10)}-k6-${outcome.scenario}.json`;
  const machine = await describeMachine();
  const data = { startedAt, commit: describeCommit(), machine, ...outcome };
  await writeFile(join(root, RESULTS, name), `${JSON.stringify(data, null, 2)}\n`);
  process.stdout.write(`kept in ${join(RESULTS, name)}\n`);
}
