/** After the play: every room as four readers have it, each held against its log. */
import { monotonicMs } from "../../ops/clock.ts";
import { compare, isEqual, NO_DIFFERENCES, sum, worse, type Differences } from "./compare.ts";
import type { EngineAccess } from "./engine-access.ts";
import { Observer } from "./observer.ts";
import type { PlayedRoom } from "./player.ts";
import { readOverHttp } from "./read-back.ts";

/** For entries that are still on their way to somebody. */
const LAST_ENTRIES_MS = 30_000;
const ROOMS_AT_ONCE = 8;

/** Who has read the rooms. */
export const READERS = ["observers", "SDK from the origin", "HTTP pages"] as const;
export type Reader = (typeof READERS)[number];

export interface Verdict {
  /** Room by room the worst that any reader has seen, all rooms together. */
  readonly worst: Differences;
  /** Rooms and entries that each reader had equal to the logs. */
  readonly equal: Readonly<Record<Reader, { readonly rooms: number; readonly entries: number }>>;
}

export interface VerifyOptions {
  readonly access: EngineAccess;
  readonly rooms: readonly PlayedRoom[];
  readonly owner: string;
  /** Those who were there all along, by room. */
  readonly observers: ReadonlyMap<string, readonly Observer[]>;
}

export async function verify(options: VerifyOptions): Promise<Verdict> {
  const { rooms } = options;
  const deadlineMs = monotonicMs() + LAST_ENTRIES_MS;
  const equal = {
    observers: { rooms: 0, entries: 0 },
    "SDK from the origin": { rooms: 0, entries: 0 },
    "HTTP pages": { rooms: 0, entries: 0 },
  };
  let worst = NO_DIFFERENCES;
  for (let at = 0; at < rooms.length; at += ROOMS_AT_ONCE) {
    const some = rooms.slice(at, at + ROOMS_AT_ONCE);
    const found = await Promise.all(some.map((room) => verifyRoom(room, options, deadlineMs)));
    for (const [i, { plan }] of some.entries()) {
      let worstHere = NO_DIFFERENCES;
      for (const [reader, differences] of found[i] ?? []) {
        worstHere = worse(worstHere, labelled(differences, `${plan.name}, ${reader}`));
        if (!isEqual(differences)) continue;
        equal[reader].rooms++;
        equal[reader].entries += plan.expected.length;
      }
      worst = sum(worst, worstHere);
    }
  }
  return { worst, equal };
}

async function verifyRoom(
  { id, plan }: PlayedRoom,
  { access, owner, observers }: VerifyOptions,
  deadlineMs: number,
): Promise<[Reader, Differences][]> {
  const { expected } = plan;
  let watched = NO_DIFFERENCES;
  for (const observer of observers.get(id) ?? []) {
    await observer.reach(expected.length, deadlineMs);
    watched = worse(watched, compare(expected, observer.seen));
  }
  const fresh = new Observer(access, id, { user: owner, edge: 0 });
  try {
    const { seen } = (await fresh.follow(), fresh);
    const pages = await readOverHttp(access, id, { user: owner, edge: 1 });
    return [
      ["observers", watched],
      ["SDK from the origin", compare(expected, seen)],
      ["HTTP pages", compare(expected, pages)],
    ];
  } finally {
    fresh.close();
  }
}

function labelled(differences: Differences, label: string): Differences {
  return { ...differences, first: differences.first.map((text) => `${label}: ${text}`) };
}
