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
import { parseCursor, type Cursor } from "../../src/protocol/cursor.ts";
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
  const link = { up: true, doubts: 0, changes: 0 };
  const reading = new Reading({
    clock,
    agenda: new Agenda(clock),
    name: "general",
    me: () => ANN,
    connected: () => link.up,
    send: (through: Cursor) => said.push(parseCursor(through)?.seq ?? 0),
    doubt: () => (link.doubts += 1),
    changed: () => (link.changes += 1),
  });
  return { reading, clock, said, link };
}

/** What is unread for Ann in a room with this log, counted one by one. */
function recount(log: readonly Entry[], through: number): Position {
  const messages = shownPage(log).flatMap((entry) => messageOf(entry, ANN) ?? []);
  const unread = messages.filter(({ seq, by, deleted }) => seq > through && by !== ANN && !deleted);
  const mentions = unread.filter(({ callsMe }) => callsMe).length;
  return { through: through as Seq, unread: unread.length, mentions };
}

/** A server's room, and Ann's client, who learns of it late and in pieces. */
class Story {
  readonly made = newReading();
  readonly log: Entry[] = [];
  readonly #chance: () => number;
  /** Ann's position on the server. */
  through = 0;
  #frames: Position[] = [];
  #asked: { line: Position; head: number; frames: number } | null = null;
  #framesTaken = 0;
  #last = 0;

  constructor(chance: () => number) {
    this.#chance = chance;
    this.ask();
    this.answer();
  }

  step(): void {
    const { reading, said } = this.made;
    const dice = this.#chance();
    if (dice < 0.4) this.append();
    else if (dice < 0.5) this.move(this.#upTo(this.log.length));
    else if (dice < 0.7) this.take(1 + this.#upTo(6));
    else if (dice < 0.8) this.frame();
    else if (dice < 0.85) this.leap();
    else if (dice < 0.9) this.ask();
    else if (dice < 0.95) this.answer();
    else if (this.#last > 0) {
      reading.read(entryAt(this.#upTo(this.#last)).cursor);
      const newest = said.at(-1);
      if (newest !== undefined && newest > this.through) this.move(newest);
    }
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
    this.#frames.push(recount(this.log, through));
  }
  take(count: number): void {
    const to = Math.min(this.log.length, this.#last + count);
    const source = this.#chance() < 0.5 ? this.log : shownPage(this.log);
    for (const entry of source.slice(this.#last, to)) this.made.reading.take(entry, true);
    this.#last = to;
  }
  frame(): void {
    const frame = this.#frames.shift();
    if (!frame) return;
    this.#framesTaken += 1;
    this.made.reading.tell(frame);
  }
  /** A gap: the newest page only. */
  leap(): void {
    if (this.log.length - this.#last < 3) return;
    this.made.reading.restart(false);
    this.#last = Math.max(this.#last, this.log.length - 1 - this.#upTo(3));
    this.take(this.log.length);
  }
  ask(): void {
    this.made.link.doubts = 0;
    const line = recount(this.log, this.through);
    this.#asked = { line, head: this.log.length, frames: this.#framesTaken };
  }
  answer(): void {
    const asked = this.#asked;
    this.#asked = null;
    // As the list does: what came meanwhile counts.
    if (!asked) return;
    const { reading, link } = this.made;
    if (asked.frames === this.#framesTaken) reading.listed(asked.line, asked.head as Seq);
    else if (reading.inDoubt) link.doubts += 1;
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
    if (link.doubts > 0) {
      this.ask();
      this.answer();
    }
    expect({ ...reading.counts, through: reading.through }).toEqual(
      recount(this.log, this.through),
    );
  }
}

describe("unread counts", () => {
  it("[CL24] equal a recount in the end, whatever comes late, twice or not at all", () => {
    const story = fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { minLength: 60, maxLength: 600 });
    const property = fc.property(story, (dice) => {
      let at = 0;
      const chance = (): number => ((dice[at++ % dice.length] as number) % 1_000) / 1_000;
      const told = new Story(chance);
      for (let i = 0; i < 60; i++) told.step();
      told.end();
    });
    fc.assert(property, { seed: SEED, numRuns: 400, endOnFailure: true });
  });

  it("[CL24] are not known before somebody says them, and rise and fall with the entries then", () => {
    const { reading } = newReading();
    for (const seq of [1, 2, 3]) reading.take(said(seq, "bob"), false);
    expect([reading.counts, reading.through]).toEqual([null, null]);
    reading.listed({ through: 1 as Seq, unread: 2, mentions: 0 }, 3 as Seq);
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
    reading.listed({ through: 2 as Seq, unread: 50, mentions: 0 }, 60 as Seq);
    for (const seq of [60, 61]) reading.take(said(seq, "bob"), false);
    expect(reading.counts).toEqual({ unread: 51, mentions: 0 });
    reading.take(happened(62, "bob", { type: "message.deleted", target: 61 as Seq }), true);
    expect([reading.counts?.unread, link.doubts]).toEqual([50, 0]);
    reading.take(happened(63, "bob", { type: "message.deleted", target: 9 as Seq }), true);
    expect(link.doubts).toBe(1);
  });

  it("[CL24] hold with more messages than are known one by one", () => {
    const { reading, link } = newReading();
    reading.listed({ through: 0 as Seq, unread: 0, mentions: 0 }, 0 as Seq);
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
    made.reading.listed({ through: 1 as Seq, unread: 8, mentions: 0 }, 9 as Seq);
  });
  const read = (seq: number): void => made.reading.read(entryAt(seq).cursor);

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

  it("[CL23] is said again until it is confirmed, some times on each connection", () => {
    read(5);
    made.clock.advance(READ_TRIES_MAX * 2 * READ_PATIENCE_MS);
    expect(made.said).toEqual(Array.from({ length: READ_TRIES_MAX }, () => 5));
    made.link.up = false;
    made.clock.advance(READ_PATIENCE_MS);
    made.link.up = true;
    made.reading.connected();
    expect(made.said).toHaveLength(READ_TRIES_MAX + 1);
    made.reading.tell({ through: 4 as Seq, unread: 5, mentions: 0 });
    expect(made.reading.through).toBe(5);
    made.reading.tell({ through: 5 as Seq, unread: 4, mentions: 0 });
    made.reading.connected();
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
    made.reading.connected();
    expect(made.said).toEqual([]);
    expect(made.reading.through).toBe(10);
  });

  it("[CL23] is not said any more once it is taken back", () => {
    read(5);
    made.reading.goBack();
    made.clock.advance(READ_TRIES_MAX * READ_PATIENCE_MS);
    expect(made.said).toEqual([5]);
    made.reading.tell({ through: 2 as Seq, unread: 7, mentions: 0 });
    expect(made.reading.through).toBe(2);
    expect(made.reading.counts).toEqual({ unread: 7, mentions: 0 });
  });

  it("[CL23] of another device shows here, and means nothing in another history", () => {
    made.reading.tell({ through: 9 as Seq, unread: 0, mentions: 0 });
    expect(made.reading.counts).toEqual({ unread: 0, mentions: 0 });
    made.reading.restart(true);
    expect([made.reading.through, made.reading.counts]).toEqual([null, null]);
    expect(made.link.doubts).toBe(1);
  });
});
