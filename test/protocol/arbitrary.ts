/** Any frame within its bounds, for properties. */
import * as fc from "fast-check";
import type { Arbitrary } from "fast-check";
import { formatCursor } from "../../src/protocol/cursor.ts";
import { ERROR_CODES } from "../../src/protocol/errors.ts";
import {
  RESUME_STATUS,
  ROOM_KINDS,
  type ChatEvent,
  type ClientFrame,
  type Entry,
  type ServerFrame,
} from "../../src/protocol/frames.ts";
import type { CommandNumber, Epoch, Seq } from "../../src/protocol/ids.ts";
import { DEVICE_ID, ROOM_ID, USER_ID } from "../../src/protocol/ids.ts";

/** Text as it is after NFC, and that stays so: what comes in otherwise comes out changed. */
const nfc = (size: { minLength?: number; maxLength: number }): Arbitrary<string> =>
  fc.string({ unit: "grapheme", ...size }).map((text) => text.normalize("NFC"));
const matching = <T extends string>(pattern: RegExp, text: Arbitrary<string>): Arbitrary<T> =>
  text.filter((value) => pattern.test(value)) as Arbitrary<T>;

const user = matching<Entry["by"]>(USER_ID, nfc({ minLength: 1, maxLength: 20 }));
const device = fc.stringMatching(DEVICE_ID) as Arbitrary<Entry["device"]>;
const room = fc.stringMatching(ROOM_ID) as Arbitrary<never>;
const text = nfc({ maxLength: 300 });
const name = matching(/^[^\p{Cc}]+$/u, nfc({ minLength: 1, maxLength: 40 }));
const number = fc.maxSafeNat();
const k = fc.maxSafeNat().map((n) => Math.max(1, n) as CommandNumber);
const seq = number as Arbitrary<Seq>;
const epoch = number as Arbitrary<Epoch>;
const code = fc.constantFrom(...ERROR_CODES);
const cursor = fc
  .tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat())
  .map(([epoch, seq, ms, n]) => formatCursor(epoch as Epoch, seq as Seq, ms, n));
const limit = fc.integer({ min: 1, max: 200 });
const version = fc.integer({ min: 1, max: 65_535 });

function frame<T extends string, F extends object, O extends object = object>(
  type: T,
  fields: { [K in keyof F]: Arbitrary<F[K]> },
  maybe = {} as { [K in keyof O]: Arbitrary<O[K]> },
): Arbitrary<{ type: T } & F & Partial<O>> {
  return fc
    .tuple(fc.record(fields), fc.record(maybe, { requiredKeys: [] }))
    .map(([values, more]) => ({ type, ...values, ...more }) as { type: T } & F & Partial<O>);
}

const target = seq;
const reaction = matching(/^[^\p{Cc}\p{Z}]+$/u, nfc({ minLength: 1, maxLength: 4 })).filter(
  (value) => Array.from(value).length <= 16,
);
const call = {
  mentions: fc.array(user, { minLength: 1, maxLength: 50 }),
  everyone: fc.boolean(),
};
const reactions = fc.array(
  fc.record({ reaction, count: k as Arbitrary<number>, users: fc.array(user, { maxLength: 10 }) }),
  { minLength: 1, maxLength: 20 },
);

const event: Arbitrary<ChatEvent> = fc.oneof(
  frame("message.sent", { text }, { replyTo: seq, ...call }),
  frame("room.created", {
    kind: fc.constantFrom(...ROOM_KINDS),
    name,
    members: fc.array(user, { minLength: 1, maxLength: 2 }),
  }),
  frame("room.renamed", { name }),
  frame("room.receiptsSet", { on: fc.boolean() }),
  frame("member.joined", { user }),
  frame("member.left", { user }),
  frame("member.invited", { user }),
  frame("message.edited", { target, text: fc.option(text) }, call),
  frame("message.deleted", { target }, { replyTo: seq }),
  frame("reaction.added", { target, reaction }),
  frame("reaction.removed", { target, reaction }),
  frame("message.pinned", { target }),
  frame("message.unpinned", { target }),
  frame(
    "message.folded",
    { text: fc.option(text), through: seq },
    {
      replyTo: seq,
      ...call,
      edits: number,
      editedAt: number,
      pinned: fc.boolean(),
      replies: number,
      lastReply: seq,
      reactions,
    },
  ),
);

export const anyEntry: Arbitrary<Entry> = fc.record({
  seq,
  cursor,
  at: number,
  by: user,
  device,
  k,
  event,
});

export const anyClientFrame: Arbitrary<ClientFrame> = fc.oneof(
  frame("hello", {
    version,
    token: fc.string({ maxLength: 100 }),
    device,
    agent: nfc({ maxLength: 20 }),
  }),
  frame("resume", {
    rooms: fc.array(fc.record({ room, cursor: fc.option(cursor), limit }), {
      minLength: 1,
      maxLength: 20,
    }),
  }),
  frame("unsubscribe", { rooms: fc.array(room, { minLength: 1, maxLength: 20 }) }),
  fc.constant({ type: "ping" } as const),
  frame("attend", { rooms: fc.array(room, { minLength: 1, maxLength: 20 }) }),
  frame("read", { room, through: cursor }, { private: fc.boolean() }),
  frame("typing", { room, on: fc.boolean() }),
  frame("send", { k, room, text }, { replyTo: cursor, ...call }),
  frame("create", {
    k,
    room: fc.option(room),
    kind: fc.constantFrom("public" as const, "private" as const),
    name,
  }),
  frame("direct", { k, user }),
  frame("join", { k, room }),
  frame("leave", { k, room }),
  frame("invite", { k, room, user }),
  frame("rename", { k, room, name }),
  frame("setReceipts", { k, room, on: fc.boolean() }),
  frame("edit", { k, room, message: cursor, text }, call),
  frame("delete", { k, room, message: cursor }),
  frame("react", { k, room, message: cursor, reaction }),
  frame("unreact", { k, room, message: cursor, reaction }),
  frame("pin", { k, room, message: cursor }),
  frame("unpin", { k, room, message: cursor }),
  frame("markUnread", { k, room, message: cursor }),
);

export const anyServerFrame: Arbitrary<ServerFrame> = fc.oneof(
  frame("welcome", {
    version,
    edge: nfc({ maxLength: 10 }),
    user,
    ack: fc.constantFrom("memory" as const, "disk" as const),
    beatMs: k,
  }),
  frame("error", { code, message: nfc({ maxLength: 50 }) }),
  frame("accepted", { k }),
  frame("applied", { k, room, seq, again: fc.boolean() }),
  frame("rejected", { k, code }),
  frame("deferred", { k, code, retryAfterMs: number }),
  frame("entries", { room, entries: fc.array(anyEntry, { minLength: 1, maxLength: 20 }) }),
  frame("resumed", {
    room,
    status: fc.constantFrom(...RESUME_STATUS),
    epoch,
    head: seq,
    more: fc.boolean(),
    entries: fc.array(anyEntry, { maxLength: 20 }),
  }),
  frame("beat", { at: number, heads: fc.array(fc.record({ room, seq }), { maxLength: 20 }) }),
  frame("unsubscribed", { room, code }),
  frame("presence", {
    room,
    whole: fc.boolean(),
    count: number,
    online: fc.array(user, { maxLength: 20 }),
    offline: fc.array(fc.record({ user, lastSeen: number }), { maxLength: 20 }),
  }),
  frame("receipts", {
    room,
    whole: fc.boolean(),
    marks: fc.array(fc.record({ user, through: seq }), { maxLength: 20 }),
  }),
  frame("typists", { room, users: fc.array(user, { maxLength: 10 }) }),
  frame("unread", { room, through: seq, unread: number, mentions: number, head: seq }),
  frame("readers", {
    room,
    steps: fc.array(fc.record({ through: seq, readers: number }), { maxLength: 20 }),
  }),
  frame("roomsChanged", { rooms: fc.array(room, { maxLength: 20 }) }),
) as Arbitrary<ServerFrame>;
