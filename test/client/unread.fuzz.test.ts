/** What is unread, against a recount, while everything comes late and in any order. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "../../src/client/message.ts";
import { READ_EVERY_MS, type Position } from "../../src/client/reading.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { Seq } from "../../src/protocol/ids.ts";
import { ANN, newReading } from "./new-reading.ts";
import { nextEntry, shownPage } from "./people.ts";
import { entryAt } from "./scripted-server.ts";

const SEED = 20_241_125;

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

describe(`unread counts (seed ${SEED})`, () => {
  it("[CL24] equal a recount at any time, whatever comes late, in any order or not at all", () => {
    stories(true, 25);
  });

  it("[CL24] need no second reading of the list where every entry comes", () => {
    stories(false, 0, ({ made }) => expect(made.link.doubts).toBe(0));
  });
});
