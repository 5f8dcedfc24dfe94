/** Where the chat is shown and typed: a terminal, or plain lines in and out. */
import {
  clearScreenDown,
  createInterface,
  cursorTo,
  moveCursor,
  type Interface,
} from "node:readline";
import type { Readable, Writable } from "node:stream";

export interface Screen {
  /** Somebody sits there and waits. */
  readonly interactive: boolean;
  /** Typed lines, until the input ends. */
  readonly lines: AsyncIterable<string>;
  /** Adds lines for good; control sequences from others have been taken out before. */
  print(lines: readonly string[]): void;
  /** Where lines can be replaced: all messages that are not in effect yet. */
  showUnsent(lines: readonly string[]): void;
  /** Where lines stay: one message that cannot go at once. */
  printUnsent(line: string): void;
  showPrompt(label: string): void;
  close(): void;
}

export function openScreen(input: Readable, output: Writable): Screen {
  const terminal = "isTTY" in input && input.isTTY === true && "isTTY" in output && output.isTTY;
  return terminal === true ? new TerminalScreen(input, output) : new LineScreen(input, output);
}

/**
 * The input line stays at the bottom, with the unsent messages above it. Both
 * are readline's prompt, so readline keeps count of their rows when the line
 * is edited, wraps, or the terminal changes its width.
 */
class TerminalScreen implements Screen {
  readonly interactive = true;
  readonly lines: AsyncIterable<string>;
  readonly #output: Writable;
  readonly #readline: Interface;
  #unsent: readonly string[] = [];
  #label = "> ";
  #open = true;

  constructor(input: Readable, output: Writable) {
    this.#output = output;
    // Before readline's own listener: afterwards the line and its size are gone.
    let rowsTyped = 0;
    const measure = (_: string | undefined, key?: { name?: string }): void => {
      if (key?.name !== "return" && key?.name !== "enter") return;
      this.#readline.write(null, { ctrl: true, name: "e" });
      rowsTyped = this.#readline.getCursorPos().rows;
    };
    this.#readline = createInterface({ input, output, terminal: true });
    input.prependListener("keypress", measure);
    this.#readline.on("line", () => {
      // What was typed comes back as unsent or as a note; its echo goes.
      this.#clear(rowsTyped + 1);
      this.#draw();
    });
    this.#readline.once("close", () => {
      this.#open = false;
      input.off("keypress", measure);
      output.write("\n");
    });
    this.lines = linesOf(this.#readline);
    this.#draw();
  }

  print(lines: readonly string[]): void {
    if (!this.#open) return void this.#output.write(`${lines.join("\n")}\n`);
    this.#clear(this.#readline.getCursorPos().rows);
    this.#output.write(`${lines.join("\n")}\n`);
    this.#draw();
  }

  showUnsent(lines: readonly string[]): void {
    this.#unsent = lines;
    this.#redraw();
  }

  printUnsent(): void {
    // It stands above the prompt already.
  }

  showPrompt(label: string): void {
    this.#label = label;
    this.#redraw();
  }

  close(): void {
    this.#readline.close();
  }

  #redraw(): void {
    if (!this.#open) return;
    this.#clear(this.#readline.getCursorPos().rows);
    this.#draw();
  }

  /** Everything from `rows` above the cursor on; the cursor stands there afterwards. */
  #clear(rows: number): void {
    moveCursor(this.#output, 0, -rows);
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
  }

  #draw(): void {
    // readline goes up by the rows it remembers, but it does not count those that typing
    // at the end of the line has added (seen on Node 20), so it gets a fresh start.
    (this.#readline as Interface & { prevRows: number }).prevRows = 0;
    this.#readline.setPrompt([...this.#unsent, this.#label].join("\n"));
    this.#readline.prompt(true);
  }
}

/** For pipes and tests: nothing that was written is ever changed. */
class LineScreen implements Screen {
  readonly interactive = false;
  readonly lines: AsyncIterable<string>;
  readonly #output: Writable;
  readonly #readline: Interface;

  constructor(input: Readable, output: Writable) {
    this.#output = output;
    this.#readline = createInterface({ input, terminal: false });
    this.lines = linesOf(this.#readline);
  }

  print(lines: readonly string[]): void {
    this.#output.write(`${lines.join("\n")}\n`);
  }

  showUnsent(): void {
    // What was written cannot be taken back.
  }

  printUnsent(line: string): void {
    this.print([line]);
  }

  showPrompt(): void {
    // A prompt among lines would only be in the way.
  }

  close(): void {
    this.#readline.close();
  }
}

/** Begins to collect at once: lines that come before somebody iterates would be lost. */
function linesOf(readline: Interface): AsyncIterable<string> {
  const lines = readline[Symbol.asyncIterator]();
  return { [Symbol.asyncIterator]: () => lines };
}
