/** What was asked for on the command line of `npm run capacity`. */
import { Command, CommanderError } from "commander";

import { CapacityError, FAULTS } from "./capacity-error.ts";
import {
  flagOf,
  INPUT_NAMES,
  INPUTS,
  readQuestion,
  type InputName,
  type Question,
} from "./question.ts";

export interface Wanted {
  readonly kind: "answer" | "check";
  readonly question: Question;
  readonly json: boolean;
  /** Folder of the results. */
  readonly results: string;
}
export type Asked = Wanted | { readonly kind: "help" | "refused"; readonly text: string };

type Given = Partial<Record<InputName, string>> & {
  readonly json?: true;
  readonly check?: true;
  readonly results: string;
};

export function readCommandLine(words: readonly string[]): Asked {
  let text = "";
  const program = describe().configureOutput({
    writeOut: (part) => (text += part),
    writeErr: (part) => (text += part),
  });
  try {
    program.parse(words, { from: "user" });
    const { json, check, results, ...given } = program.opts<Given>();
    const question = readQuestion(given);
    return { kind: check ? "check" : "answer", question, json: json === true, results };
  } catch (error) {
    if (error instanceof CapacityError) return { kind: "refused", text: faultText(error) };
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "help", text };
    return { kind: "refused", text: text.replace(/^error:/, "capacity: bad-flag:") };
  }
}

export function faultText({ code, message }: CapacityError): string {
  return `capacity: ${code}: ${message}\n`;
}

function describe(): Command {
  const program = new Command("npm run capacity --")
    .description(
      "How many edges, projectors and Redis servers a chat of some size needs, from the newest\nmeasurements in bench/results; docs/scaling.md explains the model.",
    )
    .allowExcessArguments(false)
    .exitOverride()
    .showHelpAfterError("(add --help to see what there is)")
    .configureHelp({ helpWidth: 100 });
  for (const name of INPUT_NAMES) {
    const { unit, about, min, max, default: fallback } = INPUTS[name];
    const otherwise = fallback === null ? "" : `; ${number(fallback)}`;
    const range = `${number(min)} to ${number(max)}`;
    program.option(`${flagOf(name)} <${unit}>`, `${about} (${range}${otherwise})`);
  }
  return program
    .option("--json", "everything as JSON")
    .option("--check", "instead: how far the model is off at points that it was not fitted to")
    .option("--results <folder>", "where the results are", "bench/results")
    .addHelpText("after", `\n${EXAMPLE}\n\n${EXIT_CODES}`);
}

const EXAMPLE =
  "For instance:\n  npm run capacity -- --users 10e6 --msgs-per-user-day 40 --room-size 20 --receivers 6";
const EXIT_CODES = `Exit codes: 0 answered; ${Object.entries(FAULTS)
  .map(([code, exit]) => `${exit} ${code}`)
  .join("; ")}.`;

/** Large ones as they are typed. */
function number(value: number): string {
  return value >= 1e6 ? value.toExponential().replace("+", "") : String(value);
}
