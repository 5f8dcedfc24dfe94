/** How far one has read and what is unread, against a recount. */
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Agenda } from "../../src/client/agenda.ts";
import { messageOf } from "../../src/client/message.ts";
import {
  Reading,
  READ_EVERY_MS,
  READ_PATIENCE_MS,
  READ_TRIES_MAX,
  type Position,
} from "../../src/client/reading.ts";
import { TAIL_MESSAGES_MAX } from "../../src/client/unread.ts";
import { parseCursor } from "../../src/protocol/cursor.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { Seq, UserId } from "../../src/protocol/ids.ts";
import { FakeClock } from "./fake-clock.ts";
import { happened, nextEntry, said, shownPage } from "./people.ts";
import { entryAt } from "./scripted-server.ts";

const SEED = 20_241_125;
const ANN = "ann" as UserId;

function newReading() {
  const clock = new FakeClock();
  const said: number[] = [];
  const words: string[] = [];
  const link = { up: true, doubts: 0, changes: 0 };
  const reading = new Reading({
    clock,
    agenda: new Agenda(clock),
    name: "general",
    me: () => ANN,
    connected: () => link.up,
    send: ({ through, isPrivate }) => {
      const seq = parseCursor(through)?.seq ?? 0;
      said.push(seq);
      words.push(isPrivate ? `${seq} in private` : `${seq}`);
    },
    doubt: () => (link.doubts += 1),
    changed: () => (link.changes += 1),
  });
  return { reading, clock, said, words, link };
}

function position(through: number, unread: number, head: number): Position {
  return { through: through as Seq, unread, mentions: 0, head: head as Seq };
}

/** What is unread for Ann in a room with this log, counted one by one. */
function recount(log: readonly Entry[], through: number): Position {
  const messages = shownPage(log).flatMap((entry) => messageOf(entry, ANN) ?? []);
  const unread = messages.filter(({ seq, by, deleted }) => seq > through && by !== ANN && !deleted);
  const mentions = unread.filter(({ callsMe }) => callsMe).length;
  const told = { unread: unread.length, mentions, head: log.length as Seq };
  return { through: through as Seq, ...told };
}

/**
 * A server's room, and Ann's client, who learns of it late, in pieces, and of each kind
 * of news in its own time: entries, frames and answers wait for each other never.
 */
class Story {
  readonly made = newReading();
  readonly log: Entry[] = [];
  readonly #chance: () => number;
  readonly #leaps: boolean;
  /** Ann's position on the server. */
  through = 0;
  /** On their way; null for one whose counts the edge has not read yet. */
  readonly #frames: (Position | null)[] = [];
  #asked: { line: Position; atMs: number } | null = null;
  #last = 0;
  /** Entries that the client has been told of in some way. */
  #known = 0;
  /** Read here, and not confirmed. */
  #wish = 0;
  /** Those that the question on its way, or answered last, came after. */
  #doubts = 0;

  /** Without `leaps` every entry comes, from the first one on or after some that were there before. */
  constructor(chance: () => number, before: number, leaps: boolean) {
    this.#chance = chance;
    this.#leaps = leaps;
    for (let i = 0; i < before; i++) this.append();
    if (this.#chance() < 0.5) this.through = this.#upTo(before);
    this.ask();
    if (!leaps) this.answer();
    this.#last = this.#upTo(before);
  }

  step(): void {
    const { reading, clock, said } = this.made;
    clock.advance(1);
    const dice = this.#chance();
    if (dice < 0.35) this.append();
    else if (dice < 0.45) this.move(this.#upTo(this.log.length));
    else if (dice < 0.65) this.take(1 + this.#upTo(6));
    else if (dice < 0.75) this.frame();
    else if (dice < 0.8) this.read();
    else if (dice < 0.85) this.#leap();
    else if (dice < 0.9) this.ask();
    else if (dice < 0.95) this.answer();
    else if (this.#last > 0) {
      this.#wish = Math.max(this.#upTo(this.#last), reading.through ?? 0);
      reading.read({ through: entryAt(this.#wish).cursor, isPrivate: false });
      const newest = said.at(-1);
      if (newest !== undefined && newest > this.through) this.move(newest);
    }
    this.#check();
  }

  #upTo(most: number): number {
    return Math.floor(this.#chance() * (most + 1));
  }

  append(): void {
    const entry = nextEntry(this.log, this.#chance);
    this.log.push(entry);
    if (entry.by === ANN && entry.event.type === "message.sent") this.through = entry.seq;
  }
  /** Another device reads, or marks as unread. */
  move(through: number): void {
    this.through = through;
    this.#frames.push(this.#chance() < 0.5 ? recount(this.log, through) : null);
  }
  /** The edge reads counts that it is to tell. */
  read(): void {
    const at = this.#frames.indexOf(null);
    if (at >= 0) this.#frames[at] = recount(this.log, this.through);
  }
  take(count: number): void {
    const to = Math.min(this.log.length, this.#last + count);
    const isPage = this.#chance() < 0.5 && to > this.#last;
    if (isPage) this.#known = this.log.length;
    const source = isPage ? shownPage(this.log) : this.log;
    for (const entry of source.slice(this.#last, to)) this.made.reading.take(entry, true);
    this.#last = to;
  }
  frame(): void {
    if (this.#frames.length === 0) return;
    const frame = this.#frames.shift() ?? recount(this.log, this.through);
    this.#heard(frame);
    this.made.reading.tell(frame);
  }
  #heard({ head, through }: Position): void {
    // An older word may not count, so it is no confirmation that the check could rely on.
    if (through >= this.#wish && head > this.#known) this.#wish = 0;
    this.#known = Math.max(this.#known, head);
  }
  /** A gap: the newest page only. */
  #leap(): void {
    if (!this.#leaps || this.log.length - this.#last < 3) return;
    this.made.reading.restart(false);
    this.#last = Math.max(this.#last, this.log.length - 1 - this.#upTo(3));
    this.take(this.log.length);
  }
  ask(): void {
    this.#doubts = this.made.link.doubts;
    this.#asked = { line: recount(this.log, this.through), atMs: this.made.clock.now() };
  }
  answer(): void {
    const { reading, link } = this.made;
    if (!this.#asked) return;
    const { line, atMs } = this.#asked;
    this.#asked = null;
    this.#heard(line);
    reading.listed(line, atMs);
    if (reading.inDoubt) link.doubts += 1;
  }
  #answerAll(): void {
    this.made.clock.advance(1);
    this.ask();
    this.answer();
  }

  /** At any time, not only in the end: what is shown is a recount of what has come. */
  #check(): void {
    const { reading } = this.made;
    if (reading.inDoubt || reading.counts === null || reading.through === null) return;
    if (this.#last < this.#known || this.#wish > 0) return;
    const { unread, mentions } = recount(this.log.slice(0, this.#last), reading.through);
    expect(reading.counts).toEqual({ unread, mentions });
  }

  end(): void {
    const { reading, clock, said, link } = this.made;
    this.take(this.log.length);
    while (this.#frames.length > 0) this.frame();
    this.answer();
    // A position that was not said yet is said now.
    clock.advance(READ_EVERY_MS);
    const newest = said.at(-1) ?? 0;
    if (newest > this.through) this.move(newest);
    while (this.#frames.length > 0) this.frame();
    if (link.doubts > this.#doubts) this.#answerAll();
    expect(reading.inDoubt).toBe(false);
    const { unread, mentions, through } = recount(this.log, this.through);
    expect(reading.counts).toEqual({ unread, mentions });
    expect(reading.through).toBe(through);
  }
}

/** Many stories, each after at most so many entries from before; `then` is called with each. */
function stories(leaps: boolean, most: number, then?: (story: Story) => void): void {
  const dice = fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { minLength: 60, maxLength: 600 });
  const property = fc.property(dice, fc.integer({ min: 0, max: most }), (dice, before) => {
    let at = 0;
    const chance = (): number => ((dice[at++ % dice.length] as number) % 1_000) / 1_000;
    const told = new Story(chance, before, leaps);
    for (let i = 0; i < 60; i++) told.step();
    told.end();
    then?.(told);
  });
  fc.assert(property, { seed: SEED, numRuns: 400, endOnFailure: true });
}

describe("unread counts", () => {
  it("[CL24] equal a recount at any time, whatever comes late, in any order or not at all", () => {
    stories(true, 25);
  });

  it("[CL24] need no second reading of the list where every entry comes", () => {
    stories(false, 0, ({ made }) => expect(made.link.doubts).toBe(0));
  });

  it("[CL24] count on from the head of a frame, also where that is behind or ahead", () => {
    const { reading, link } = newReading();
    reading.listed(position(2, 50, 60), 1);
    for (let seq = 61; seq <= 70; seq++) reading.take(said(seq, "bob"), true);
    reading.tell(position(4, 58, 70));
    expect(reading.counts?.unread).toBe(58);
    reading.take(said(71, "bob"), true);
    reading.tell(position(10, 48, 66)); // from before what was told already
    expect(reading.counts?.unread).toBe(59);
    reading.tell(position(12, 53, 73));
    reading.take(said(72, "bob"), true);
    expect(reading.counts?.unread).toBe(53);
    for (const seq of [73, 74]) reading.take(said(seq, "bob"), true);
    expect([reading.counts?.unread, reading.through, link.doubts]).toEqual([54, 12, 0]);
  });

  it("[CL24] are in doubt after a gap that the server has not told of, and only then", () => {
    const { reading, link } = newReading();
    reading.listed(position(2, 3, 5), 1);
    reading.restart(false);
    reading.take(said(6, "bob"), false);
    expect([reading.counts?.unread, link.doubts]).toEqual([4, 0]);
    reading.restart(false);
    reading.take(said(20, "bob"), false);
    expect([reading.inDoubt, link.doubts]).toEqual([true, 1]);
    reading.tell(position(2, 17, 19));
    expect([reading.counts?.unread, reading.inDoubt]).toEqual([18, false]);
  });

  it("[CL24] are in doubt where a frame is from before a deletion that came already", () => {
    const { reading, link } = newReading();
    reading.listed(position(2, 50, 60), 1);
    for (const seq of [61, 62]) reading.take(said(seq, "bob"), true);
    reading.take(happened(63, "bob", { type: "message.deleted", target: 61 as Seq }), true);
    expect([reading.counts?.unread, link.doubts]).toEqual([51, 0]);
    reading.tell(position(3, 51, 62));
    expect(link.doubts).toBe(1);
    reading.tell(position(3, 50, 63));
    expect([reading.counts?.unread, reading.inDoubt]).toEqual([50, false]);
  });

  it.each([
    ["an edit", { text: "edited", edits: 1 }],
    ["a deletion", { text: null }],
  ])(
    "[CL24] are in doubt where a frame is from before %s that a page had in it already",
    (_what, change) => {
      const { reading, link } = newReading();
      reading.listed(position(2, 50, 60), 1);
      const folded = { type: "message.folded", through: 65 as Seq, ...change } as const;
      reading.take(happened(61, "bob", folded), false);
      reading.take(said(62, "bob"), false);
      reading.tell(position(3, 51, 62));
      expect([reading.inDoubt, link.doubts]).toEqual([true, 1]);
      reading.tell(position(3, 50, 65));
      expect([reading.inDoubt, link.doubts]).toEqual([false, 1]);
    },
  );

  it("[CL24] are in doubt where a frame is from after an edit whose text is still to come", () => {
    const { reading, link } = newReading();
    reading.listed(position(2, 50, 60), 1);
    const edit = { type: "message.edited", target: 61 as Seq } as const;
    reading.take(said(61, "bob"), false);
    reading.take(happened(62, "bob", { ...edit, text: null }), false);
    reading.tell({ ...position(3, 50, 62), mentions: 1 });
    expect([reading.inDoubt, link.doubts]).toEqual([true, 1]);
    reading.take(happened(63, "bob", { ...edit, text: "no longer you" }), false);
    reading.tell(position(3, 50, 63));
    expect([reading.counts, reading.inDoubt]).toEqual([{ unread: 50, mentions: 0 }, false]);
  });

  it("[CL24] are not known before somebody says them, and rise and fall with the entries then", () => {
    const { reading } = newReading();
    for (const seq of [1, 2, 3]) reading.take(said(seq, "bob"), false);
    expect([reading.counts, reading.through]).toEqual([null, null]);
    reading.listed(position(1, 2, 3), 1);
    reading.take(said(4, "bob", "ann!", { mentions: [ANN] }), true);
    expect(reading.counts).toEqual({ unread: 3, mentions: 1 });
    reading.take(happened(5, "bob", { type: "message.deleted", target: 3 as Seq }), true);
    expect(reading.counts).toEqual({ unread: 2, mentions: 1 });
    reading.take(said(6, "ann"), true);
    expect(reading.counts).toEqual({ unread: 0, mentions: 0 });
    expect(reading.through).toBe(6);
  });

  it("[CL24] are in doubt where a message was deleted that nobody here knows", () => {
    const { reading, link } = newReading();
    reading.listed(position(2, 50, 60), 1);
    for (const seq of [60, 61]) reading.take(said(seq, "bob"), false);
    expect(reading.counts).toEqual({ unread: 51, mentions: 0 });
    reading.take(happened(62, "bob", { type: "message.deleted", target: 61 as Seq }), true);
    expect([reading.counts?.unread, link.doubts]).toEqual([50, 0]);
    reading.take(happened(63, "bob", { type: "message.deleted", target: 9 as Seq }), true);
    expect(link.doubts).toBe(1);
  });

  it("[CL24] of another history are counted anew, whatever was in doubt or said in this one", () => {
    const { reading, link } = newReading();
    reading.listed(position(2, 50, 60), 1);
    for (const seq of [60, 61]) reading.take(said(seq, "bob"), false);
    reading.take(happened(62, "bob", { type: "message.deleted", target: 9 as Seq }), true);
    reading.take(said(63, "ann"), true);
    reading.restart(true);
    expect(link.doubts).toBe(2);
    reading.listed(position(1, 3, 5), 2);
    reading.live(5 as Seq);
    expect([reading.counts?.unread, reading.through, reading.inDoubt]).toEqual([3, 1, false]);
    expect(link.doubts).toBe(2);
  });

  it("[CL24] hold with more messages than are known one by one", () => {
    const { reading, link } = newReading();
    reading.listed(position(0, 0, 0), 1);
    const many = TAIL_MESSAGES_MAX + 10;
    for (let seq = 1; seq <= many; seq++) reading.take(said(seq, "bob"), true);
    expect([reading.counts?.unread, link.doubts]).toEqual([many, 0]);
    reading.take(happened(many + 1, "bob", { type: "message.deleted", target: 10 as Seq }), true);
    expect(link.doubts).toBe(1);
  });
});

describe("reading", () => {
  let made: ReturnType<typeof newReading>;
  beforeEach(() => {
    made = newReading();
    for (let seq = 1; seq <= 9; seq++) made.reading.take(said(seq, "bob"), false);
    made.reading.listed(position(1, 8, 9), 1);
  });
  const read = (seq: number, isPrivate = false): void =>
    made.reading.read({ through: entryAt(seq).cursor, isPrivate });

  it("[CL23] counts at once, only rises, and says only the newest position of a while", () => {
    read(3);
    read(5);
    read(4);
    read(7);
    expect(made.reading.through).toBe(7);
    expect(made.reading.counts?.unread).toBe(2);
    expect(made.said).toEqual([3]);
    made.clock.advance(READ_EVERY_MS);
    expect(made.said).toEqual([3, 7]);
    read(7);
    made.clock.advance(READ_EVERY_MS);
    expect(made.said).toEqual([3, 7]);
  });

  it("[CL31] in private is said so, and what was public before it is said first", () => {
    read(2);
    read(4);
    read(6, true);
    read(7, true);
    read(5);
    expect(made.reading.through).toBe(7);
    expect(made.words).toEqual(["2"]);
    made.clock.advance(READ_EVERY_MS);
    expect(made.words.slice(1)).toEqual(["4", "7 in private"]);
    made.clock.advance(READ_PATIENCE_MS);
    expect(made.words.slice(3)).toEqual(["4", "7 in private"]);
    made.reading.tell(position(7, 2, 9));
    read(8, true);
    read(9);
    made.clock.advance(READ_EVERY_MS);
    expect(made.words.slice(5)).toEqual(["9"]);
  });

  it("[CL23] is said again until it is confirmed, some times on each connection", () => {
    read(5);
    made.clock.advance(READ_TRIES_MAX * 2 * READ_PATIENCE_MS);
    expect(made.said).toEqual(Array.from({ length: READ_TRIES_MAX }, () => 5));
    made.link.up = false;
    made.clock.advance(READ_PATIENCE_MS);
    made.link.up = true;
    made.reading.live(9 as Seq);
    expect(made.said).toHaveLength(READ_TRIES_MAX + 1);
    made.reading.tell(position(4, 5, 9));
    expect(made.reading.through).toBe(5);
    made.reading.tell(position(5, 4, 9));
    made.reading.live(9 as Seq);
    made.clock.advance(READ_TRIES_MAX * 2 * READ_PATIENCE_MS);
    expect(made.said).toHaveLength(READ_TRIES_MAX + 1);
    expect(made.reading.counts).toEqual({ unread: 4, mentions: 0 });
  });

  it("[CL23] waits for a connection, and an own message confirms it too", () => {
    made.link.up = false;
    read(5);
    expect(made.said).toEqual([]);
    made.reading.take(said(10, "ann"), true);
    made.link.up = true;
    made.reading.live(9 as Seq);
    expect(made.said).toEqual([]);
    expect(made.reading.through).toBe(10);
  });

  it("[CL23] is not said any more once it is taken back", () => {
    read(5);
    made.reading.goBack();
    made.clock.advance(READ_TRIES_MAX * READ_PATIENCE_MS);
    expect(made.said).toEqual([5]);
    made.reading.tell(position(2, 7, 9));
    expect(made.reading.through).toBe(2);
    expect(made.reading.counts).toEqual({ unread: 7, mentions: 0 });
  });

  it("[CL23] of another device shows here, and means nothing in another history", () => {
    made.reading.tell(position(9, 0, 9));
    expect(made.reading.counts).toEqual({ unread: 0, mentions: 0 });
    made.reading.restart(true);
    expect([made.reading.through, made.reading.counts]).toEqual([null, null]);
    expect(made.link.doubts).toBe(1);
  });
});
