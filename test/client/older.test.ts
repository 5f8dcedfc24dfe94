/** Older pages in front of what is there: one list, whatever happens while they are on their way. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "../../src/client/message.ts";
import { OLDER_PAGE_ENTRIES, OlderPages } from "../../src/client/older.ts";
import type { HistoryPage, HistoryQuery } from "../../src/client/replies.ts";
import { ENTRIES_HELD_MAX, Timeline, type Older } from "../../src/client/timeline.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { Epoch, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { happened, nextEntry, said, shownPage } from "./people.ts";
import { entriesFrom, ROOM } from "./scripted-server.ts";

const SEED = 20_241_127;
const ANN = "ann" as UserId;

interface Asked {
  readonly query: HistoryQuery;
  /** The newest entry of the client then. */
  readonly last: number;
  readonly answer: (page: HistoryPage) => void;
  readonly fail: (error: Error) => void;
}

/** A followed room whose newest entry is `last`, and what is asked of its server. */
function newRoom(entries: readonly Entry[], kept = 500) {
  const timeline = new Timeline(kept, () => ANN);
  for (const entry of entries) timeline.append(entry);
  const asked: Asked[] = [];
  const loaded: number[][] = [];
  const state = { followed: true, epoch: 1 as Epoch | null };
  const pages = new OlderPages({
    timeline,
    followed: () => state.followed,
    epoch: () => state.epoch,
    history: (query) => {
      const last = timeline.last ?? 0;
      return new Promise((answer, fail) => asked.push({ query, last, answer, fail }));
    },
    loaded: (older) => loaded.push(older.map(({ seq }) => seq)),
  });
  return { timeline, pages, asked, loaded, state };
}

/** What the server answers when it reads this log; `kept` entries of it are there. */
function pageOf(
  log: readonly Entry[],
  { before = 0 as Seq, limit = 0 }: HistoryQuery,
  kept = Infinity,
): HistoryPage {
  const from = Math.max(0, log.length - kept, before - 1 - limit);
  const entries = shownPage(log).slice(from, before - 1);
  const more = from > Math.max(0, log.length - kept);
  return { room: ROOM, epoch: 1 as Epoch, head: log.length as Seq, more, entries };
}
const seqs = (timeline: Timeline): number[] => timeline.entries.map(({ seq }) => seq);
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** A room of which a client sees the newest part, and more of both ends as time goes by. */
class Story {
  readonly log: Entry[] = [];
  readonly #chance: () => number;
  readonly #room: ReturnType<typeof newRoom>;
  #last: number;

  constructor(chance: () => number, kept: number) {
    this.#chance = chance;
    while (this.log.length < 60) this.log.push(nextEntry(this.log, chance));
    this.#room = newRoom([], kept);
    this.#last = 40;
    this.#follow(20);
  }

  #upTo(most: number): number {
    return Math.floor(this.#chance() * (most + 1));
  }

  async step(): Promise<void> {
    const dice = this.#chance();
    if (dice < 0.35) this.log.push(nextEntry(this.log, this.#chance));
    else if (dice < 0.6) this.#follow(1 + this.#upTo(8));
    else if (dice < 0.8) void this.#room.pages.load(1 + this.#upTo(15));
    else if (dice < 0.97) await this.#answer();
    else {
      this.#room.timeline.replace();
      this.#last = Math.max(this.#last, this.log.length - this.#upTo(5));
      this.#follow(5);
      this.#room.timeline.settleAt(this.#last as Seq);
    }
    this.#check();
  }

  #follow(count: number): void {
    const to = Math.min(this.log.length, this.#last + count);
    const source = this.#chance() < 0.5 ? this.log : shownPage(this.log);
    for (const entry of source.slice(this.#last, to)) this.#room.timeline.append(entry);
    this.#last = to;
  }

  async #answer(): Promise<void> {
    const asked = this.#room.asked.shift();
    // The page was read at some time after it was asked for: live entries are behind it, or ahead.
    const head = asked ? asked.last + this.#upTo(this.log.length - asked.last) : 0;
    asked?.answer(pageOf(this.log.slice(0, head), asked.query));
    await settled();
  }

  #check(): void {
    const shown = seqs(this.#room.timeline);
    expect(shown).toEqual(shown.length === 0 ? [] : range(shown[0] as number, this.#last));
  }

  /** In the end everything has come, in both directions. */
  async end(): Promise<void> {
    const { pages, timeline, asked } = this.#room;
    this.#follow(this.log.length);
    while (asked.length > 0) await this.#answer();
    for (let i = 0; timeline.older === "more" && i < 200; i++) {
      const done = pages.load(13);
      await this.#answer();
      await done;
    }
    expect(timeline.older).toBe("none");
    expect(seqs(timeline)).toEqual(range(1, this.log.length));
    const expected = shownPage(this.log).flatMap((entry) => messageOf(entry, ANN) ?? []);
    expect(timeline.messages.list).toEqual(expected);
  }
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("older entries", () => {
  it(`[CL30] and the newer ones are one list, folded like the whole log (seed ${SEED})`, async () => {
    const dice = fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { minLength: 60, maxLength: 400 });
    const property = fc.asyncProperty(dice, fc.constantFrom(0, 5, 500), async (dice, kept) => {
      let at = 0;
      const chance = (): number => ((dice[at++ % dice.length] as number) % 1_000) / 1_000;
      const story = new Story(chance, kept);
      for (let i = 0; i < 60; i++) await story.step();
      await story.end();
    });
    await fc.assert(property, { seed: SEED, numRuns: 100, endOnFailure: true });
  });

  it("[CL30] change with what happens later, also while their page is on its way", async () => {
    const target = 3 as Seq;
    const log = [...entriesFrom(1, 10)];
    const { timeline, pages, asked, loaded } = newRoom(log.slice(7));
    const done = pages.load(5);
    timeline.append(happened(11, "bob", { type: "message.edited", target, text: "edited" }));
    timeline.append(said(12, "cid", "yes", { replyTo: target }));
    asked[0]?.answer(pageOf(log, { before: 8 as Seq, limit: 5 }));
    expect(await done).toBe("more");
    expect(loaded).toEqual([[3, 4, 5, 6, 7]]);
    expect(timeline.messages.find(target)).toMatchObject({ text: "edited", replies: 1 });
    timeline.append(happened(13, "bob", { type: "message.deleted", target }));
    expect(timeline.messages.find(target)).toMatchObject({ text: null, deleted: true });
    expect(timeline.messages.drain().map(({ seq }) => seq)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 12]);
  });

  it("[CL30] end where the server keeps no more", async () => {
    const log = entriesFrom(1, 30);
    const { timeline, pages, asked } = newRoom(log.slice(20));
    const first = pages.load();
    expect(asked[0]?.query).toEqual({ before: 21, limit: OLDER_PAGE_ENTRIES });
    asked[0]?.answer(pageOf(log, { before: 21 as Seq, limit: 5 }, 15));
    expect([await first, seqs(timeline)[0]]).toEqual(["none", 16]);
    expect([await pages.load(), asked.length]).toEqual(["none", 1]);
    // Another history may be kept from an earlier entry on.
    timeline.replace();
    for (const entry of log.slice(10)) timeline.append(entry);
    expect(timeline.older).toBe("more");
    const whole = newRoom(log);
    expect([await whole.pages.load(), whole.asked.length]).toEqual(["none", 0]);
    const bare = newRoom(log.slice(20));
    const none = bare.pages.load();
    bare.asked[0]?.answer(pageOf(log, { before: 21 as Seq, limit: 5 }, 10));
    expect([await none, bare.loaded]).toEqual(["none", []]);
  });
});

describe("asking for older entries", () => {
  const load = async (room: ReturnType<typeof newRoom>, page: HistoryPage): Promise<Older> => {
    const done = room.pages.load();
    room.asked.pop()?.answer(page);
    return done;
  };

  it("[CL30] is one request, however many ask, and one after the other", async () => {
    const log = entriesFrom(1, 30);
    const { timeline, pages, asked } = newRoom(log.slice(25));
    const all = [pages.load(3), pages.load(200)];
    expect(asked).toHaveLength(1);
    asked[0]?.fail(new Error("no network"));
    for (const one of all) await expect(one).rejects.toThrow("no network");
    const again = [pages.load(3), pages.load(3)];
    asked[1]?.answer(pageOf(log, { before: 26 as Seq, limit: 3 }));
    expect(await Promise.all(again)).toEqual(["more", "more"]);
    expect(seqs(timeline)).toEqual(range(23, 30));
    void pages.load(3);
    expect(asked.map(({ query }) => query.before)).toEqual([26, 26, 23]);
  });

  it("[CL30] drops a page of entries that are not shown any more, and asks anew for others", async () => {
    const log = entriesFrom(1, 40);
    const { timeline, pages, asked, loaded } = newRoom(log.slice(15, 20));
    const stale = pages.load(5);
    timeline.replace();
    for (const entry of log.slice(15)) timeline.append(entry);
    const fresh = pages.load(3);
    expect(asked).toHaveLength(2);
    // It would connect, and is of another time all the same.
    asked[0]?.answer(pageOf(log, { before: 16 as Seq, limit: 5 }));
    expect(await stale).toBe("more");
    expect(loaded).toEqual([]);
    expect(pages.load(5)).toBe(fresh);
    asked[1]?.answer(pageOf(log, { before: 16 as Seq, limit: 3 }));
    await fresh;
    expect(seqs(timeline)).toEqual(range(13, 40));
  });

  it("[CL30] takes of a page what there is room for, and nothing once it does not connect", async () => {
    const log = entriesFrom(1, ENTRIES_HELD_MAX + 100);
    const almost = ENTRIES_HELD_MAX - 10;
    const page = pageOf(log.slice(0, almost + 50), { before: 51 as Seq, limit: 50 });
    for (const [live, loads] of [
      [4, range(45, 50)],
      [10, []],
      [20, []],
    ] as const) {
      const room = newRoom(log.slice(50, almost + 50), almost);
      const done = room.pages.load();
      for (const entry of log.slice(almost + 50, almost + 50 + live)) room.timeline.append(entry);
      room.asked[0]?.answer(page);
      expect([await done, room.loaded.flat()]).toEqual(["full", loads]);
      expect(room.timeline.entries).toHaveLength(ENTRIES_HELD_MAX);
    }
  });

  it("[CL30] takes nothing of another history, nor for a room that is not followed", async () => {
    const log = entriesFrom(1, 20);
    const room = newRoom(log.slice(10));
    const other = { ...pageOf(log, { before: 11 as Seq, limit: 5 }), epoch: 2 as Epoch };
    await expect(load(room, other)).rejects.toMatchObject({ code: "historyChanged" });
    const late = room.pages.load();
    room.state.followed = false;
    room.asked[0]?.answer(pageOf(log, { before: 11 as Seq, limit: 5 }));
    expect([await late, room.loaded]).toEqual(["more", []]);
    await expect(room.pages.load()).rejects.toMatchObject({ code: "invalid" });
    await expect(newRoom([]).pages.load()).rejects.toMatchObject({ code: "invalid" });
    for (const limit of [0, 1.5, LIMITS.pageEntries + 1]) {
      await expect(newRoom(log.slice(9)).pages.load(limit)).rejects.toThrow("limit");
    }
  });

  it("[CL30] holds a bounded number of entries, the newest ones", async () => {
    const total = ENTRIES_HELD_MAX + 300;
    const log = entriesFrom(1, total);
    const room = newRoom(log.slice(-100), 100);
    const page = (): HistoryPage => {
      const before = room.timeline.entries[0]?.seq as number;
      const entries = log.slice(Math.max(0, before - 1 - 190), before - 1);
      return { room: ROOM, epoch: 1 as Epoch, head: total as Seq, more: before > 191, entries };
    };
    let older: Older = "more";
    while (older === "more") older = await load(room, page());
    expect(older).toBe("full");
    expect(seqs(room.timeline)).toEqual(range(301, total));
    expect(room.timeline.messages.list).toHaveLength(ENTRIES_HELD_MAX);
    expect([await room.pages.load(), room.asked.length]).toEqual(["full", 0]);
    room.timeline.append(said(total + 1, "bob"));
    expect(seqs(room.timeline)).toEqual(range(302, total + 1));
    expect(room.timeline.messages.list[0]?.seq).toBe(302);
    room.timeline.replace();
    for (const entry of log) room.timeline.append(entry);
    expect(room.timeline.entries).toHaveLength(100);
    expect(room.timeline.messages.list).toHaveLength(100);
  });
});
