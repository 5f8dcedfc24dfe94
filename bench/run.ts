/**
 * Runs scenarios one after the other: `npm run bench -- [flags] [scenario …]`.
 *
 * Exit code 1 when anything was lost, doubled or reordered: then there is no
 * result. Never because something was slow.
 */
import { readCommandLine } from "./command-line.ts";
import { untilQuiet as waitUntilQuiet } from "./engine/quiet.ts";
import { describeCommit, describeMachine } from "./report/machine.ts";
import { markdownTable, writeReport } from "./report/report.ts";

const RESULTS = "bench/results";
/** Between two lines of progress where there is no terminal to replace one on. */
const PROGRESS_MS = 5_000;
const BAD_USAGE = 2;

const words = process.argv.slice(2);
const asked = readCommandLine(words);
if (asked.kind !== "run") {
  const isHelp = asked.kind === "help";
  (isHelp ? process.stdout : process.stderr).write(asked.text);
  process.exit(isHelp ? 0 : BAD_USAGE);
}
const { quick, points, peers, centrifugo } = asked;

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
const faults: string[] = [];
for (const scenario of asked.scenarios) {
  const startedAt = new Date().toISOString();
  const findings = await scenario.run({ quick, points, peers, centrifugo, say, untilQuiet });
  faults.push(...findings.faults);
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  process.stdout.write(`\n${scenario.name}\n\n${markdownTable(findings.table)}\n\n`);
  if (quick) continue;
  const chosen = points === null ? "" : ` --points ${points.join(",")}`;
  const path = await writeReport(RESULTS, {
    scenario,
    startedAt,
    command: `npm run bench -- ${scenario.name}${chosen}`,
    commit: describeCommit(),
    machine,
    findings,
  });
  process.stdout.write(`written to ${path}\n`);
}
for (const fault of faults) process.stderr.write(`not a result: ${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
