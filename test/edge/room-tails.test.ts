/** The tails of followed rooms: what is handed on, and how a session gets in step with it. */
import { beforeEach, describe, expect, it } from "vitest";

import { RoomTails, type Mark, type RoomTail } from "../../src/edge/room-tails.ts";
import type { Epoch, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { ORIGIN, type Position } from "../../src/redis/position.ts";
import type { ConversationEntry, Payload } from "../../src/streams/conversation.ts";
import { Keys } from "../../src/streams/keys.ts";

const ROOM = "room" as RoomId;
const EPOCH = 1 as Epoch;
/** Far more than a room keeps for those on their way in. */
const MANY = 5_000;

let tails: RoomTails;
let published: number[];
let left: string[];
let wanted: number;

beforeEach(() => {
  published = [];
  left = [];
  wanted = 0;
  tails = new RoomTails(new Keys(1), {
    publish: (_tail, payloads) => published.push(...payloads.map(seqIn)),
    left: (_room, user) => {
      left.push(user);
      const tail = tails.get(ROOM);
      if (tail && user === "last") tails.close(tail);
    },
  });
  tails.onWanted = () => wanted++;
});

function entry(seq: number, leaver: string | null = null): ConversationEntry {
  return {
    id: positionOf(seq),
    prev: positionOf(seq - 1),
    seq: seq as Seq,
    payload: Uint8Array.of(seq >> 8, seq & 0xff) as Payload,
    leaver: leaver as UserId | null,
  };
}
function positionOf(seq: number): Position {
  return seq === 0 ? ORIGIN : (`${1_000 + seq}-0` as Position);
}
function seqIn(payload: Payload): number {
  return ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
}
function mark(seq: number): Mark {
  return { position: positionOf(seq), seq: seq as Seq };
}
function offer(...seqs: number[]): void {
  for (const seq of seqs) tails.offer(ROOM, entry(seq));
  tails.flush();
}
function bridged(at: number, read: readonly ConversationEntry[] = []): number[] | null {
  return tails.bridge(ROOM, EPOCH, mark(at), read)?.map(({ seq }) => seq) ?? null;
}

describe("offers", () => {
  beforeEach(() => void tails.open(ROOM, EPOCH, mark(3)));

  it("[TA21] entries are handed on in order, once, whatever is offered", () => {
    offer(4, 5, 4, 5, 6, 3, 1, 6);
    expect(published).toEqual([4, 5, 6]);
  });

  it("[TA21] an entry that does not continue the chain is not handed on but read again", () => {
    tails.takeDirty(10);
    offer(5);
    expect(published).toEqual([]);
    expect(tails.takeDirty(10)).toHaveLength(1);
    offer(4, 5);
    expect(published).toEqual([4, 5]);
    expect(tails.hasDirty).toBe(false);
  });

  it("[TA22] a leaver is taken off right after the entry that says so", () => {
    tails.offer(ROOM, entry(4));
    tails.offer(ROOM, entry(5, "ann"));
    expect([published, left]).toEqual([[4, 5], ["ann"]]);
    offer(6);
    expect(published).toEqual([4, 5, 6]);
  });

  it("[BP1] what is gathered but not sent yet does not count as sent", () => {
    const tail = tails.get(ROOM) as RoomTail;
    tails.offer(ROOM, entry(4));
    expect(tails.publishedTo(tail)).toEqual(mark(3));
    tails.flush();
    expect(tails.publishedTo(tail)).toMatchObject(mark(4));
  });
});

describe("opening", () => {
  it("[TA23] a room is read once when it is opened: its bells may have been passed over", () => {
    expect(bridged(7)).toEqual([]);
    expect(wanted).toBe(1);
    expect(tails.takeDirty(10).map(({ room }) => room)).toEqual([ROOM]);
  });

  it("[TA23] a tail that was closed is not read", () => {
    const tail = tails.open(ROOM, EPOCH, mark(1));
    tails.close(tail);
    tails.markDirty(tail);
    expect(tails.hasDirty).toBe(false);
  });
});

describe("the bridge from a page to the tail", () => {
  it("[SE2] needs nothing where both stand at the same entry", () => {
    tails.open(ROOM, EPOCH, mark(5));
    expect(bridged(5, [entry(5)])).toEqual([]);
  });

  it("[SE2] moves a tail on that is behind the page", () => {
    tails.open(ROOM, EPOCH, mark(3));
    expect(bridged(6, [entry(2), entry(3), entry(4), entry(5), entry(6)])).toEqual([]);
    expect(published).toEqual([4, 5, 6]);
  });

  it("[SE2] wants a tail read that the page does not reach", () => {
    tails.open(ROOM, EPOCH, mark(3));
    tails.takeDirty(10);
    expect(bridged(6)).toBeNull();
    expect(tails.takeDirty(10)).toHaveLength(1);
    offer(4, 5, 6);
    expect(bridged(6)).toEqual([]);
  });

  it("[SE2] hands over what the tail took since the page was asked for", () => {
    tails.open(ROOM, EPOCH, mark(3));
    tails.beginJoin(ROOM);
    offer(4, 5, 4, 6, 5);
    expect(bridged(4, [entry(3), entry(4)])).toEqual([5, 6]);
    expect(bridged(6)).toEqual([]);
    tails.endJoin(ROOM);
  });

  it("[SE2] is not built where entries are not at hand", () => {
    tails.open(ROOM, EPOCH, mark(3));
    offer(4);
    tails.beginJoin(ROOM);
    offer(5);
    expect(bridged(3)).toBeNull();
    expect(bridged(4)).toEqual([5]);
    tails.endJoin(ROOM);
    expect(bridged(4)).toBeNull();
  });

  it("[BP2] keeps the newest entries while there is always somebody on the way in", () => {
    tails.open(ROOM, EPOCH, mark(0));
    tails.beginJoin(ROOM);
    for (let seq = 1; seq <= MANY; seq++) offer(seq);
    expect(bridged(0)).toBeNull();
    expect(bridged(MANY - 1_000)).toHaveLength(1_000);
    expect(bridged(MANY - 2_048)).toBeNull();
  });

  it("[SE2] opens the tail anew when its last follower left on the way", () => {
    const before = tails.open(ROOM, EPOCH, mark(3));
    expect(bridged(5, [entry(4), entry(5, "last")])).toEqual([]);
    expect(left).toEqual(["last"]);
    expect(tails.get(ROOM)).toMatchObject(mark(5));
    expect(tails.get(ROOM)).not.toBe(before);
  });
});
