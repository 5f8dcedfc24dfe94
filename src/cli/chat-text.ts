/** How a conversation reads on a terminal. Pure: text in, text out. */
import type { ListedRoom, Presence } from "../client/index.ts";
import type { ChatEvent, Entry } from "../protocol/frames.ts";

/** Colours of nicks that can be read on light and dark ground. */
const NICK_COLORS = [31, 32, 33, 34, 35, 36, 91, 92, 94, 95, 96] as const;
/** Nicks of this width line up; longer ones push their line. */
const NICK_COLUMNS = 10;
const TIME_COLUMNS = 7;
/** The control picture of a C0 character stands this far above it. */
const CONTROL_PICTURES = 0x2400;

// Everything that moves the cursor, changes the terminal, or turns the reading direction around.
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Text from others, made safe to print: an escape sequence in a message could
 * clear the screen, change the title or forge lines. Line breaks stay.
 */
export function clean(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    if (char === "\n") return char;
    if (char === "\t") return "    ";
    if (code < 0x20) return String.fromCharCode(CONTROL_PICTURES + code);
    return "\ufffd";
  });
}

/** The same for what has to stay on one line: names, ids, reasons. */
export function cleanLine(text: string): string {
  return clean(text).replaceAll("\n", "\u240a");
}

/** One line of the list of rooms. */
export function listedText({ room, name, role, unread, mentions }: ListedRoom): string {
  const title = name === room ? cleanLine(room) : `${cleanLine(room)} (${cleanLine(name)})`;
  if (role === "invited") return `${title}: you are invited`;
  const called = mentions > 0 ? `, ${mentions} of them to you` : "";
  return unread === 0 ? title : `${title}: ${unread} unread${called}`;
}

/** Who is in the room now, or as many as are known. */
export function presentText({ online, count, current }: Presence): string {
  if (!current) return "not known at the moment";
  const more = count > online.size ? ` and ${count - online.size} more` : "";
  return `${[...online].sort().map(cleanLine).join(", ")}${more}`;
}

export function typingText(users: readonly string[]): string {
  const names = users.map(cleanLine).join(", ");
  return `${names} ${users.length === 1 ? "is" : "are"} typing`;
}

export interface TextOptions {
  readonly color: boolean;
  /** IANA name; default: that of this machine. */
  readonly timeZone?: string | undefined;
}

/** Turns entries into lines; remembers the day, to draw a line where it changes. */
export class ChatText {
  readonly #color: boolean;
  readonly #time: Intl.DateTimeFormat;
  readonly #date: Intl.DateTimeFormat;
  #day = "";

  constructor({ color, timeZone }: TextOptions) {
    this.#color = color;
    const zone = timeZone === undefined ? {} : { timeZone };
    this.#time = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", ...zone });
    this.#date = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", ...zone });
  }

  /** Another room, or the same from its beginning: the day is named again. */
  startOver(): void {
    this.#day = "";
  }

  entry({ at, by, event }: Entry): string[] {
    const lines: string[] = [];
    const day = this.#date.format(at);
    if (day !== this.#day) lines.push(this.dim(`\u2500\u2500 ${day} \u2500\u2500`));
    this.#day = day;
    const time = this.dim(this.#time.format(at).padEnd(TIME_COLUMNS));
    const text = textOf(event);
    if (text === null) {
      return [...lines, `${time}${this.dim(`\u2192 ${happened(by, event)}`)}`];
    }
    const told = notesOn(event);
    const notes = told && this.dim(told);
    if (text.startsWith("/me ")) {
      return [...lines, `${time}${this.nick(`* ${by}`, by)} ${indented(text.slice(4))}${notes}`];
    }
    const gap = " ".repeat(Math.max(0, NICK_COLUMNS - cleanLine(by).length));
    return [...lines, `${time}${this.nick(by, by)}${gap}  ${indented(text)}${notes}`];
  }

  /** Entries from before those that were shown, with both their ends marked. */
  older(entries: readonly Entry[]): string[] {
    this.startOver();
    const lines = entries.flatMap((entry) => this.entry(entry));
    this.startOver();
    return [this.note("before that:"), ...lines, this.note("that is what came before")];
  }

  /** An own message that is not in effect yet. */
  unsent(text: string, state: "unsent" | "sending"): string {
    return this.dim(`\u2026 ${indented(text)}  (${state})`);
  }

  /** Something that this program says. */
  note(text: string): string {
    return this.#paint(`-- ${cleanLine(text)}`, 36);
  }

  dim(text: string): string {
    return this.#paint(text, 2);
  }

  nick(text: string, user: string): string {
    let hash = 0;
    for (const char of user) hash = (hash * 31 + (char.codePointAt(0) as number)) >>> 0;
    return this.#paint(cleanLine(text), NICK_COLORS[hash % NICK_COLORS.length] as number);
  }

  #paint(text: string, code: number): string {
    return this.#color ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

function indented(text: string): string {
  return clean(text).replaceAll("\n", `\n${" ".repeat(TIME_COLUMNS + NICK_COLUMNS + 2)}`);
}

/** Of a message; null for what is none, or none any more. */
function textOf(event: ChatEvent): string | null {
  return event.type === "message.sent" || event.type === "message.folded" ? event.text : null;
}

/** What became of a message, behind its text: `  (edited, 👍 3, 2 replies)`. */
function notesOn(event: ChatEvent): string {
  if (event.type !== "message.folded") return "";
  const { edits = 0, pinned = false, replies = 0, reactions = [] } = event;
  const notes = [
    ...(edits > 0 ? ["edited"] : []),
    ...(pinned ? ["pinned"] : []),
    ...reactions.map(({ reaction, count }) => `${cleanLine(reaction)} ${count}`),
    ...(replies > 0 ? [`${replies} ${replies === 1 ? "reply" : "replies"}`] : []),
  ];
  return notes.length === 0 ? "" : `  (${notes.join(", ")})`;
}

function happened(by: string, event: ChatEvent): string {
  const who = cleanLine(by);
  switch (event.type) {
    case "room.created": {
      const members = event.members.map(cleanLine);
      if (event.kind === "direct") return `${members.join(" and ")} can talk here`;
      return `${who} created the room \u201c${cleanLine(event.name)}\u201d (${event.kind})`;
    }
    case "room.renamed":
      return `${who} named the room \u201c${cleanLine(event.name)}\u201d`;
    case "room.receiptsSet":
      return `${who} switched receipts ${event.on ? "on" : "off"}`;
    case "member.invited":
      return `${who} invited ${cleanLine(event.user)}`;
    case "member.joined":
      return `${cleanLine(event.user)} joined`;
    case "member.left":
      return `${cleanLine(event.user)} left`;
    case "message.sent":
    case "message.folded":
    case "message.edited":
    case "message.deleted":
    case "message.pinned":
    case "message.unpinned":
    case "reaction.added":
    case "reaction.removed":
      return changed(who, event);
  }
}

type MessageEvent = Extract<ChatEvent, { type: `message.${string}` | `reaction.${string}` }>;

function changed(who: string, event: MessageEvent): string {
  switch (event.type) {
    case "message.sent":
      return `${who} said something`;
    case "message.folded":
      return `a message of ${who} was deleted`;
    case "message.edited": {
      const what = `${who} edited message ${event.target}`;
      return event.text === null ? what : `${what}: ${indented(event.text)}`;
    }
    case "message.deleted":
      return `${who} deleted message ${event.target}`;
    case "reaction.added":
      return `${who} reacted with ${cleanLine(event.reaction)} to message ${event.target}`;
    case "reaction.removed":
      return `${who} took back ${cleanLine(event.reaction)} from message ${event.target}`;
    case "message.pinned":
      return `${who} pinned message ${event.target}`;
    case "message.unpinned":
      return `${who} unpinned message ${event.target}`;
  }
}
