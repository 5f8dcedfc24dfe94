/**
 * Runs scenarios one after the other: `npm run bench -- [--quick] [scenario …]`.
 *
 * Exit code 1 when anything was lost, doubled or reordered: then there is no
 * result. Never because something was slow.
 */
import { untilQuiet as waitUntilQuiet } from "./engine/quiet.ts";
import { idle } from "./scenarios/idle.ts";
import { projector } from "./scenarios/projector.ts";
import { rates } from "./scenarios/rates.ts";
import { rooms } from "./scenarios/rooms.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { describeCommit, describeMachine } from "./report/machine.ts";
import { markdownTable, writeReport } from "./report/report.ts";

const SCENARIOS: readonly Scenario[] = [rates, idle, projector, rooms];
const RESULTS = "bench/results";
/** Between two lines of progress where there is no terminal to replace one on. */
const PROGRESS_MS = 5_000;

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const names = args.filter((arg) => arg !== "--quick");
const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  const known = SCENARIOS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`).join("\n");
  process.stderr.write(`no such scenario: ${unknown.join(", ")}\n${known}\n`);
  process.exit(2);
}

let saidAt = 0;
function say(text: string): void {
  const terminal = process.stderr.isTTY;
  if (terminal) process.stderr.write(`\r\u001b[K${text}`);
  else if (performance.now() - saidAt >= PROGRESS_MS) {
    saidAt = performance.now();
    process.stderr.write(`${text}\n`);
  }
}

/** With `--quick` the figures mean nothing anyway. */
async function untilQuiet(): Promise<void> {
  if (!quick) await waitUntilQuiet(say);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}

const machine = await describeMachine();
const chosen = SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
const faults: string[] = [];
for (const scenario of chosen) {
  const startedAt = new Date().toISOString();
  const findings = await scenario.run({ quick, say, untilQuiet });
  faults.push(...findings.faults);
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  process.stdout.write(`\n${scenario.name}\n\n${markdownTable(findings.table)}\n\n`);
  if (quick) continue;
  const command = `npm run bench -- ${scenario.name}`;
  const commit = describeCommit();
  const path = await writeReport(RESULTS, {
    scenario,
    startedAt,
    command,
    commit,
    machine,
    findings,
  });
  process.stdout.write(`written to ${path}\n`);
}
for (const fault of faults) process.stderr.write(`not a result: ${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
