/** `npm run capacity`; see docs/scaling.md. */
import { ResultError, newestResults } from "../report/results.ts";
import { CapacityError, FAULTS } from "./capacity-error.ts";
import { check } from "./check.ts";
import { faultText, readCommandLine, type Wanted } from "./command-line.ts";
import { answer } from "./model.ts";
import { oneMachine } from "./one-machine.ts";
import { answerText, checkText } from "./report.ts";
import { unitCosts } from "./unit-costs.ts";

process.exitCode = run(process.argv.slice(2));

function run(words: readonly string[]): number {
  const asked = readCommandLine(words);
  switch (asked.kind) {
    case "help":
      process.stdout.write(asked.text);
      return 0;
    case "refused":
      process.stderr.write(asked.text);
      return FAULTS["bad-flag"];
    case "answer":
    case "check":
      return calculate(asked);
  }
}

function calculate({ kind, question, json, results: dir }: Wanted): number {
  try {
    const results = newestResults(dir);
    if (kind === "check") {
      const checked = check(results);
      print(json, checked, () => checkText(checked));
      return 0;
    }
    const costs = unitCosts(results);
    const found = answer(costs, question);
    const machine = oneMachine(costs, question.receivers, question.target);
    const everything = { question, answer: found, oneMachine: machine, unitCosts: costs };
    print(json, everything, () => answerText(costs, question, found, machine));
    return 0;
  } catch (error) {
    const fault =
      error instanceof ResultError ? new CapacityError("bad-result", error.message) : error;
    if (!(fault instanceof CapacityError)) throw fault;
    process.stderr.write(faultText(fault));
    return FAULTS[fault.code];
  }
}

function print(asJson: boolean, data: object, text: () => string): void {
  process.stdout.write(`${asJson ? JSON.stringify(data, null, 2) : text()}\n`);
}
