/** What a log asks of the engine, and what the room has to hold afterwards. Pure. */
import type { Entry } from "../../protocol/frames.ts";
import { ACTION_PREFIX, type LogFile, type LogLine } from "./log-file.ts";

/** One command of one nick. */
export interface Step {
  readonly nick: string;
  readonly act: "join" | "leave" | "send";
  /** Empty unless something is sent. */
  readonly text: string;
  /** Milliseconds of the log's own time since its beginning. */
  readonly atMs: number;
  /** Seq of the entry that it makes; null for a join of somebody who is in the room. */
  readonly seq: number | null;
}

export interface Plan {
  readonly name: string;
  readonly steps: readonly Step[];
  /** The marks of all entries in order, the first one being the room's creation. */
  readonly expected: readonly string[];
  readonly counts: Readonly<Record<LogLine["type"], number>>;
}

const MINUTE_MS = 60_000;

/**
 * The log as commands. Nobody acts in a room without being in it: whoever does
 * in the log was there before the log began, and joins first. A new nick is
 * somebody else to the engine: the old one leaves, the new one joins.
 */
export function planOf({ name, lines }: Pick<LogFile, "name" | "lines">, owner: string): Plan {
  const counts = { message: 0, action: 0, join: 0, leave: 0, rename: 0 };
  const script = new Script(owner);
  const times = spread(lines);
  for (const [i, line] of lines.entries()) {
    const atMs = times[i] ?? 0;
    counts[line.type]++;
    switch (line.type) {
      case "message":
        script.send(line.nick, line.text, atMs);
        break;
      case "action":
        script.send(line.nick, ACTION_PREFIX + line.text, atMs);
        break;
      case "join":
        script.join(line.nick, atMs);
        break;
      case "leave":
        script.leave(line.nick, atMs);
        break;
      case "rename":
        if (script.has(line.nick)) script.leave(line.nick, atMs);
        script.join(line.to, atMs);
        break;
    }
  }
  return { name, steps: script.steps, expected: script.expected, counts };
}

class Script {
  readonly steps: Step[] = [];
  readonly expected: string[];
  readonly #members = new Set<string>();

  constructor(owner: string) {
    this.expected = [mark("room.created", owner)];
  }

  has(nick: string): boolean {
    return this.#members.has(nick);
  }

  join(nick: string, atMs: number): void {
    const isNew = !this.#members.has(nick);
    this.#members.add(nick);
    this.#step({ nick, act: "join", text: "", atMs }, isNew ? mark("member.joined", nick) : null);
  }

  leave(nick: string, atMs: number): void {
    if (!this.#members.has(nick)) this.join(nick, atMs);
    this.#members.delete(nick);
    this.#step({ nick, act: "leave", text: "", atMs }, mark("member.left", nick));
  }

  send(nick: string, text: string, atMs: number): void {
    if (!this.#members.has(nick)) this.join(nick, atMs);
    this.#step({ nick, act: "send", text, atMs }, mark("message.sent", nick, text));
  }

  #step(step: Omit<Step, "seq">, entry: string | null): void {
    if (entry !== null) this.expected.push(entry);
    this.steps.push({ ...step, seq: entry === null ? null : this.expected.length });
  }
}

/** Logs tell minutes only: the lines of a minute are spread over it evenly. */
function spread(lines: readonly LogLine[]): number[] {
  const perMinute = new Map<number, number>();
  for (const { minute } of lines) perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1);
  const before = new Map<number, number>();
  return lines.map(({ minute }) => {
    const nth = before.get(minute) ?? 0;
    before.set(minute, nth + 1);
    return (minute + nth / (perMinute.get(minute) ?? 1)) * MINUTE_MS;
  });
}

/** All that makes an entry what it is, without its place: equal marks are equal entries. */
export function mark(type: string, by: string, text = ""): string {
  return JSON.stringify([type, by, text]);
}

export function markOf({ by, event }: Pick<Entry, "by" | "event">): string {
  return mark(event.type, by, event.type === "message.sent" ? event.text : "");
}
