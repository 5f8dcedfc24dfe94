/** How far one has read and what is unread. */
import { beforeEach, describe, expect, it } from "vitest";
import { READ_EVERY_MS, READ_PATIENCE_MS, READ_TRIES_MAX } from "../../src/client/reading.ts";
import { TAIL_MESSAGES_MAX } from "../../src/client/unread.ts";
import type { Seq } from "../../src/protocol/ids.ts";
import { ANN, newReading, position } from "./new-reading.ts";
import { happened, said } from "./people.ts";
import { entryAt } from "./scripted-server.ts";

describe("unread counts", () => {
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
