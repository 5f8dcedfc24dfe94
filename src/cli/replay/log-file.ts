/**
 * Reads an IRC log of this form:
 *
 *   [HH:MM] <nick> text                            a message
 *   [HH:MM]  * nick text                           an action, also without the time
 *   === nick [user@host] has joined #channel       so does `has left`
 *   === nick is now known as other
 *   === anything else                              a notice of the server
 *
 * Host names are personal data: they are matched and never kept. Whoever wrote
 * these logs put a space behind every `]`, in nicks too; no nick has one.
 */
import { USER_ID } from "../../protocol/ids.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { utf8Length } from "../../protocol/schema.ts";

export type LogLine = (
  | { readonly type: "message" | "action"; readonly nick: string; readonly text: string }
  | { readonly type: "join" | "leave"; readonly nick: string }
  | { readonly type: "rename"; readonly nick: string; readonly to: string }
) & {
  /** Minutes since the first line that tells the time. */
  readonly minute: number;
};

export interface Unreadable {
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;
}

export interface LogFile {
  readonly name: string;
  readonly lines: readonly LogLine[];
  readonly notices: number;
  readonly unreadable: readonly Unreadable[];
}

const MESSAGE = /^\[(\d\d):(\d\d)\] <([^>]+)>(?: (.*))?$/s;
const ACTION = /^(?:\[(\d\d):(\d\d)\] +| +)\* (\S+)(?: (.*))?$/s;
const CAME_OR_WENT = /^=== (\S+(?:(?<=\]) \S+)*?) +\[\S+@\S+\] +has (joined|left)\b/;
const RENAMED = /^=== (\S+(?:(?<=\]) \S+)*?) +is now known as (\S+(?:(?<=\]) \S+)*?) *$/;
const NOTICE = /^===/;

/** Logs with 12 hours on their clock start again at noon, others at midnight; both are 0 here. */
const CLOCK_MINUTES = 720;
/** A clock that goes back by at most this was set right: time stands still until it catches up. */
const SET_BACK_MINUTES_MAX = 60;

export function parseLog(name: string, content: string): LogFile {
  const lines: LogLine[] = [];
  const unreadable: Unreadable[] = [];
  const clock = new LogClock();
  let notices = 0;
  const rows = content.split("\n");
  if (rows.at(-1) === "") rows.pop();
  for (const [i, row] of rows.entries()) {
    const parsed = parseLine(row.replace(/\r$/, ""), clock);
    if (parsed === "notice") notices++;
    else if (typeof parsed === "string") unreadable.push({ line: i + 1, reason: parsed });
    else lines.push(parsed);
  }
  return { name, lines, notices, unreadable };
}

/** A line, `notice`, or what is wrong with it. */
function parseLine(row: string, clock: LogClock): LogLine | string {
  const said = MESSAGE.exec(row);
  if (said) {
    const [, hours, minutes, nick = "", text = ""] = said;
    return spoken("message", nick, text, () => clock.at(hours, minutes));
  }
  const did = ACTION.exec(row);
  if (did) {
    const [, hours, minutes, nick = "", text = ""] = did;
    return spoken("action", nick, text, () => clock.at(hours, minutes));
  }
  const moved = CAME_OR_WENT.exec(row);
  if (moved) {
    const nick = nickOf(moved[1]);
    const type = moved[2] === "joined" ? "join" : "leave";
    return USER_ID.test(nick) ? { type, nick, minute: clock.now } : BAD_NICK;
  }
  const renamed = RENAMED.exec(row);
  if (renamed) {
    const [nick, to] = [nickOf(renamed[1]), nickOf(renamed[2])];
    const fine = USER_ID.test(nick) && USER_ID.test(to);
    return fine ? { type: "rename", nick, to, minute: clock.now } : BAD_NICK;
  }
  return NOTICE.test(row) ? "notice" : "of no known form";
}
const BAD_NICK = "the nick cannot be a user id";

function spoken(
  type: "message" | "action",
  nick: string,
  raw: string,
  minute: () => number,
): LogLine | string {
  if (!USER_ID.test(nick)) return BAD_NICK;
  const text = raw.normalize("NFC");
  // An action grows by its `/me ` when it is sent.
  if (utf8Length(text) > LIMITS.textBytes - ACTION_PREFIX.length) return "the text is too long";
  return { type, nick, text, minute: minute() };
}
export const ACTION_PREFIX = "/me ";

function nickOf(matched: string | undefined): string {
  return (matched ?? "").replaceAll(" ", "");
}

/** Turns hours and minutes, which come round again, into minutes that only go forward. */
class LogClock {
  /** Minutes since the first time that was told. */
  now = 0;
  #told: number | null = null;

  /** Without a time it is as late as it was. */
  at(hours: string | undefined, minutes: string | undefined): number {
    if (hours === undefined || minutes === undefined) return this.now;
    const told = Number(hours) * 60 + Number(minutes);
    const passed = told - (this.#told ?? told);
    if (passed >= 0) this.now += passed;
    else if (-passed > SET_BACK_MINUTES_MAX) this.now += mod(passed, CLOCK_MINUTES);
    else return this.now;
    this.#told = told;
    return this.now;
  }
}

function mod(value: number, base: number): number {
  return ((value % base) + base) % base;
}
