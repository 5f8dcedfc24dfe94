/** One terminal for many processes: every line says who spoke, in a colour of its own. */
import type { Config } from "../config.ts";
import { readableLine } from "../ops/log-line.ts";
import { createLog, type Log } from "../ops/log.ts";

/** Colours that can be told apart on light and dark ground. */
const COLORS = [36, 35, 32, 33, 34, 96, 95, 92] as const;
const NAME_WIDTH = 11;

export class Output {
  readonly #config: Config;
  readonly #color: boolean;
  readonly #colorOf = new Map<string, number>();

  constructor(config: Config) {
    this.#config = config;
    this.#color = process.stdout.isTTY && process.stdout.hasColors();
    // Whoever read this may go (`| head`); the engine must not go with them.
    process.stdout.on("error", () => undefined);
  }

  /** A line of a child process: one of our JSON records, or anything else. */
  line(source: string, line: string): void {
    // Machines get each record as it is: it names its role itself.
    if (this.#config.logFormat === "json") process.stdout.write(`${line}\n`);
    else this.#write(source, readableLine(line, { color: this.#color, source: false }));
  }

  /** For what this process has to say itself. */
  log(source: string): Log {
    const destination = { write: (line: string) => this.line(source, line.trimEnd()) };
    return createLog({ level: this.#config.logLevel, format: "json", name: source, destination });
  }

  /** Lines for a person, without a prefix; machines are not given them. */
  block(text: string): void {
    if (this.#config.logFormat === "pretty") process.stdout.write(`\n${text}\n\n`);
  }

  #write(source: string, text: string): void {
    const prefix = this.#painted(source);
    for (const line of text.split("\n")) process.stdout.write(`${prefix} ${line}\n`);
  }

  #painted(source: string): string {
    const label = `${source.padEnd(NAME_WIDTH)} │`;
    if (!this.#color) return label;
    const known = this.#colorOf.get(source) ?? COLORS[this.#colorOf.size % COLORS.length] ?? 0;
    this.#colorOf.set(source, known);
    return `\u001B[${known}m${label}\u001B[0m`;
  }
}
