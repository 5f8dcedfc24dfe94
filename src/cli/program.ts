/** The command line: which commands there are and what each of them takes. */
import { Command } from "commander";

import { flagsOf, readConfig, type CommandName, type Config, type Flags } from "../config.ts";

/** What a command does with its settings, the options that only it has, and its arguments. */
export type Action = (config: Config, options: Flags, words: readonly string[]) => Promise<void>;
export type Actions = Readonly<Record<CommandName, Action>>;

interface CommandRow {
  readonly about: string;
  /** Takes any number of them. */
  readonly arguments?: readonly [syntax: string, about: string];
  readonly options?: readonly (readonly [syntax: string, about: string, fallback?: string])[];
  readonly required?: readonly (readonly [syntax: string, about: string])[];
}

const ROWS: Readonly<Record<CommandName, CommandRow>> = {
  start: { about: "run Redis, projectors and edges under one supervisor" },
  edge: { about: "run one edge: sockets, HTTP, appends and pushes" },
  projector: { about: "run one projector: folds the events streams into conversations" },
  token: {
    about: "print a token for a user",
    required: [["--as <user>", "the user it speaks for"]],
    options: [["--for <time>", "how long it is valid: 30m, 24h, 7d", "24h"]],
  },
  status: { about: "show every partition: stream, group, owner, lag" },
  chat: {
    about: "chat on the terminal",
    required: [["--as <user>", "who you are"]],
    options: [
      ["--room <room>", "the room to enter", "general"],
      ["--url <url>", "address of an edge, instead of HOST and PORT"],
      ["--token <token>", "a token, instead of one signed here"],
    ],
  },
  observe: { about: "run a Prometheus over the engine that start runs from the same DATA_DIR" },
  replay: {
    about:
      "play chat logs through an engine and prove that nothing is lost, doubled or reordered, and that members, presence, unread counts and receipts come out right",
    arguments: ["[logs...]", "IRC logs, a room each; without any a synthetic corpus is played"],
    options: [
      [
        "--speed <rate>",
        "times the pace of the logs, or max: as fast as their order allows",
        "max",
      ],
      ["--kill", "kill (-9) edges and projectors all along and start them again"],
      [
        "--seed <number>",
        "for the synthetic corpus, for who attends and reads what, and for what is killed when; else by chance",
      ],
      ["--url <url>", "address of an engine that runs, instead of one of its own"],
    ],
  },
};

/** Throws CommanderError on bad usage and ConfigError on bad values. */
export function buildProgram(actions: Actions): Command {
  const program = new Command("millrace")
    .description("An event-sourced chat engine on Redis Streams.")
    .exitOverride()
    .showHelpAfterError("(add --help to see what there is)");
  for (const [name, row] of Object.entries(ROWS) as [CommandName, CommandRow][]) {
    const command = program.command(name).description(row.about);
    if (row.arguments) command.argument(...row.arguments);
    for (const option of row.required ?? []) command.requiredOption(...option);
    for (const option of row.options ?? []) command.option(...option);
    for (const flag of flagsOf(name)) command.option(flag.syntax, flag.about);
    command.action(async () => {
      const options = command.opts<Flags>();
      await actions[name](readConfig(name, options), options, command.args);
    });
  }
  return program;
}
