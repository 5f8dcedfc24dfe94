/** Messages in an owner's memory: what is asked for, what stays, and what a plain message costs. */
import { describe, expect, it } from "vitest";

import { MESSAGE_BOUNDS, MessageState } from "../../src/projectors/messages/message-state.ts";
import { sentMessage, type Origin } from "../../src/domain/message.ts";
import { emptyRoom, type Room } from "../../src/domain/room.ts";
import { formatCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type {
  CommandNumber,
  DeviceId,
  Epoch,
  RoomId,
  Seq,
  UserId,
} from "../../src/protocol/ids.ts";
import type { Position } from "../../src/redis/position.ts";
import { entriesKept, isKept, oldestBlock } from "../../src/streams/blocks.ts";
import type { LoggedCommand } from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import { Hand } from "./commands.ts";

const ANN = "ann" as UserId;
const KEPT = 100_000;
const ann = new Hand("ann");

function state(): MessageState {
  return new MessageState(new Keys(1), 0 as PartitionId);
}
function lounge(head: number): Room {
  return Object.assign(emptyRoom("lounge" as RoomId, 1 as Epoch), { head: head as Seq });
}
function origin(seq: number): Origin {
  const id = `${seq}-0` as Position;
  return { seq: seq as Seq, id, by: ANN, device: "d" as DeviceId, k: seq as CommandNumber };
}
function cursor(seq: number, id = seq): Cursor {
  return formatCursor(1 as Epoch, seq as Seq, id, 0);
}
function reacts(seq: number, id = seq): LoggedCommand {
  return ann.does({ type: "react", message: cursor(seq, id), reaction: "+1" });
}
/** Asks for all that the commands need and finds nothing of it in Redis. */
function findNothing(messages: MessageState, commands: readonly LoggedCommand[]): number {
  const { requests, fill } = messages.missing(commands);
  fill(
    requests.map(([name]) =>
      name === "XRANGE" ? [] : name === "HMGET" ? [null, null, null] : null,
    ),
  );
  return requests.length;
}
function send(messages: MessageState, seq: number): boolean {
  const awaited = messages.awaits("lounge" as RoomId, origin(seq));
  if (awaited) {
    const message = sentMessage(origin(seq), { type: "message.sent", text: "hi" });
    messages.sent("lounge" as RoomId, message);
  }
  return awaited;
}

describe("messages in memory", () => {
  it("[MS9] a plain message asks for nothing and is not kept", () => {
    const messages = state();
    const plain = [ann.says("hi"), ann.creates(), ann.does({ type: "join" })];
    expect(messages.missing(plain).requests).toEqual([]);
    expect(messages.incomplete).toBe(false);
    expect(send(messages, 5)).toBe(false);
  });

  it("[MS9] a message that is sent and changed in one batch is taken over when it is sent", () => {
    const messages = state();
    const commands = [ann.says("hi"), reacts(5)];
    expect(findNothing(messages, commands)).toBe(3);
    expect(messages.subject(lounge(4), reacts(5).command, ANN, KEPT).message).toBe(null);
    expect(send(messages, 5)).toBe(true);
    const { message, reactions } = messages.subject(lounge(5), reacts(5).command, ANN, KEPT);
    expect([message?.text, reactions]).toEqual(["hi", []]);
    expect(findNothing(messages, commands)).toBe(0);
  });

  it("[MS9] a forged cursor does not stand in the way of a true one", () => {
    const messages = state();
    expect(findNothing(messages, [reacts(5, 77), reacts(5)])).toBe(5);
    expect(send(messages, 5)).toBe(true);
    expect(messages.subject(lounge(5), reacts(5).command, ANN, KEPT).message?.text).toBe("hi");
    expect(messages.subject(lounge(5), reacts(5, 77).command, ANN, KEPT).message).toBe(null);
  });

  it("[MS9] what was not asked for is no silent absence", () => {
    const subject = (): unknown => state().subject(lounge(9), reacts(5).command, ANN, KEPT);
    expect(subject).toThrow("before it was loaded");
  });

  it("[MS9] what a batch has changed stays until it is confirmed, then the oldest are forgotten", () => {
    const messages = state();
    const count = MESSAGE_BOUNDS.messages + 1;
    const commands = Array.from({ length: count }, (_, i) => reacts(i + 1));
    findNothing(messages, commands);
    for (let seq = 1; seq <= count; seq++) expect(send(messages, seq)).toBe(true);
    expect(messages.missing(commands).requests).toEqual([]);
    messages.shrink();
    const asked = messages.missing(commands).requests;
    expect(asked.map(([name]) => name)).toEqual(["XRANGE", "HMGET"]);
  });

  it("[MS9] so are the reactions of users", () => {
    const messages = state();
    const count = MESSAGE_BOUNDS.reactors + 1;
    const hands = Array.from({ length: count }, (_, i) => new Hand(`user-${i}`));
    const commands = hands.map((hand) =>
      hand.does({ type: "react", message: cursor(5), reaction: "+1" }),
    );
    expect(findNothing(messages, commands)).toBe(2 + count);
    send(messages, 5);
    messages.shrink();
    expect(messages.missing(commands).requests.map(([name]) => name)).toEqual(["HGET"]);
  });
});

describe("what a room keeps", () => {
  it.each([
    [1, 100, 101, 0],
    [99, 100, 199, 0],
    [250, 100, 150, 1],
    [300, 100, 100, 2],
    [1_000, 230, 230, 7],
    [1_029, 230, 259, 7],
    [1_030, 230, 260, 7],
  ])("[HI3] at head %i, of %i: %i entries, blocks from %i on", (head, kept, entries, block) => {
    expect(entriesKept(head as Seq, kept)).toBe(entries);
    expect(oldestBlock(head as Seq, kept)).toBe(block);
  });

  it("[MS9] the newest N by seq can be changed, one older cannot", () => {
    const can = (seq: number): boolean => isKept(seq as Seq, 500 as Seq, 100);
    expect([400, 401, 500, 501].map(can)).toEqual([false, true, true, false]);
  });
});
