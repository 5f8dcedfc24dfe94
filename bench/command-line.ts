/** What was asked for on the command line of `npm run bench`. */
import { accessSync, constants } from "node:fs";
import { resolve } from "node:path";

import { Command, CommanderError, InvalidArgumentError } from "commander";

import { SCENARIOS } from "./scenarios/all.ts";
import type { Scenario } from "./scenarios/scenario.ts";

export type Asked =
  | {
      readonly kind: "run";
      readonly scenarios: readonly Scenario[];
      readonly quick: boolean;
      readonly points: readonly number[] | null;
      readonly peers: boolean;
      readonly centrifugo: string | null;
    }
  | { readonly kind: "help" | "refused"; readonly text: string };

interface Flags {
  readonly quick?: boolean;
  readonly points?: number[];
  readonly peers?: boolean;
  readonly centrifugo?: string;
}

const POINT_MAX = 100_000;
const POINTS_MAX = 64;

export function readCommandLine(words: readonly string[]): Asked {
  let text = "";
  const program = describe().configureOutput({
    writeOut: (part) => (text += part),
    writeErr: (part) => (text += part),
  });
  try {
    program.parse(words, { from: "user" });
    const { quick = false, points = null, peers = true, centrifugo = null } = program.opts<Flags>();
    const scenarios = choose(program, program.args);
    if (points !== null) checkPoints(program, program.args, scenarios);
    return { kind: "run", scenarios, quick, points, peers, centrifugo };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: error.exitCode === 0 ? "help" : "refused", text };
  }
}

function describe(): Command {
  return new Command("npm run bench --")
    .description("Measures Millrace, each scenario in processes of its own; bench/README.md.")
    .argument("[scenarios...]", "which to run, one after the other; all when none is named")
    .option("--quick", "a few seconds each: that they work, not how fast; writes no result")
    .option("--points <list>", "measure only these, for instance 100,800", readPoints)
    .option("--no-peers", "leave out Socket.IO and the others; the floor stays")
    .option("--centrifugo <path>", "measure this binary of Centrifugo 6 too", readBinary)
    .option("--yes", "install a missing redis-server without asking")
    .addHelpText("after", `\nScenarios:\n${listed()}\n\n${EXIT_CODES}`)
    .showHelpAfterError("(add --help to see what there is)")
    .exitOverride();
}

const EXIT_CODES =
  "Exit codes: 0 measured, however slow; 1 something was lost, doubled or reordered; 2 bad usage.";

function listed(): string {
  return SCENARIOS.map(({ name, about, points }) => {
    const taken = points === undefined ? "" : `\n  ${" ".repeat(12)} --points: ${points}`;
    return `  ${name.padEnd(12)} ${about}${taken}`;
  }).join("\n");
}

function choose(program: Command, names: readonly string[]): readonly Scenario[] {
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    program.error(`error: no such scenario: ${unknown.join(", ")}\n${listed()}`);
  }
  return SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
}

/** Points mean something else in each scenario, so only one that was named takes them. */
function checkPoints(
  program: Command,
  names: readonly string[],
  chosen: readonly Scenario[],
): void {
  const [only, ...others] = chosen;
  if (names.length === 0 || only === undefined || others.length > 0) {
    program.error("error: --points is for one scenario at a time: name it");
  }
  if (only.points === undefined) program.error(`error: ${only.name} takes no --points`);
}

function readPoints(text: string): number[] {
  const words = text.split(",");
  const isPoint = (word: string): boolean =>
    /^[1-9]\d{0,5}$/.test(word) && Number(word) <= POINT_MAX;
  if (words.length > POINTS_MAX || !words.every(isPoint)) {
    throw new InvalidArgumentError(
      `Expected whole numbers from 1 to ${POINT_MAX} between commas, at most ${POINTS_MAX}.`,
    );
  }
  return words.map(Number);
}

function readBinary(path: string): string {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new InvalidArgumentError("There is no program at that path.");
  }
  return resolve(path);
}
