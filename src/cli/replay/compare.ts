/** Holds what a room contains against what it should contain. Pure. */

/** One entry as it was read somewhere. */
export interface Seen {
  readonly seq: number;
  readonly mark: string;
}

export interface Differences {
  /** Expected and not there. */
  readonly lost: number;
  /** There more often than expected. */
  readonly doubled: number;
  /** The fewest entries that would have to be moved to restore the order. */
  readonly reordered: number;
  /** There, and nothing like it was expected. */
  readonly unexpected: number;
  /** Entries whose seq is not their place. */
  readonly misnumbered: number;
  /** Where each list begins to differ, for people. */
  readonly first: readonly string[];
}

export const NO_DIFFERENCES: Differences = {
  lost: 0,
  doubled: 0,
  reordered: 0,
  unexpected: 0,
  misnumbered: 0,
  first: [],
};

export function compare(expected: readonly string[], seen: readonly Seen[]): Differences {
  const found = matched(expected, seen);
  const misnumbered = seen.filter(({ seq }, i) => seq !== i + 1).length;
  return { ...found, misnumbered, first: firstDifference(expected, seen) };
}

/** Only the first: one entry too many shifts all that follow. */
function firstDifference(expected: readonly string[], seen: readonly Seen[]): string[] {
  for (let i = 0; i < Math.max(expected.length, seen.length); i++) {
    const entry = seen[i];
    if (entry?.mark === expected[i] && entry?.seq === i + 1) continue;
    const found = entry === undefined ? "nothing" : `${shown(entry.mark)} with seq ${entry.seq}`;
    return [`place ${i + 1}: expected ${shown(expected[i])}, found ${found}`];
  }
  return [];
}

/** Equal entries are interchangeable: how often each is there counts, and then the order. */
function matched(
  expected: readonly string[],
  seen: readonly Seen[],
): Pick<Differences, "lost" | "doubled" | "reordered" | "unexpected"> {
  const missing = new Map<string, number>();
  for (const mark of expected) missing.set(mark, (missing.get(mark) ?? 0) + 1);
  let there = 0;
  let doubled = 0;
  let unexpected = 0;
  for (const { mark } of seen) {
    const left = missing.get(mark);
    if (left === undefined) unexpected++;
    else if (left === 0) doubled++;
    else {
      missing.set(mark, left - 1);
      there++;
    }
  }
  const inOrder = longestCommon(
    expected,
    seen.map(({ mark }) => mark),
  );
  return { lost: expected.length - there, doubled, reordered: there - inOrder, unexpected };
}

/**
 * Length of the longest common subsequence (Hunt and Szymanski). Linear for
 * lists that are equal, and close to it for those that differ in few places.
 */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  /** Places in `a`, the last one first: a later one must not build on an earlier one of its kind. */
  const places = new Map<string, number[]>();
  for (let i = endA - 1; i >= start; i--) {
    const mark = a[i] as string;
    const known = places.get(mark);
    if (known) known.push(i);
    else places.set(mark, [i]);
  }
  /** The smallest place that ends a common subsequence of each length. */
  const ends: number[] = [];
  for (const mark of b.slice(start, endB)) {
    for (const place of places.get(mark) ?? []) ends[firstNotBelow(ends, place)] = place;
  }
  return start + ends.length + (a.length - endA);
}

function firstNotBelow(rising: readonly number[], value: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rising[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const SHOWN_CHARS_MAX = 120;

/** What people typed must not steer a terminal. */
function shown(mark: string | undefined): string {
  if (mark === undefined) return "nothing";
  const safe = mark.replaceAll(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return safe.length > SHOWN_CHARS_MAX ? `${safe.slice(0, SHOWN_CHARS_MAX)}…` : safe;
}

export function isEqual(differences: Differences): boolean {
  const { lost, doubled, reordered, unexpected, misnumbered } = differences;
  return lost + doubled + reordered + unexpected + misnumbered === 0;
}

/** The worse of two views of one room, count by count: what one of them lacks is one loss, not two. */
export function worse(a: Differences, b: Differences): Differences {
  return combined(a, b, Math.max);
}

/** The differences of several rooms together. */
export function sum(a: Differences, b: Differences): Differences {
  return combined(a, b, (x, y) => x + y);
}

function combined(
  a: Differences,
  b: Differences,
  of: (x: number, y: number) => number,
): Differences {
  return {
    lost: of(a.lost, b.lost),
    doubled: of(a.doubled, b.doubled),
    reordered: of(a.reordered, b.reordered),
    unexpected: of(a.unexpected, b.unexpected),
    misnumbered: of(a.misnumbered, b.misnumbered),
    first: [...new Set([...a.first, ...b.first])],
  };
}
