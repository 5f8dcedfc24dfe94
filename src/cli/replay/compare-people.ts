/** Holds what is told of people against what it has to be; empty where the two agree. Pure. */
import type { Presence } from "../../client/presence.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Counted } from "./recount.ts";

export interface Standing extends Counted {
  readonly through: number;
}
/** Null where nothing is known. */
type Shown = { readonly [K in keyof Standing]: number | null };

/** A line of somebody's list of rooms, as far as it is compared. */
export interface Listed extends Standing {
  readonly head: number;
  readonly last: { readonly seq: number } | null;
}

export function countDifferences(who: string, right: Standing, shown: Shown): string[] {
  const [expected, found] = [wordsOf(right), wordsOf(shown)];
  return expected === found ? [] : [`expected ${expected}, ${who} ${found}`];
}

function wordsOf({ through, unread, mentions }: Shown): string {
  return `read to ${through}, ${unread} unread, ${mentions} mentions`;
}

export function listDifferences(
  right: Standing & { readonly head: number; readonly last: number | null },
  listed: Listed | undefined,
): string[] {
  if (!listed) return ["the room is not in the list"];
  const last = listed.last?.seq ?? null;
  const isNewest = listed.head === right.head && last === right.last;
  return [
    ...countDifferences("the list says", right, listed),
    ...(isNewest
      ? []
      : [`expected head ${right.head}, last ${right.last}, listed ${listed.head}, ${last}`]),
  ];
}

/** `large`: the room may be told as a count and a sample. */
export function presenceDifferences(
  { current, count, online, complete }: Presence,
  right: ReadonlySet<string>,
  large: boolean,
): string[] {
  if (!current) return ["it is not known who is there"];
  if (count !== right.size) {
    return [`${count} are there and not ${right.size}`, ...setDifferences(right, online)];
  }
  if (complete || !large) return setDifferences(right, online);
  const strangers = [...online].filter((user) => !right.has(user));
  const isShort = online.size < Math.min(right.size, LIMITS.presenceSample);
  return [...strangers, ...(isShort ? [`a sample of ${online.size}`] : [])];
}

/** `readersOf` counts all but the author, who has read it too. */
export function readersDifferences(
  right: ReadonlyMap<number, number>,
  readersOf: (seq: number) => number,
): string[] {
  return [...right].flatMap(([seq, readers]) => {
    const told = readersOf(seq) + 1;
    return told === readers ? [] : [`${told} have read up to ${seq} and not ${readers}`];
  });
}

/** What is missing and what is too much; nothing where the two are equal. */
export function setDifferences(right: Iterable<string>, told: Iterable<string>): string[] {
  const expected = new Set(right);
  const found = new Set(told);
  return [
    ...[...expected].filter((one) => !found.has(one)).map((one) => `${quoted(one)} is missing`),
    ...[...found].filter((one) => !expected.has(one)).map((one) => `${quoted(one)} is too much`),
  ];
}

/** Nicks must not steer a terminal. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
