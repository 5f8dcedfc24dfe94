import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { ERROR_CODES } from "../../src/protocol/errors.ts";
import type { CommandNumber, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { comparePositions, type Position } from "../../src/redis/position.ts";
import { packBellHeader, readBell, type Bell } from "../../src/streams/bell.ts";
import {
  commandPosition,
  packCommands,
  unpackCommands,
  type LoggedCommand,
} from "../../src/streams/command-log.ts";
import {
  conversationFields,
  readConversationEntry,
  type Payload,
} from "../../src/streams/conversation.ts";

const k = fc.integer({ min: 1, max: 2 ** 40 });
const user = fc.stringMatching(/^[a-zé:{} ]{1,16}$/);
const device = fc.stringMatching(/^[A-Za-z0-9_-]{1,16}$/);
const room = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._~-]{0,20}$/);
const text = fc.string({ unit: "grapheme", maxLength: 40 }).map((value) => value.normalize("NFC"));
const name = fc.stringMatching(/^[a-z ]{1,20}$/);
const position = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 45 }), fc.integer({ min: 0, max: 2 ** 30 }))
  .map(([ms, n]) => `${ms}-${n}` as Position);
const payload = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((b) => Buffer.from(b));

const command = fc.oneof(
  fc.record({ type: fc.constant("send" as const), k, room, text }),
  fc.record({ type: fc.constantFrom("join" as const, "leave" as const), k, room }),
  fc.record({ type: fc.constant("invite" as const), k, room, user }),
  fc.record({ type: fc.constant("rename" as const), k, room, name }),
  fc.record({ type: fc.constant("setReceipts" as const), k, room, on: fc.boolean() }),
  fc.record({
    type: fc.constant("create" as const),
    k,
    room,
    kind: fc.constantFrom("public", "private", "direct"),
    name,
    members: fc.array(user, { minLength: 1, maxLength: 2 }),
  }),
);
const logged = fc.record({ session: fc.nat(), user, device, command });

describe("log entries", () => {
  it("[IN4] read back as they were written", () => {
    fc.assert(
      fc.property(fc.array(logged, { minLength: 1, maxLength: 20 }), (commands) => {
        const batch = commands as unknown as readonly LoggedCommand[];
        const entry = unpackCommands(packCommands("edge-1", batch));
        expect(entry).toEqual({ format: 1, edge: "edge-1", commands });
      }),
    );
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["other bytes", Buffer.from("hello")],
    ["a later format", Buffer.from([0x93, 2, 0xa1, 0x65, 0x90])],
    ["no commands", Buffer.from([0x93, 1, 0xa1, 0x65, 0x90])],
  ])("[PR7] are refused when they hold %s", (_what, bytes) => {
    expect(() => unpackCommands(bytes)).toThrow();
  });

  it("[HI1] give each command a position of its own, in order", () => {
    fc.assert(
      fc.property(position, fc.integer({ min: 0, max: 4_094 }), (entry, index) => {
        const [here, next] = [commandPosition(entry, index), commandPosition(entry, index + 1)];
        expect(comparePositions(here, next)).toBeLessThan(0);
        const [ms, n] = entry.split("-").map(Number) as [number, number];
        const following = commandPosition(`${ms}-${n + 1}` as Position, 0);
        expect(comparePositions(next, following)).toBeLessThan(0);
      }),
    );
    expect(commandPosition("5-2" as Position, 3)).toBe("5-8195");
    expect(commandPosition("5-2" as Position, 4_095)).toBe("5-12287");
    expect(() => commandPosition("5-2" as Position, 4_096)).toThrow(RangeError);
  });
});

describe("conversation entries", () => {
  it("[HI1] read back as they were written, whatever the payload holds", () => {
    fc.assert(
      fc.property(
        position,
        position,
        fc.integer({ min: 1, max: 2 ** 50 }),
        payload,
        fc.option(user),
        (id, prev, seq, bytes, leaver) => {
          const entry = {
            id,
            prev,
            seq: seq as Seq,
            payload: bytes as Uint8Array as Payload,
            leaver: leaver as UserId | null,
          };
          const stored = conversationFields(entry).map((part) => Buffer.from(part as string));
          expect(readConversationEntry(id, stored)).toEqual(entry);
        },
      ),
    );
  });

  it.each([
    ["1700000000000-0", "1699999998500-0", "1500"],
    ["1700000000000-0", "1699999998500-4097", "1500-4097"],
    ["1700000000000-4098", "1700000000000-4097", "0-4097"],
    ["1700000000000-1", "1700000000000-0", "0"],
    ["1700000000000-2", "0-0", "1700000000000"],
  ])("[HI1] at %s name the one at %s as the way back to it, %s", (id, prev, way) => {
    const entry = {
      id: id as Position,
      prev: prev as Position,
      seq: 7 as Seq,
      payload: Uint8Array.of(1) as Payload,
      leaver: null,
    };
    const fields = conversationFields(entry);
    expect(fields).toEqual(["n", "7", "p", way, "d", entry.payload]);
  });

  it("[HI1] of another shape are refused", () => {
    expect(() => readConversationEntry("1-1" as Position, [Buffer.from("n")])).toThrow(/lacks/);
  });
});

describe("bells", () => {
  const result = fc.oneof(
    fc.record({ status: fc.constant("applied" as const), seq: fc.nat() }),
    fc.record({ status: fc.constant("rejected" as const), code: fc.constantFrom(...ERROR_CODES) }),
  );
  const outcome = fc.record({
    edge: fc.string({ maxLength: 10 }),
    session: fc.nat(),
    k,
    room,
    result,
    again: fc.boolean(),
  });
  const entry = fc.record({
    room,
    id: position,
    prev: position,
    seq: fc.integer({ min: 1, max: 2 ** 40 }),
    payload,
    leaver: fc.option(user),
  });

  const mark = fc.record({
    room,
    user,
    through: fc.nat(),
    atHead: fc.boolean(),
    told: fc.oneof(fc.nat(), fc.constantFrom("count" as const, null)),
  });

  it("[PR5] read back as they were written", () => {
    const bell = fc.record(
      {
        from: position,
        to: position,
        outcomes: fc.array(outcome, { maxLength: 8 }),
        entries: fc.array(entry, { maxLength: 8 }),
        rooms: fc.array(room, { maxLength: 8 }),
        marks: fc.array(mark, { maxLength: 4 }),
        switched: fc.array(room, { maxLength: 4 }),
      },
      { requiredKeys: ["from", "to", "outcomes", "entries", "rooms"] },
    );
    fc.assert(
      fc.property(bell, (made) => {
        const written = made as unknown as Bell;
        const fields = [Buffer.from("h"), Buffer.from(packBellHeader(written))];
        for (const { payload: bytes } of written.entries) {
          fields.push(Buffer.from("d"), Buffer.from(bytes));
        }
        const nothing = { presence: [], marks: [], switched: [] };
        expect({ ...nothing, ...readBell(fields) }).toEqual({ ...nothing, ...written });
      }),
    );
  });

  it("[PR5] tell a rejection from an application at seq 0", () => {
    const applied = { status: "applied" as const, seq: 0 as Seq };
    const rejected = { status: "rejected" as const, code: "forbidden" as const };
    const outcomes = [applied, rejected].map((of) => ({
      edge: "e",
      session: 1,
      k: 1 as CommandNumber,
      room: "r" as RoomId,
      result: of,
      again: false,
    }));
    const [from, to] = ["1-0" as Position, "2-0" as Position];
    const header = packBellHeader({ from, to, outcomes, entries: [], rooms: [] });
    const bell = readBell([Buffer.from("h"), Buffer.from(header)]);
    expect(bell.outcomes.map((each) => each.result)).toEqual([applied, rejected]);
  });

  it("[PR5] without a header are refused", () => {
    expect(() => readBell([])).toThrow(/header/);
  });
});
