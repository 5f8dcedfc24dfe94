/** Messages with their changes folded in, against the server's own fold. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asExpected, messageOf, type Message } from "../../src/client/message.ts";
import { Timeline } from "../../src/client/timeline.ts";
import type { Entry } from "../../src/protocol/frames.ts";
import type { CommandNumber, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { happened, nextEntry, said, shownPage } from "./people.ts";
import { entriesFrom, entryAt, ROOM } from "./scripted-server.ts";

const SEED = 20_241_124;
const ANN = "ann" as UserId;

function timelineOf(entries: readonly Entry[], kept = 500): Timeline {
  const timeline = new Timeline(kept, () => ANN);
  for (const entry of entries) timeline.append(entry);
  return timeline;
}
const only = (timeline: Timeline, seq: number): Message =>
  timeline.messages.find(seq as Seq) as Message;

describe("folded messages", () => {
  it("[CL19] are those of the server, however they came: pages of any age, and live entries", () => {
    const story = fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { minLength: 40, maxLength: 400 });
    const property = fc.property(story, fc.integer({ min: 0, max: 30 }), (dice, first) => {
      let at = 0;
      const chance = (): number => ((dice[at++ % dice.length] as number) % 1_000) / 1_000;
      const log: Entry[] = [];
      while (log.length < 40) log.push(nextEntry(log, chance));
      const timeline = new Timeline(500, () => ANN);
      for (let from = first; from < log.length;) {
        const to = Math.min(log.length, from + 1 + Math.floor(chance() * 8));
        // A page is read some time after its entries came; a live entry is as it was appended.
        const head = Math.min(log.length, to + Math.floor(chance() * 8));
        const source = chance() < 0.5 ? log : shownPage(log.slice(0, head));
        for (const entry of source.slice(from, to)) {
          expect(timeline.append(entry)).toBe("appended");
          expect(timeline.append(entry)).toBe("duplicate");
        }
        from = to;
      }
      const expected = shownPage(log)
        .slice(first)
        .flatMap((entry) => messageOf(entry, ANN) ?? []);
      expect(timeline.messages.list).toEqual(expected);
    });
    fc.assert(property, { seed: SEED, numRuns: 300, endOnFailure: true });
  });

  it("[CL19] have text, edits and calls of the newest edit, and nothing once deleted", () => {
    const timeline = timelineOf([said(1, "bob")]);
    const edit = { type: "message.edited", target: 1 as Seq, mentions: [ANN] } as const;
    timeline.append(happened(2, "bob", { ...edit, text: "ann!" }));
    expect(only(timeline, 1)).toMatchObject({ text: "ann!", edits: 1, callsMe: true, through: 2 });
    expect(only(timeline, 1).editedAt).toBe(entryAt(2).at);
    timeline.append(happened(3, "bob", { type: "message.pinned", target: 1 as Seq }));
    timeline.append(happened(4, "bob", { type: "message.deleted", target: 1 as Seq }));
    const nothing = { text: null, deleted: true, pinned: false, callsMe: false, reactions: [] };
    expect(only(timeline, 1)).toMatchObject({ ...nothing, edits: 0, editedAt: null, through: 4 });
  });

  it("[CL19] say whether a reaction is one's own, or that it cannot be known", () => {
    const many = Array.from({ length: LIMITS.reactorsShown }, (_, i) => `user${i}` as UserId);
    const event = { type: "message.folded", text: "hi", through: 5 as Seq } as const;
    const reactions = [
      { reaction: "a", count: 2, users: [ANN, "bob" as UserId] },
      { reaction: "b", count: 1, users: ["bob" as UserId] },
      { reaction: "c", count: 12, users: many },
    ];
    const timeline = timelineOf([happened(1, "bob", { ...event, reactions })]);
    expect(only(timeline, 1).reactions.map(({ mine }) => mine)).toEqual([true, false, null]);
    for (let seq = 2; seq < 6; seq++) timeline.append(entryAt(seq));
    const target = 1 as Seq;
    timeline.append(happened(6, "ann", { type: "reaction.added", target, reaction: "c" }));
    timeline.append(happened(7, "ann", { type: "reaction.removed", target, reaction: "a" }));
    expect(only(timeline, 1).reactions.map(({ mine, count }) => [mine, count])).toEqual([
      [false, 1],
      [false, 1],
      [true, 13],
    ]);
    expect(only(timeline, 1).reactions[2]?.users).toHaveLength(LIMITS.reactorsShown);
  });

  it("[CL19] stay in memory as far as was asked for, and changes of others are dropped", () => {
    const timeline = timelineOf(entriesFrom(1, 5), 2);
    expect(timeline.messages.list.map(({ seq }) => seq)).toEqual([4, 5]);
    timeline.messages.drain();
    timeline.append(happened(6, "bob", { type: "message.deleted", target: 2 as Seq }));
    expect(timeline.messages.drain()).toEqual([]);
    expect(timelineOf(entriesFrom(1, 5), 0).messages.list).toEqual([]);
  });
});

describe("a thread", () => {
  const thread = 1 as Seq;
  const replies = (from: number, to: number, by: string): Entry[] =>
    Array.from({ length: to - from + 1 }, (_, i) => {
      return happened(from + i, by, { type: "message.sent", text: "re", replyTo: thread });
    });
  const open = (timeline: Timeline, through: number): number | null =>
    timeline.messages.unreadReplies(thread, through as Seq);

  it("[UN20] has unread what others wrote after one's position and did not delete", () => {
    const timeline = timelineOf([said(1, "ann"), ...replies(2, 4, "bob"), ...replies(5, 5, "ann")]);
    timeline.append(said(6, "bob"));
    expect([0, 1, 2, 4, 6].map((through) => open(timeline, through))).toEqual([3, 3, 2, 0, 0]);
    const deleted = { type: "message.deleted", target: 3 as Seq, replyTo: thread } as const;
    timeline.append(happened(7, "bob", deleted));
    expect(open(timeline, 0)).toBe(2);
    expect(timeline.messages.unreadReplies(8 as Seq, 0 as Seq)).toBe(null);
  });

  it("[UN20] is looked at as far back as the server does", () => {
    const most = LIMITS.threadUnreadCounted;
    const timeline = timelineOf([said(1, "ann"), ...replies(2, most + 1, "bob")]);
    expect(open(timeline, 0)).toBe(most);
    for (const reply of replies(most + 2, most + 4, "ann")) timeline.append(reply);
    expect(open(timeline, 0)).toBe(most - 3);
  });
});

describe("own changes on their way", () => {
  const message = only(
    timelineOf([
      said(1, "bob"),
      happened(2, "ann", { type: "reaction.added", target: 1 as Seq, reaction: "👍" }),
    ]),
    1,
  );
  const about = { k: 1 as CommandNumber, room: ROOM, message: message.cursor };
  const expected = (...commands: Parameters<typeof pendingOf>): Message =>
    asExpected({ ...message, pending: pendingOf(...commands) }, ANN);
  function pendingOf(...commands: Message["pending"][number]["command"][]): Message["pending"] {
    return commands.map((command) => ({ k: command.k, command, state: "sent" }));
  }

  it("[CL20] show as they will be, one after the other", () => {
    const react = { ...about, type: "react", reaction: "👍" } as const;
    expect(expected(react).reactions).toEqual(message.reactions);
    expect(expected({ ...react, type: "unreact" }).reactions).toEqual([]);
    expect(expected({ ...react, reaction: "🎉" }).reactions[1]).toMatchObject({
      count: 1,
      mine: true,
    });
    const edit = { ...about, type: "edit", text: "new" } as const;
    expect(expected(edit, { ...about, type: "pin" })).toMatchObject({ text: "new", pinned: true });
    expect(expected(edit, { ...about, type: "delete" })).toMatchObject({
      text: null,
      deleted: true,
    });
  });
});
