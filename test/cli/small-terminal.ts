/** Shows what a person would see: the few control sequences that readline writes. */
import { Writable } from "node:stream";

// oxlint-disable-next-line no-control-regex
const TOKEN = /\u001b\[(\d*)(?:;\d+)*([A-Za-z])|[\s\S]/gu;

export class SmallTerminal extends Writable {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows = 200;
  readonly #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  /** Sequences that a chat has no business to write. */
  readonly foreign: string[] = [];

  constructor(columns: number) {
    super();
    this.columns = columns;
  }

  /** Lines without trailing blanks; the cursor as `row:column` counts from 0. */
  get shown(): string[] {
    const lines = this.#lines.map((line) => line.join("").trimEnd());
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }
  get cursor(): string {
    return `${this.#row}:${this.#column}`;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const [token, amount = "", letter] of chunk.toString().matchAll(TOKEN)) {
      if (letter !== undefined) this.#control(letter, amount === "" ? null : Number(amount), token);
      else this.#character(token);
    }
    done();
  }

  #control(letter: string, amount: number | null, token: string): void {
    const steps = amount ?? 1;
    if (letter === "A") this.#row = Math.max(0, this.#row - steps);
    else if (letter === "B") this.#down(steps);
    else if (letter === "C") this.#column += steps;
    else if (letter === "D") this.#column = Math.max(0, this.#column - steps);
    else if (letter === "G") this.#column = steps - 1;
    else if (letter === "K") this.#line().splice(this.#column);
    else if (letter === "J" && (amount ?? 0) === 0) {
      this.#line().splice(this.#column);
      this.#lines.splice(this.#row + 1);
    } else if (letter !== "m") this.foreign.push(token);
  }

  #character(char: string): void {
    if (char === "\r") this.#column = 0;
    else if (char === "\n") {
      this.#down(1);
      this.#column = 0;
    } else if (char < " ") this.foreign.push(char);
    else {
      if (this.#column >= this.columns) {
        this.#down(1);
        this.#column = 0;
      }
      const line = this.#line();
      while (line.length < this.#column) line.push(" ");
      line[this.#column] = char;
      this.#column += 1;
    }
  }

  #down(steps: number): void {
    this.#row += steps;
    while (this.#lines.length <= this.#row) this.#lines.push([]);
  }

  #line(): string[] {
    return (this.#lines[this.#row] ??= []);
  }
}
