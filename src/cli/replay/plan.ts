/** What a log asks of the engine, and what the room has to hold afterwards. Pure. */
import type { Entry } from "../../protocol/frames.ts";
import { ACTION_PREFIX, type LogFile, type LogLine } from "./log-file.ts";
import { pick, type Random } from "./random.ts";

/** Who is in every room although no log knows them. */
export interface Cast {
  /** Makes the rooms. */
  readonly owner: string;
  /** Read along; they join before the log begins. */
  readonly readers: readonly string[];
}

/** Of the messages so many call one of the readers: what nobody typed, but mentions need it. */
const CALL_CHANCE = 0.05;

/** One command of one nick. */
export interface Step {
  readonly nick: string;
  readonly act: "join" | "leave" | "send";
  /** Empty unless something is sent. */
  readonly text: string;
  /** A reader whom it calls. */
  readonly calls: string | null;
  /** Milliseconds of the log's own time since its beginning. */
  readonly atMs: number;
  /** Seq of the entry that it makes; null for a join of somebody who is in the room. */
  readonly seq: number | null;
}

/** A message as positions and counts see it. */
export interface PlannedMessage {
  readonly seq: number;
  readonly by: string;
  readonly calls: string | null;
}

export interface Plan {
  readonly name: string;
  readonly steps: readonly Step[];
  /** The marks of all entries in order, the room's creation and the joins of the readers first. */
  readonly expected: readonly string[];
  /** Who is in the room at the end, with the seq since when. */
  readonly members: ReadonlyMap<string, number>;
  /** In order. */
  readonly messages: readonly PlannedMessage[];
  /** Entries that the members would be shown if all of them followed the room. */
  readonly shown: number;
  readonly counts: Readonly<Record<LogLine["type"], number>>;
}

const MINUTE_MS = 60_000;

/**
 * The log as commands. Nobody acts in a room without being in it: whoever does
 * in the log was there before the log began, and joins first. A new nick is
 * somebody else to the engine: the old one leaves, the new one joins.
 */
export function planOf(
  { name, lines }: Pick<LogFile, "name" | "lines">,
  cast: Cast,
  random: Random,
): Plan {
  const counts = { message: 0, action: 0, join: 0, leave: 0, rename: 0 };
  const script = new Script(cast, random);
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
  const { steps, expected, members, messages, shown } = script;
  return { name, steps, expected, members, messages, shown, counts };
}

class Script {
  readonly steps: Step[] = [];
  readonly expected: string[];
  readonly members = new Map<string, number>();
  readonly messages: PlannedMessage[] = [];
  readonly #readers: readonly string[];
  readonly #random: Random;
  /** Of those who have left. */
  #shown = 0;

  constructor({ owner, readers }: Cast, random: Random) {
    this.#readers = readers;
    this.#random = random;
    this.expected = [mark("room.created", owner)];
    this.members.set(owner, 1);
    for (const reader of readers) {
      this.expected.push(mark("member.joined", reader));
      this.members.set(reader, this.expected.length);
    }
  }

  get shown(): number {
    let shown = this.#shown;
    for (const since of this.members.values()) shown += this.expected.length - since;
    return shown;
  }

  has(nick: string): boolean {
    return this.members.has(nick);
  }

  join(nick: string, atMs: number): void {
    const entry = this.has(nick) ? null : mark("member.joined", nick);
    this.#step({ nick, act: "join", text: "", calls: null, atMs }, entry);
    if (entry !== null) this.members.set(nick, this.expected.length);
  }

  leave(nick: string, atMs: number): void {
    if (!this.has(nick)) this.join(nick, atMs);
    this.#step({ nick, act: "leave", text: "", calls: null, atMs }, mark("member.left", nick));
    this.#shown += this.expected.length - (this.members.get(nick) ?? 0);
    this.members.delete(nick);
  }

  send(nick: string, text: string, atMs: number): void {
    if (!this.has(nick)) this.join(nick, atMs);
    const calls = this.#random() < CALL_CHANCE ? this.#reader() : null;
    const said = mark("message.sent", nick, text, calls === null ? [] : [calls]);
    this.#step({ nick, act: "send", text, calls, atMs }, said);
    this.messages.push({ seq: this.expected.length, by: nick, calls });
  }

  #reader(): string | null {
    return this.#readers.length === 0 ? null : pick(this.#random, this.#readers);
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
export function mark(type: string, by: string, text = "", calls: readonly string[] = []): string {
  return JSON.stringify([type, by, text, ...calls]);
}

export function markOf({ by, event }: Pick<Entry, "by" | "event">): string {
  if (event.type !== "message.sent") return mark(event.type, by);
  return mark(event.type, by, event.text, event.mentions);
}
