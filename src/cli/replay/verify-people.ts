/**
 * After the play: members, who is there, what is unread and who has read how far, each
 * held against a recount from the plans.
 */
import type { ChatClient } from "../../client/client.ts";
import type { Room } from "../../client/room.ts";
import { monotonicMs } from "../../ops/clock.ts";
import type { Seq, UserId } from "../../protocol/ids.ts";
import { isLargeRoom } from "../../protocol/limits.ts";
import {
  countDifferences,
  listDifferences,
  presenceDifferences,
  readersDifferences,
  setDifferences,
  type Listed,
} from "./compare-people.ts";
import { openClient, type EngineAccess } from "./engine-access.ts";
import type { PlayedRoom } from "./player.ts";
import type { Reader } from "./reader.ts";
import {
  mayBeLarge,
  recountPresence,
  recountReaders,
  recountReceipts,
  recountUnread,
} from "./recount.ts";

/** Leases run out, and what was said last is on its way still. */
const SETTLE_MS = 30_000;
const POLL_MS = 250;
const ROOMS_AT_ONCE = 8;
const SHOWN_DIFFERENCES = 12;

/** In the order of the report. */
export const PEOPLE_CHECKS = ["members", "presence", "unread", "receipts"] as const;
export type PeopleCheck = (typeof PEOPLE_CHECKS)[number];

export interface CheckedPeople {
  /** Rooms that were as they have to be. */
  readonly rooms: number;
  /** What was compared in them: members, people there, lists of rooms, positions. */
  readonly values: number;
}
export interface PeopleVerdict {
  readonly checks: Readonly<Record<PeopleCheck, CheckedPeople>>;
  /** Rooms that differ, once for each check. */
  readonly wrong: number;
  /** The first differences in words. */
  readonly first: readonly string[];
}

export interface PeopleOptions {
  readonly access: EngineAccess;
  readonly rooms: readonly PlayedRoom[];
  readonly owner: string;
  readonly readers: readonly Reader[];
  /** Devices that are connected and attend. */
  readonly attends: (nick: string) => boolean;
}

/** One room and check: what was compared, and how it differs. */
interface Found {
  readonly values: number;
  readonly differences: readonly string[];
}

export async function verifyPeople(options: PeopleOptions): Promise<PeopleVerdict> {
  const { access, rooms, owner } = options;
  const found = new Findings();
  await verifyUnread(options, found);
  const watcher = openClient(access, { user: owner, edge: 1 });
  try {
    await watcher.connect();
    const deadlineMs = monotonicMs() + SETTLE_MS;
    for (let at = 0; at < rooms.length; at += ROOMS_AT_ONCE) {
      const some = rooms.slice(at, at + ROOMS_AT_ONCE);
      await Promise.all(
        some.map(async (played) => verifyRoom({ ...options, watcher, deadlineMs }, played, found)),
      );
    }
  } finally {
    watcher.close();
  }
  return found.verdict;
}

class Findings {
  readonly #checks: Record<PeopleCheck, { rooms: number; values: number }> = {
    members: { rooms: 0, values: 0 },
    presence: { rooms: 0, values: 0 },
    unread: { rooms: 0, values: 0 },
    receipts: { rooms: 0, values: 0 },
  };
  #wrong = 0;
  readonly #first: string[] = [];

  add(check: PeopleCheck, name: string, { values, differences }: Found): void {
    const [first] = differences;
    if (first === undefined) {
      this.#checks[check].rooms++;
      this.#checks[check].values += values;
      return;
    }
    this.#wrong++;
    const more = differences.length > 1 ? ` (and ${differences.length - 1} more)` : "";
    if (this.#first.length < SHOWN_DIFFERENCES) {
      this.#first.push(`${name}, ${check}: ${first}${more}`);
    }
  }

  get verdict(): PeopleVerdict {
    return { checks: this.#checks, wrong: this.#wrong, first: this.#first };
  }
}

/** The lists of the readers, as the server tells them and as the SDK has kept them. */
async function verifyUnread({ rooms, readers }: PeopleOptions, found: Findings): Promise<void> {
  const deadlineMs = monotonicMs() + SETTLE_MS;
  const lists = new Map<Reader, ReadonlyMap<string, Listed>>();
  const look = async (): Promise<void> => {
    for (const reader of readers) {
      const listed = await reader.listed().catch(() => []);
      lists.set(reader, new Map(listed.map((one) => [one.room, one])));
    }
  };
  const differencesOf = (played: PlayedRoom): string[] =>
    readers.flatMap((reader) => unreadDifferences(played, reader, lists.get(reader)));
  const isRight = (): boolean => rooms.every((played) => differencesOf(played).length === 0);
  do {
    await look();
    if (isRight()) break;
    await pause();
  } while (monotonicMs() < deadlineMs);
  for (const played of rooms) {
    const differences = differencesOf(played);
    found.add("unread", played.plan.name, { values: readers.length, differences });
  }
}

function unreadDifferences(
  { id, plan }: PlayedRoom,
  reader: Reader,
  list: ReadonlyMap<string, Listed> | undefined,
): string[] {
  const { user } = reader;
  const through = reader.through(id);
  const right = { through, ...recountUnread(plan, user, through) };
  const newest = { head: plan.expected.length, last: plan.messages.at(-1)?.seq ?? null };
  return [
    ...listDifferences({ ...right, ...newest }, list?.get(id)),
    ...countDifferences("the SDK shows", right, reader.room(id)),
  ].map((text) => `${user}: ${text}`);
}

interface Watching extends PeopleOptions {
  readonly watcher: ChatClient;
  readonly deadlineMs: number;
}

async function verifyRoom(watching: Watching, played: PlayedRoom, found: Findings): Promise<void> {
  const { watcher, deadlineMs } = watching;
  const { id, plan } = played;
  const room = watcher.room(id);
  await room.follow({ limit: 1, attend: true });
  const checks = {
    presence: (): Found => presenceOf(watching, played, room),
    receipts: (): Found => receiptsOf(watching, played, room),
  };
  while (monotonicMs() < deadlineMs) {
    if (Object.values(checks).every((check) => check().differences.length === 0)) break;
    await pause();
  }
  found.add("members", plan.name, await membersOf(watching, played, room));
  found.add("presence", plan.name, checks.presence());
  found.add("receipts", plan.name, checks.receipts());
  room.unfollow();
}

async function membersOf(
  { owner }: PeopleOptions,
  { plan }: PlayedRoom,
  room: Room,
): Promise<Found> {
  const { members } = await room.info();
  const told = members.map(({ user, role, since }) => `${user} ${role} ${since}`);
  const right = [...plan.members].map(
    ([user, since]) => `${user} ${user === owner ? "owner" : "member"} ${since}`,
  );
  return { values: right.length, differences: setDifferences(right, told) };
}

/** As somebody sees it who came just now, and as the readers have seen it all along. */
function presenceOf(
  { owner, readers, attends }: PeopleOptions,
  { id, plan }: PlayedRoom,
  room: Room,
): Found {
  const others = new Set([owner, ...readers.map(({ user }) => user)]);
  const right = recountPresence(plan, (user) => others.has(user) || attends(user));
  const views: [string, Room][] = [
    ["for a newcomer", room],
    ...readers.map((reader): [string, Room] => [`for ${reader.user}`, reader.room(id)]),
  ];
  const differences = views.flatMap(([who, { presence }]) =>
    presenceDifferences(presence, right, mayBeLarge(plan)).map((text) => `${who}: ${text}`),
  );
  return { values: right.size, differences };
}

/** All members as a newcomer is told, and each reader as the other readers have seen them. */
function receiptsOf({ readers }: PeopleOptions, { id, plan }: PlayedRoom, room: Room): Found {
  const read = new Map(readers.map((reader) => [reader.user, reader.through(id)]));
  const marks = recountReceipts(plan, read);
  if (isLargeRoom(plan.members.size)) {
    const views = [room, ...readers.map((reader) => reader.room(id))];
    return readersFound(recountReaders(marks), views);
  }
  const right = [...marks].map(([user, seq]) => `${user} read to ${seq}`);
  const told = [...room.receipts].map(([user, seq]) => `${user} read to ${seq}`);
  return {
    values: right.length,
    differences: [...setDifferences(right, told), ...liveReceipts(readers, id)],
  };
}

/** Of a large room: how many, and not who. */
function readersFound(right: ReadonlyMap<number, number>, views: readonly Room[]): Found {
  const differences = views.flatMap((view) =>
    readersDifferences(right, (seq) => view.readersOf({ seq: seq as Seq, by: "" as UserId })),
  );
  return { values: right.size, differences };
}

/** Who watches all along is never told of a way back. */
function liveReceipts(readers: readonly Reader[], id: string): string[] {
  return readers.flatMap((by) =>
    readers.flatMap((of) => {
      const seen = by.room(id).receipts.get(of.user as never) ?? 0;
      const fits = seen >= of.through(id) && seen <= of.furthest(id);
      const right = `between ${of.through(id)} and ${of.furthest(id)}`;
      return fits ? [] : [`${by.user} sees ${of.user} at ${seen} and not ${right}`];
    }),
  );
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
