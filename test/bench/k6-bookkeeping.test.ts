/** A load test that cannot notice a loss proves nothing: what its clients do is tested here. */
import { describe, expect, it, vi } from "vitest";

import { formatMessage, parseMessage, type Message } from "../../bench/k6/message-text.ts";
import { Outbox, type Outcome } from "../../bench/k6/outbox.ts";
import { RoomLedger, type Fault } from "../../bench/k6/room-ledger.ts";
import { RoomPresence } from "../../bench/k6/room-presence.ts";
import { Turns } from "../../bench/k6/turns.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { Entry, ServerFrameOf } from "../../src/protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";

const ROOM = "r1" as RoomId;

function entry(seq: number, device: string, n: number, last = false): Entry {
  return {
    seq: seq as Seq,
    cursor: `1.${seq}.x` as Cursor,
    at: 1_700_000_000_000,
    by: "ann" as UserId,
    device: device as DeviceId,
    k: n as CommandNumber,
    event: { type: "message.sent", text: formatMessage({ n, dueMs: 5, late: false, last }) },
  };
}

function ledgerOf(senders: number): { ledger: RoomLedger; faults: [Fault, number][] } {
  const faults: [Fault, number][] = [];
  const ledger = new RoomLedger(ROOM, senders, (fault, by) => faults.push([fault, by]));
  return { ledger, faults };
}

describe("the ledger of a room", () => {
  it("is complete when everybody has said the last message", () => {
    const { ledger, faults } = ledgerOf(2);
    const joined: Entry = {
      ...entry(1, "a", 1),
      event: { type: "member.joined", user: "ann" as UserId },
    };
    expect(ledger.take(joined)).toBe("other");
    expect(ledger.take(entry(2, "a", 1))).toEqual({ n: 1, dueMs: 5, late: false, last: false });
    ledger.take(entry(3, "a", 2, true));
    expect(ledger.isComplete).toBe(false);
    ledger.take(entry(4, "b", 1, true));
    expect(ledger).toMatchObject({ isComplete: true, lastSeq: 4, cursor: "1.4.x", faults: 0 });
    expect(faults).toEqual([]);
  });

  it("finds what is missing, doubled or out of order of one sender", () => {
    const { ledger, faults } = ledgerOf(1);
    for (const [i, n] of [1, 4, 4, 2, 5].entries()) ledger.take(entry(i + 1, "a", n));
    expect(faults).toEqual([
      ["missing", 2],
      ["doubled", 1],
      ["doubled", 1],
    ]);
    expect(ledger.faults).toBe(4);
  });

  it("does not take what leaves a hole, nor a copy", () => {
    const { ledger, faults } = ledgerOf(1);
    ledger.take(entry(1, "a", 1));
    expect(ledger.take(entry(1, "a", 1))).toBe("copy");
    expect(ledger.take(entry(3, "a", 2, true))).toBe("hole");
    expect(ledger).toMatchObject({ lastSeq: 1, isComplete: false, cursor: "1.1.x" });
    expect(faults).toEqual([["hole", 1]]);
  });

  it("reads the messages that it writes", () => {
    const message: Message = { n: 70_000, dueMs: 1_700_000_000_000.25, late: true, last: false };
    for (const each of [message, { ...message, late: false, last: true }]) {
      expect(parseMessage(formatMessage(each))).toEqual(each);
    }
  });
});

describe("who is in a room, as it was told", () => {
  const told = (online: string[], offline: string[], whole = false): ServerFrameOf<"presence"> => ({
    type: "presence",
    room: ROOM,
    whole,
    count: online.length,
    online: online as UserId[],
    offline: offline.map((user) => ({ user: user as UserId, lastSeen: 5 })),
  });

  it("finds those who are not shown, and those who are and should not be", () => {
    const presence = new RoomPresence();
    expect(presence.compare(new Set(["ann"]))).toEqual({ unseen: 1, ghosts: 0 });
    presence.take(told(["ann", "bob"], [], true));
    expect(presence.is(new Set(["ann", "bob"]))).toBe(true);
    expect(presence.compare(new Set(["ann", "cat"]))).toEqual({ unseen: 1, ghosts: 1 });
  });

  it("takes changes, and a whole instead of what it had", () => {
    const presence = new RoomPresence();
    presence.take(told(["ann", "bob"], [], true));
    presence.take(told(["cat"], ["bob"]));
    expect(presence.is(new Set(["ann", "cat"]))).toBe(true);
    presence.take(told(["dan"], ["ann"], true));
    expect(presence.is(new Set(["dan"]))).toBe(true);
  });

  it("tells when it has become what was waited for, also where it was that before", async () => {
    const presence = new RoomPresence();
    let isThere = false;
    const wait = presence.becomes(new Set(["ann", "bob"])).then(() => (isThere = true));
    presence.take(told(["ann", "cat"], [], true));
    await Promise.resolve();
    expect(isThere).toBe(false);
    presence.take(told(["bob"], ["cat"]));
    await wait;
    await presence.becomes(new Set(["bob", "ann"]));
  });
});

describe("the outbox of a device", () => {
  function outbox(): { box: Outbox; wire: string[]; outcomes: [number, Outcome][] } {
    const wire: string[] = [];
    const outcomes: [number, Outcome][] = [];
    const box = new Outbox(({ k }, again) => wire.push(again ? `${k} again` : `${k}`));
    return { box, wire, outcomes };
  }
  const add = (box: Outbox, outcomes: [number, Outcome][], count: number, from = 1): void => {
    for (let k = from; k < from + count; k++) {
      box.add({ type: "join", room: ROOM }, (outcome) => outcomes.push([k, outcome]));
    }
    box.flush();
  };

  it("numbers commands from 1 and settles each once", () => {
    const { box, wire, outcomes } = outbox();
    add(box, outcomes, 3);
    box.settle(2, "applied");
    box.settle(2, "rejected");
    box.settle(9, "applied");
    box.settle(1, "rejected");
    expect(wire).toEqual(["1", "2", "3"]);
    expect(outcomes).toEqual([
      [2, "applied"],
      [1, "rejected"],
    ]);
    expect(box.isEmpty).toBe(false);
    box.settle(3, "applied");
    expect(box.isEmpty).toBe(true);
  });

  it("keeps fewer on their way than a connection may, and sends the rest in turn", () => {
    const { box, wire, outcomes } = outbox();
    add(box, outcomes, 100);
    expect(wire).toHaveLength(LIMITS.commandsInFlight - 1);
    box.settle(1, "applied");
    box.flush();
    expect(wire.at(-1)).toBe(`${LIMITS.commandsInFlight}`);
  });

  it("sends again, after a loss, what has no outcome", () => {
    const { box, wire, outcomes } = outbox();
    add(box, outcomes, 3);
    box.settle(2, "applied");
    box.disconnected();
    add(box, outcomes, 1, 4);
    expect(wire).toEqual(["1", "2", "3", "1 again", "3 again", "4"]);
  });

  it("sends what was put off and all later ones, even if the outcome has come meanwhile", () => {
    const { box, wire, outcomes } = outbox();
    add(box, outcomes, 4);
    box.putOff(2);
    box.putOff(3);
    box.settle(2, "applied");
    box.settle(1, "applied");
    box.flush();
    expect(wire.slice(4)).toEqual(["2 again", "3 again", "4 again"]);
    box.settle(3, "applied");
    box.settle(4, "applied");
    expect(box.isEmpty).toBe(true);
  });

  it("refuses more than it holds", () => {
    const { box, outcomes } = outbox();
    add(box, outcomes, 5_001);
    expect(outcomes).toEqual([[5_001, "full"]]);
  });
});

describe("turns", () => {
  it("has so many tasks under way, the others in order, also after one that failed", async () => {
    const turns = new Turns(2);
    const ends: (() => void)[] = [];
    const begun: number[] = [];
    const task = (n: number): Promise<void> =>
      turns.take(async () => {
        begun.push(n);
        await new Promise<void>((resolve) => void ends.push(resolve));
        if (n === 0) throw new Error("failed");
      });
    const tasks = [0, 1, 2, 3].map(task);
    expect(begun).toEqual([0, 1]);
    ends[0]?.();
    await expect(tasks[0]).rejects.toThrow("failed");
    await vi.waitFor(() => expect(begun).toEqual([0, 1, 2]));
    ends[1]?.();
    await vi.waitFor(() => expect(begun).toEqual([0, 1, 2, 3]));
    for (const end of ends) end();
    await Promise.all(tasks.slice(1));
    await turns.take(async () => void begun.push(4));
    expect(begun.at(-1)).toBe(4);
  });
});
