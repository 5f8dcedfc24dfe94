/** What becomes of messages: decided and folded, without Redis. */
import { describe, expect, it } from "vitest";

import { decide } from "../../src/domain/decide.ts";
import {
  emptiedEdit,
  evolveMessage,
  foldedEvent,
  replied,
  replyDeleted,
  sentMessage,
  type Message,
  type MessageChange,
  type Origin,
} from "../../src/domain/message.ts";
import {
  encodeFolded,
  packHistory,
  packReplies,
  readMessage,
  readReactions,
  writeReactions,
} from "../../src/domain/message-record.ts";
import { readPins, writePins } from "../../src/domain/room-record.ts";
import { emptyRoom, evolvePins, type Room } from "../../src/domain/room.ts";
import { formatCursor } from "../../src/protocol/cursor.ts";
import type {
  CommandNumber,
  DeviceId,
  Epoch,
  RoomId,
  Seq,
  UserId,
} from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { Position } from "../../src/redis/position.ts";

const [ANN, BEN, CAT] = ["ann", "ben", "cat"] as UserId[] as [UserId, UserId, UserId];
const EPOCH = 1 as Epoch;
const TARGET = 10 as Seq;

function at(seq: number, by: UserId = ANN): Origin {
  return {
    seq: seq as Seq,
    id: `${1_700_000_000_000 + seq}-${seq}` as Position,
    by,
    device: "d" as DeviceId,
    k: seq as CommandNumber,
  };
}
function sent(): Message {
  return sentMessage(at(TARGET), { type: "message.sent", text: "first" });
}
function edited(text: string): MessageChange {
  return { type: "message.edited", target: TARGET, text };
}
function reacted(reaction: string, type: "added" | "removed" = "added"): MessageChange {
  return { type: `reaction.${type}`, target: TARGET, reaction };
}
/** Ann owns it, Ben is in it, Cat is invited. */
function room(): Room {
  const made = emptyRoom("lounge" as RoomId, EPOCH);
  Object.assign(made, { kind: "public", head: 90 as Seq });
  made.members.set(ANN, { role: "owner", since: 1 as Seq });
  made.members.set(BEN, { role: "member", since: 2 as Seq });
  made.members.set(CAT, { role: "invited", since: 3 as Seq });
  return made;
}
const cursor = formatCursor(EPOCH, TARGET, 1_700_000_000_010, 10);
const head = { k: 1 as CommandNumber, room: "lounge" as RoomId };
const about = (message: Message | null) => ({ message, reactions: [] });

describe("a message", () => {
  it("[MS1] shows its newest text, how often it was edited and when last", () => {
    const message = sent();
    evolveMessage(message, edited("second"), at(11));
    evolveMessage(message, { ...edited("third"), mentions: [BEN] } as MessageChange, at(12));
    expect(foldedEvent(message)).toEqual({
      type: "message.folded",
      text: "third",
      through: 12,
      mentions: [BEN],
      edits: 2,
      editedAt: 1_700_000_000_012,
    });
  });

  it("[MS2] takes the text of an edit when the next one comes, and of the last when it is deleted", () => {
    const message = sent();
    expect(evolveMessage(message, edited("second"), at(11))).toBe(null);
    expect(evolveMessage(message, edited("third"), at(12))).toMatchObject({ seq: 11 });
    expect(
      evolveMessage(message, { type: "message.deleted", target: TARGET }, at(13)),
    ).toMatchObject({ seq: 12 });
    expect(emptiedEdit(TARGET)).toEqual({ type: "message.edited", target: TARGET, text: null });
  });

  it("[MS2] keeps of what was deleted its place in a thread and its own replies, nothing else", () => {
    const message = sentMessage(at(TARGET), {
      type: "message.sent",
      text: "secret",
      replyTo: 5 as Seq,
      mentions: [BEN],
      everyone: true,
    });
    replied(message, at(11));
    evolveMessage(message, reacted("+1"), at(12));
    evolveMessage(message, { type: "message.pinned", target: TARGET }, at(13));
    evolveMessage(message, { type: "message.deleted", target: TARGET }, at(14));
    const event = { type: "message.folded", text: null, through: 14, replyTo: 5 };
    expect(foldedEvent(message)).toEqual({ ...event, replies: 1, lastReply: 11 });
    expect(message.deletedIn).toBe(14);
  });

  it("[MS3] counts each reaction exactly and shows a bounded sample of who reacted", () => {
    const message = sent();
    const users = Array.from({ length: 40 }, (_, i) => `user-${i}` as UserId);
    users.forEach((user, i) => evolveMessage(message, reacted("+1"), at(20 + i, user)));
    evolveMessage(message, reacted("+1", "removed"), at(70, users[0]));
    evolveMessage(message, reacted("no"), at(71, users[0]));
    const [up, no] = foldedEvent(message).reactions ?? [];
    expect(up).toEqual({ reaction: "+1", count: 39, users: users.slice(1, LIMITS.reactorsShown) });
    expect(no).toEqual({ reaction: "no", count: 1, users: [users[0]] });
    evolveMessage(message, reacted("no", "removed"), at(72, users[0]));
    expect(foldedEvent(message).reactions).toHaveLength(1);
  });

  it("[MS5] counts its replies, and without those that were deleted", () => {
    const message = sent();
    for (const seq of [11, 12, 13]) replied(message, at(seq));
    replyDeleted(message, 13 as Seq, at(14));
    expect(foldedEvent(message)).toMatchObject({ replies: 2, lastReply: 12, through: 14 });
    for (const seq of [11, 12]) replyDeleted(message, seq as Seq, at(seq + 10));
    expect(foldedEvent(message)).toEqual({
      type: "message.folded",
      text: "first",
      through: 22,
    });
  });

  it("[MS4] keeps a bounded number of versions, the newest", () => {
    const message = sent();
    for (let i = 0; i <= LIMITS.versionsKept; i++)
      evolveMessage(message, edited(`${i}`), at(20 + i));
    expect(message.versions).toHaveLength(LIMITS.versionsKept);
    expect(message.versions[0]?.seq).toBe(21);
    expect(message.edits).toBe(LIMITS.versionsKept + 1);
  });

  it("[PR9] reads back from Redis as it was in memory", () => {
    const message = sentMessage(at(TARGET), {
      type: "message.sent",
      text: "first",
      replyTo: 5 as Seq,
    });
    const check = (): void => {
      const stored = {
        entry: encodeFolded(message, EPOCH),
        history: packHistory(message),
        replies: packReplies(message.replies),
      };
      expect(readMessage(stored)).toEqual(message);
    };
    for (const seq of [11, 12, 900]) replied(message, at(seq));
    evolveMessage(message, edited("second"), at(901, BEN));
    evolveMessage(message, { ...edited("third"), everyone: true } as MessageChange, at(902));
    evolveMessage(message, reacted("\u{1f44d}"), at(903, BEN));
    evolveMessage(message, { type: "message.pinned", target: TARGET }, at(904));
    check();
    evolveMessage(message, { type: "message.deleted", target: TARGET }, at(905));
    check();
    const own = [
      { reaction: "\u{1f44d}", seq: 12 as Seq },
      { reaction: ":a:b", seq: 13 as Seq },
    ];
    expect(readReactions(writeReactions(own))).toEqual(own);
    expect(readReactions(null)).toEqual([]);
  });
});

describe("decided", () => {
  it("[MS6] members alone are called, each once, as they are at that place in the order", () => {
    const mentions = [BEN, CAT, BEN, "dan" as UserId, ANN];
    const command = { type: "send", ...head, text: "hi", mentions } as const;
    expect(decide(room(), command, ANN)).toEqual({
      outcome: "event",
      event: { type: "message.sent", text: "hi", mentions: [BEN, ANN] },
    });
    expect(decide(room(), { ...command, mentions: [CAT], everyone: false }, ANN)).toEqual({
      outcome: "event",
      event: { type: "message.sent", text: "hi" },
    });
  });

  it("[MS5] a reply to a reply belongs to the first message of the thread", () => {
    const reply = sentMessage(at(TARGET), {
      type: "message.sent",
      text: "re",
      replyTo: 4 as Seq,
    });
    const command = { type: "send", ...head, text: "re re", replyTo: cursor } as const;
    expect(decide(room(), command, BEN, about(reply))).toMatchObject({ event: { replyTo: 4 } });
    expect(decide(room(), command, BEN, about(sent()))).toMatchObject({
      event: { replyTo: TARGET },
    });
  });

  it("[MS7] what is so already gives the entry that did it", () => {
    const message = sent();
    const of = { ...head, message: cursor };
    const edit = { type: "edit", ...of, text: "first" } as const;
    expect(decide(room(), edit, ANN, about(message))).toEqual({ outcome: "nothing", seq: TARGET });
    evolveMessage(message, edited("second"), at(11));
    const again = { ...edit, text: "second" };
    expect(decide(room(), again, ANN, about(message))).toEqual({ outcome: "nothing", seq: 11 });
    const react = { type: "react", ...of, reaction: "+1" } as const;
    const own = { message, reactions: [{ reaction: "+1", seq: 12 as Seq }] };
    expect(decide(room(), react, BEN, own)).toEqual({ outcome: "nothing", seq: 12 });
    const unreact = { ...react, type: "unreact", reaction: "no" } as const;
    expect(decide(room(), unreact, BEN, own)).toEqual({ outcome: "nothing", seq: 90 });
    const pinned = room();
    evolvePins(pinned, { type: "message.pinned", target: TARGET }, message.origin.id);
    const pin = { type: "pin", ...of } as const;
    expect(decide(pinned, pin, ANN, about(message))).toEqual({ outcome: "nothing", seq: 90 });
    const unpin = { type: "unpin", ...of } as const;
    expect(decide(room(), unpin, ANN, about(message))).toEqual({ outcome: "nothing", seq: 90 });
    evolveMessage(message, { type: "message.deleted", target: TARGET }, at(13));
    const gone = { type: "delete", ...of } as const;
    expect(decide(room(), gone, ANN, about(message))).toEqual({ outcome: "nothing", seq: 13 });
  });

  it("[MS2] what was deleted takes no change from anybody", () => {
    const message = sent();
    evolveMessage(message, { type: "message.deleted", target: TARGET }, at(13));
    const of = { ...head, message: cursor };
    const commands = [
      { type: "edit", ...of, text: "x" },
      { type: "react", ...of, reaction: "+1" },
      { type: "unreact", ...of, reaction: "+1" },
      { type: "pin", ...of },
      { type: "unpin", ...of },
      { type: "send", ...head, text: "re", replyTo: cursor },
    ] as const;
    for (const command of commands) {
      const decision = decide(room(), command, ANN, about(message));
      expect(decision).toEqual({ outcome: "rejected", code: "noSuchMessage" });
    }
    const byBen = decide(room(), { type: "delete", ...of }, BEN, about(message));
    expect(byBen).toEqual({ outcome: "rejected", code: "noSuchMessage" });
  });

  it("[MS3] a message has at most twenty different reactions, each of any number of users", () => {
    const message = sent();
    for (let i = 0; i < LIMITS.reactionsPerMessage; i++) {
      evolveMessage(message, reacted(`r${i}`), at(20 + i, BEN));
    }
    const react = (reaction: string) =>
      decide(room(), { type: "react", ...head, message: cursor, reaction }, ANN, about(message));
    expect(react("r0")).toMatchObject({ outcome: "event" });
    expect(react("one more")).toEqual({ outcome: "rejected", code: "tooMany" });
  });

  it("[MS8] a room has at most fifty pins, in the order in which they were pinned", () => {
    const full = room();
    for (let i = 0; i < LIMITS.pinsPerRoom; i++) {
      full.head = (full.head + 1) as Seq;
      evolvePins(full, { type: "message.pinned", target: (100 - i) as Seq }, "9-9" as Position);
    }
    expect(full.pins.map(({ seq }) => seq).slice(0, 3)).toEqual([100, 99, 98]);
    expect(readPins(writePins(full.pins))).toEqual(full.pins);
    const pin = { type: "pin", ...head, message: cursor } as const;
    expect(decide(full, pin, ANN, about(sent()))).toEqual({ outcome: "rejected", code: "tooMany" });
    evolvePins(full, { type: "message.deleted", target: 100 as Seq }, "9-9" as Position);
    expect(decide(full, pin, ANN, about(sent()))).toMatchObject({ outcome: "event" });
    expect(readPins("")).toEqual([]);
  });

  it("[MS8] a pin whose message is kept no longer can be taken down", () => {
    const pinned = room();
    evolvePins(pinned, { type: "message.pinned", target: TARGET }, at(TARGET).id);
    const unpin = { type: "unpin", ...head, message: cursor } as const;
    const event = { type: "message.unpinned", target: TARGET };
    expect(decide(pinned, unpin, ANN)).toEqual({ outcome: "event", event });
    const forged = { ...unpin, message: formatCursor(EPOCH, TARGET, 1, 1) };
    expect(decide(pinned, forged, ANN)).toEqual({ outcome: "rejected", code: "noSuchMessage" });
  });
});
