/** What edges and projectors had to say: warnings by kind, and what must not happen at all. */

/** Kinds of warnings, and troubles, that are kept; further ones are like those. */
const KEPT_MAX = 50;

export class RoleWords {
  readonly #warnings = new Map<string, number>();
  readonly #troubles: string[] = [];

  /** Warnings and worse, most frequent first. */
  get warnings(): [text: string, times: number][] {
    return [...this.#warnings].sort((a, b) => b[1] - a[1]);
  }
  /** Ends and failed starts that nobody had asked for. */
  get troubles(): readonly string[] {
    return this.#troubles;
  }

  /** One line of a role's output. */
  line(source: string, line: string): void {
    const kind = `${source.replace(/-\d+$/, "")}: ${messageOf(line)}`;
    const known = this.#warnings.get(kind);
    if (known !== undefined) this.#warnings.set(kind, known + 1);
    else if (this.#warnings.size < KEPT_MAX) this.#warnings.set(kind, 1);
  }

  trouble(text: string): void {
    if (this.#troubles.length < KEPT_MAX) this.#troubles.push(text);
  }
}

/** The message of one of our records and of the error in it, or the line itself. */
function messageOf(line: string): string {
  try {
    const { msg = "", err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return err?.message === undefined ? msg : `${msg}: ${err.message}`;
  } catch {
    return line;
  }
}
