/** Counts derived from positions, against a recount from the bare list of what happened. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  TAIL_MESSAGES_MAX,
  emptyPositions,
  extendTail,
  markUnread,
  memberCame,
  memberLeft,
  messageSent,
  readThrough,
  tailWanted,
  uncall,
  unread,
  unreadCalls,
  type Call,
  type Called,
  type Positions,
} from "../../src/domain/positions.ts";
import { shownOf, type Mark } from "../../src/domain/marks.ts";
import { readMark, writeMark } from "../../src/domain/positions-record.ts";
import type { Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { Position } from "../../src/redis/position.ts";

const USERS = ["ann", "bob", "cy", "dee"] as UserId[];
const [ANN, BOB] = USERS as [UserId, UserId];
const seqOf = (n: number): Seq => n as Seq;
const back = (from: number, since = 0) => ({ from: seqOf(from), since: seqOf(since) });

const messageOf = (seq: number, by: UserId): Parameters<typeof messageSent>[1] => {
  return { seq: seqOf(seq), id: `${seq}-0` as Position, by };
};

type Step =
  | { act: "send"; user: UserId; called: Called }
  | { act: "other" }
  | { act: "join" | "leave"; user: UserId }
  | { act: "read"; user: UserId; at: number; private: boolean }
  | { act: "markUnread"; user: UserId; at: number }
  | { act: "delete"; at: number }
  | { act: "forget" };

const user = fc.constantFrom(...USERS);
const at = fc.integer({ min: 0, max: 120 });
const called: fc.Arbitrary<Called> = fc.oneof(
  fc.constant({}),
  fc.constant({ everyone: true }),
  fc.uniqueArray(user, { minLength: 1 }).map((mentions) => ({ mentions })),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ act: fc.constant("send" as const), user, called }) },
  fc.record({ act: fc.constant("other" as const) }),
  fc.record({ act: fc.constantFrom("join" as const, "leave" as const), user }),
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant("read" as const), user, at, private: fc.boolean() }),
  },
  fc.record({ act: fc.constant("markUnread" as const), user, at }),
  { weight: 2, arbitrary: fc.record({ act: fc.constant("delete" as const), at }) },
  fc.record({ act: fc.constant("forget" as const) }),
);

interface Entry {
  readonly by: UserId | null;
  readonly called: Called;
  deleted: boolean;
}

/** The engine's side, with the conversation to read tails from, and the plainest record beside it. */
class Scene {
  readonly entries: Entry[] = [];
  readonly through = new Map<UserId, number>();
  /** What others may see of it. */
  readonly shown = new Map<UserId, number>();
  readonly since = new Map<UserId, number>();
  readonly deleted: Call[] = [];
  positions = emptyPositions();

  get room(): { head: Seq; kept: number } {
    return { head: seqOf(this.entries.length), kept: 1_000 };
  }

  take(one: Step): void {
    switch (one.act) {
      case "send":
        if (!this.through.has(one.user)) return;
        this.entries.push({ by: one.user, called: one.called, deleted: false });
        this.#place(one.user, this.entries.length);
        messageSent(this.positions, messageOf(this.room.head, one.user), one.called);
        return;
      case "other":
        this.entries.push({ by: null, called: {}, deleted: false });
        return;
      case "join":
        if (this.through.has(one.user)) return;
        this.entries.push({ by: null, called: {}, deleted: false });
        this.#place(one.user, this.entries.length);
        this.since.set(one.user, this.entries.length);
        memberCame(this.positions, one.user, this.room.head);
        return;
      case "leave":
        this.through.delete(one.user);
        this.shown.delete(one.user);
        memberLeft(this.positions, one.user);
        return;
      case "read":
        this.load(seqOf(one.at));
        this.#read(one.user, one.at, one.private);
        return;
      case "markUnread": {
        this.load(seqOf(one.at - 1));
        const since = seqOf(this.since.get(one.user) ?? 0);
        const from = { from: seqOf(one.at), since };
        if (markUnread(this.positions, one.user, from, this.room) !== null) {
          const back = Math.max(one.at - 1, since);
          for (const of of [this.through, this.shown]) {
            of.set(one.user, Math.min(of.get(one.user) as number, back));
          }
        }
        return;
      }
      case "delete": {
        const entry = this.entries[one.at - 1];
        if (!entry || entry.by === null || entry.deleted) return;
        entry.deleted = true;
        this.deleted.push({ seq: seqOf(one.at), by: entry.by });
        uncall(this.positions, seqOf(one.at), entry.called);
        return;
      }
      case "forget":
        this.positions.tail.messages.length = 0;
        this.positions.tail.from = this.room.head;
    }
  }

  #place(user: UserId, at: number): void {
    this.through.set(user, at);
    this.shown.set(user, at);
  }

  #read(user: UserId, at: number, isPrivate: boolean): void {
    const read = { through: seqOf(at), ...(isPrivate && { private: true }) };
    const found = readThrough(this.positions, user, read, this.room);
    const through = this.through.get(user);
    const isNews = through !== undefined && at <= this.entries.length;
    for (const of of isPrivate ? [this.through] : [this.through, this.shown]) {
      if (isNews) of.set(user, Math.max(at, of.get(user) as number));
    }
    // Whatever it says is told in its own words.
    if (found) expect(readMark(writeMark(found))).toEqual(found);
  }

  /** As the projector does: reads as many of the newest entries as are wanted. */
  load(through: Seq): void {
    const wanted = tailWanted(this.positions, through, this.room);
    if (wanted === 0) return;
    const from = this.room.head - wanted;
    const older = this.entries
      .map(({ by }, i) => ({ seq: seqOf(i + 1), by }))
      .slice(from)
      .filter((entry): entry is Call => entry.by !== null);
    extendTail(this.positions, seqOf(from), older);
  }

  /** What a person would count. */
  recount(user: UserId): { unread: number; mentions: number } | null {
    const through = this.through.get(user);
    if (through === undefined) return null;
    const open = this.entries
      .slice(through)
      .filter(({ by, deleted }) => by !== null && by !== user && !deleted);
    const calls = open.filter(
      (entry) => entry.called.everyone || entry.called.mentions?.includes(user),
    );
    return { unread: open.length, mentions: calls.length };
  }

  derived(user: UserId): { unread: number; mentions: number } | null {
    const mark = this.positions.marks.get(user);
    if (!mark) return null;
    return {
      unread: unread(this.positions, user, mark, this.deleted),
      mentions: unreadCalls(this.positions, user, mark),
    };
  }
}

/** Holds the check to any run of steps, at each of them. */
function afterEveryStep(check: (scene: Scene) => void): void {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const scene = new Scene();
      for (const name of USERS.slice(0, 3)) scene.take({ act: "join", user: name });
      for (const one of steps) {
        scene.take(one);
        check(scene);
      }
    }),
    { numRuns: 300 },
  );
}

function messages(positions: Positions, count: number, by: UserId): void {
  const head = positions.messages;
  for (let i = 1; i <= count; i++) messageSent(positions, messageOf(head + i, by), {});
}

function read(positions: Positions, through: number, room: Scene["room"]): Mark | null {
  return readThrough(positions, ANN, { through: seqOf(through) }, room);
}

describe("counts derived from positions", () => {
  it("[UN1] equal a recount after any run of sends, deletions, reads, joins and leaves", () => {
    afterEveryStep((scene) => {
      for (const name of USERS) expect(scene.derived(name)).toEqual(scene.recount(name));
    });
  });

  it("[UN9] what others may see of a position equals a recount after any such run, however much is private", () => {
    afterEveryStep(({ positions, through, shown }) => {
      const marks = [...positions.marks];
      expect(new Map(marks.map(([name, mark]) => [name, mark.through]))).toEqual(through);
      expect(new Map(marks.map(([name, mark]) => [name, shownOf(mark)]))).toEqual(shown);
    });
  });

  it("[UN9] what is read in private is shown with what is read publicly, and not before", () => {
    const positions = emptyPositions();
    memberCame(positions, ANN, seqOf(0));
    memberCame(positions, BOB, seqOf(0));
    messages(positions, 9, BOB);
    const room = { head: seqOf(9), kept: 1_000 };
    const inPrivate = (through: number): Mark | null =>
      readThrough(positions, ANN, { through: seqOf(through), private: true }, room);
    read(positions, 2, room);
    expect(inPrivate(8)).toEqual({ through: 8, base: 8, shown: 2 });
    expect(inPrivate(8)).toBeNull();
    expect(read(positions, 2, room)).toBeNull();
    expect(read(positions, 5, room)).toEqual({ through: 8, base: 8, shown: 5 });
    expect(markUnread(positions, ANN, back(7), room)).toEqual({ through: 6, base: 6, shown: 5 });
    expect(markUnread(positions, ANN, back(4), room)).toEqual({ through: 3, base: 3 });
    expect(inPrivate(9)).toEqual({ through: 9, base: 9, shown: 3 });
    expect(read(positions, 9, room)).toEqual({ through: 9, base: 9 });
  });

  it("[UN9] a mark keeps what it says in its text", () => {
    const rest = [
      {},
      { from: seqOf(90) },
      { shown: seqOf(0) },
      { from: seqOf(90), shown: seqOf(4) },
    ];
    const marks = rest.map((more): Mark => ({ through: seqOf(57), base: 12, ...more }));
    expect(marks.map(writeMark)).toEqual(["57:12", "57:12:90", "57:12::0", "57:12:90:4"]);
    expect(marks.map(writeMark).map(readMark)).toEqual(marks);
  });

  it("[UN2] a position only rises by reading, and falls by marking unread", () => {
    const positions = emptyPositions();
    memberCame(positions, ANN, seqOf(0));
    memberCame(positions, BOB, seqOf(0));
    messages(positions, 5, BOB);
    const room = { head: seqOf(5), kept: 1_000 };
    const mark = (through: number, base: number): Mark => ({ through: seqOf(through), base });
    expect(read(positions, 3, room)).toEqual(mark(3, 3));
    expect(read(positions, 3, room)).toBeNull();
    expect(read(positions, 2, room)).toBeNull();
    expect(read(positions, 6, room)).toBeNull();
    expect(markUnread(positions, ANN, back(2), room)).toEqual(mark(1, 1));
    expect(markUnread(positions, ANN, back(6), room)).toBeNull();
    expect(markUnread(positions, ANN, back(4), room)).toEqual(mark(1, 1));
    expect(read(positions, 5, room)).toEqual(mark(5, 5));
    expect(markUnread(positions, ANN, back(2, 4), room)).toEqual(mark(4, 4));
  });

  it("[UN2] who is no member has no position", () => {
    const positions = emptyPositions();
    memberCame(positions, BOB, seqOf(0));
    messages(positions, 2, BOB);
    const room = { head: seqOf(2), kept: 1_000 };
    expect(read(positions, 1, room)).toBeNull();
    expect(markUnread(positions, ANN, back(1), room)).toBeNull();
  });

  it("[UN3] looks at the newest entries that are kept, and no further", () => {
    const positions = emptyPositions();
    memberCame(positions, ANN, seqOf(0));
    memberCame(positions, BOB, seqOf(0));
    messages(positions, 29, BOB);
    messageSent(positions, messageOf(30, BOB), { mentions: [ANN] });
    positions.calls.set(ANN, [{ seq: seqOf(7), by: BOB }, ...(positions.calls.get(ANN) ?? [])]);
    const room = { head: seqOf(30), kept: 10 };
    read(positions, 30, room);
    const marked = markUnread(positions, ANN, back(5), room) as Mark;
    expect(unread(positions, ANN, marked, [])).toBe(10);
    // One that does not count anyway takes nothing off the count when it is deleted.
    const deleted = [5, 20, 21, 30].map((seq) => ({ seq: seqOf(seq), by: BOB }));
    expect(unread(positions, ANN, marked, deleted)).toBe(8);
    expect(unreadCalls(positions, ANN, marked)).toBe(1);
    expect(readMark(writeMark(marked))).toEqual(marked);
    positions.tail.from = seqOf(25);
    expect(tailWanted(positions, seqOf(4), room)).toBe(10);
    expect(tailWanted(positions, seqOf(25), room)).toBe(0);
  });

  it("[UN3] keeps at most so many senders and calls", () => {
    const positions = emptyPositions();
    memberCame(positions, ANN, seqOf(0));
    for (let i = 1; i <= 3 * TAIL_MESSAGES_MAX; i++) {
      messageSent(positions, messageOf(i, BOB), { mentions: [ANN] });
      expect(positions.tail.messages.length).toBeLessThanOrEqual(TAIL_MESSAGES_MAX);
      expect(positions.tail.messages[0]?.seq).toBe(positions.tail.from + 1);
    }
    expect(positions.calls.get(ANN)).toHaveLength(LIMITS.mentionsCounted);
    expect(positions.calls.get(ANN)?.at(-1)?.seq).toBe(3 * TAIL_MESSAGES_MAX);
    const mark = positions.marks.get(ANN) as Mark;
    expect(unreadCalls(positions, ANN, mark)).toBe(LIMITS.mentionsCounted);
    messageSent(positions, messageOf(3 * TAIL_MESSAGES_MAX + 1, BOB), { everyone: true });
    expect(unreadCalls(positions, ANN, mark)).toBe(LIMITS.mentionsCounted);
  });

  it("[UN3] takes in as many senders as the longest history holds", () => {
    const positions = emptyPositions();
    memberCame(positions, ANN, seqOf(0));
    const count = 300_000;
    positions.messages = count;
    positions.tail.from = seqOf(count);
    const older = Array.from({ length: count }, (_, i) => ({ seq: seqOf(i + 1), by: BOB }));
    extendTail(positions, seqOf(0), older);
    const room = { head: seqOf(count), kept: count };
    positions.marks.set(ANN, { through: seqOf(count), base: count });
    expect(markUnread(positions, ANN, back(1), room)).toEqual({ through: 0, base: 0 });
  });
});
