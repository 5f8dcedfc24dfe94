import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeClientFrame,
  decodeEntry,
  decodeServerFrame,
  encodeClientFrame,
  encodeEntry,
  encodeServerFrame,
  joinEntries,
  joinResumed,
  peekCommandNumber,
  transcodeToJson,
} from "../../src/protocol/codec.ts";
import type { ClientFrame } from "../../src/protocol/frames.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { arrayHeader, pack, unpackUntrusted } from "../../src/protocol/msgpack.ts";
import { SchemaError, UnreadableError } from "../../src/protocol/schema.ts";
import { anyClientFrame, anyEntry, anyServerFrame } from "./arbitrary.ts";

const SEED = 20_241_123;
const check = { seed: SEED, numRuns: 300 };
const ENCODINGS = ["binary", "json"] as const;

describe(`round trips (seed ${SEED})`, () => {
  it.each(ENCODINGS)("[PV1] every client frame survives %s", (encoding) => {
    const survives = fc.property(anyClientFrame, (frame) => {
      expect(decodeClientFrame(encodeClientFrame(frame, encoding))).toEqual(frame);
    });
    fc.assert(survives, check);
  });

  it.each(ENCODINGS)("[PV1] every server frame survives %s", (encoding) => {
    const survives = fc.property(anyServerFrame, (frame) => {
      expect(decodeServerFrame(encodeServerFrame(frame, encoding))).toEqual(frame);
    });
    fc.assert(survives, check);
  });

  it("[PV1] frames joined from encoded entries equal frames encoded at once", () => {
    const entries = fc.array(anyEntry, { minLength: 1, maxLength: 40 });
    const same = fc.property(anyServerFrame, entries, (any, entries) => {
      const packed = entries.map(encodeEntry);
      expect(packed.map(decodeEntry)).toEqual(entries);
      const room = "general" as never;
      const live = { type: "entries", room, entries } as const;
      expect(joinEntries(room, packed)).toEqual(bytesOf(encodeServerFrame(live)));
      expect(transcodeToJson(joinEntries(room, packed))).toBe(encodeServerFrame(live, "json"));
      if (any.type !== "resumed") return;
      const page = { ...any, entries };
      expect(joinResumed(page, packed)).toEqual(bytesOf(encodeServerFrame(page)));
    });
    fc.assert(same, check);
  });
});

/** msgpackr gives a Buffer on Node; equality wants one type. */
function bytesOf(encoded: Uint8Array | string): Uint8Array {
  return Uint8Array.from(encoded as Uint8Array);
}

describe("limits, at the limit and one past it", () => {
  const room = "r".repeat(80);
  const rooms = (count: number): unknown[] => Array.from({ length: count }, () => [room, null, 1]);
  const CURSOR = "9".repeat(64);

  it.each([
    ["text in bytes", [16, 1, room, "a".repeat(8_192)], [16, 1, room, "a".repeat(8_193)]],
    ["text in bytes of UTF-8", [16, 1, room, "€".repeat(2_730)], [16, 1, room, "€".repeat(2_731)]],
    ["room id", [19, 1, room], [19, 1, `${room}r`]],
    ["room name", [22, 1, room, "n".repeat(80)], [22, 1, room, "n".repeat(81)]],
    ["room name in code points", [22, 1, room, "👋".repeat(80)], [22, 1, room, "👋".repeat(81)]],
    ["user id", [18, 1, "u".repeat(64)], [18, 1, "u".repeat(65)]],
    ["user id in code points", [18, 1, "👋".repeat(64)], [18, 1, "👋".repeat(65)]],
    ["device id", [1, 1, "t", "d".repeat(64), ""], [1, 1, "t", "d".repeat(65), ""]],
    ["token", [1, 1, "t".repeat(3_072), "d", ""], [1, 1, "t".repeat(3_073), "d", ""]],
    ["agent", [1, 1, "t", "d", "a".repeat(128)], [1, 1, "t", "d", "a".repeat(129)]],
    ["version", [1, 65_535, "t", "d", ""], [1, 65_536, "t", "d", ""]],
    ["rooms of a resume", [2, rooms(100)], [2, rooms(101)]],
    ["page", [2, [[room, null, 200]]], [2, [[room, null, 201]]]],
    ["smallest page", [2, [[room, null, 1]]], [2, [[room, null, 0]]]],
    ["cursor", [2, [[room, CURSOR, 1]]], [2, [[room, `${CURSOR}9`, 1]]]],
    ["rooms of an unsubscribe", [3, Array(100).fill(room)], [3, Array(101).fill(room)]],
    ["fewest rooms", [3, [room]], [3, []]],
    ["command number", [19, Number.MAX_SAFE_INTEGER, room], [19, 2 ** 53, room]],
    ["smallest command number", [19, 1, room], [19, 0, room]],
    ["shortest name", [22, 1, room, "n"], [22, 1, room, ""]],
  ])("[PV2] %s", (_, within, past) => {
    expect(() => decodeClientFrame(pack(within))).not.toThrow();
    expect(() => decodeClientFrame(pack(past))).toThrow(SchemaError);
  });

  it("[PV2] a full resume fits a frame, with the longest ids and cursors", () => {
    const asked = Array.from({ length: LIMITS.roomsPerResume }, () => [room, CURSOR, 200]);
    expect(pack([2, asked]).length).toBeLessThanOrEqual(LIMITS.frameBytes);
    expect(pack([3, Array(LIMITS.roomsPerResume).fill(room)]).length).toBeLessThan(
      LIMITS.frameBytes,
    );
  });

  it("[PV2] nesting", () => {
    const nested = (depth: number): Uint8Array =>
      Uint8Array.from([...Array<number>(depth - 1).fill(0x91), 0x90]);
    expect(() => unpackUntrusted(nested(LIMITS.depth), LIMITS.depth)).not.toThrow();
    expect(() => unpackUntrusted(nested(LIMITS.depth + 1), LIMITS.depth)).toThrow(UnreadableError);
  });

  it("[PV2] array headers of every size", () => {
    for (const size of [0, 15, 16, 65_535]) {
      const header = arrayHeader(size);
      expect(pack(Array(size).fill(0)).subarray(0, header.length)).toEqual(Buffer.from(header));
    }
    expect(() => arrayHeader(65_536)).toThrow(RangeError);
  });
});

describe("text", () => {
  const read = (text: string): string => {
    const frame = decodeClientFrame(pack([16, 1, "general", text]));
    return (frame as ClientFrame & { type: "send" }).text;
  };

  it("[PV8] is brought to NFC before it is measured", () => {
    expect(read("e\u0301")).toBe("\u00e9");
    expect(read("e\u0301".repeat(4_096))).toBe("\u00e9".repeat(4_096));
    // Some characters grow: U+0958 becomes two of three bytes each.
    expect(() => read("\u0958".repeat(2_000))).toThrow(/8192 bytes/);
  });

  it("[PV8] with a lone surrogate is refused in JSON, where it could come in", () => {
    const json = '{"type":"send","k":1,"room":"general","text":"\\ud800"}';
    expect(() => decodeClientFrame(json)).toThrow(/well-formed/);
  });

  it("[PV8] of a name or id has no control characters, no separators in an id", () => {
    const refused = [
      [22, 1, "general", "a\u0007b"],
      [22, 1, "general", "a\u009bb"],
      [18, 1, "a\nb"],
      [18, 1, "a\u2028b"],
      [19, 1, "../etc"],
      [19, 1, "-room"],
      [19, 1, "a room"],
      [19, 1, "room\n"],
    ];
    for (const wire of refused) expect(() => decodeClientFrame(pack(wire))).toThrow(SchemaError);
  });
});

describe("hostile bytes", () => {
  const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
  const array = (count: number, byte: number): Uint8Array => new Uint8Array(count).fill(byte);

  it.each([
    ["nothing", hex("")],
    ["an array that claims 4 billion items", hex("ddffffffff")],
    ["a string that claims 4 GB", hex("dbffffffff")],
    ["a million nested arrays", array(1_000_000, 0x91)],
    ["nested arrays that claim 15 items each", array(16_384, 0x9f)],
    ["a map", hex("81a16101")],
    ["a map 32", hex("dfffffffff")],
    ["binary", hex("c40100")],
    ["fixext 1, a record of msgpackr", hex("d47201")],
    ["ext 8 with the type of an error object", hex("c7016500")],
    ["ext 32 that claims 4 GB", hex("c9ffffffff78")],
    ["the byte that is never used", hex("c1")],
    ["an array cut short", hex("9204")],
    ["a string cut short", hex("a3616e")],
    ["a length cut short", hex("da00")],
    ["a number cut short", hex("cb4278")],
    ["bytes after the value", hex("910400")],
  ])("[PV3] %s is refused as unreadable", (_, bytes) => {
    expect(() => decodeClientFrame(bytes)).toThrow(UnreadableError);
    expect(() => decodeServerFrame(bytes)).toThrow(UnreadableError);
  });

  it.each([
    ["a frame of an unknown code", pack([99])],
    ["a number", pack(4)],
    ["too many fields", pack([4, 1])],
    ["too few fields", pack([19, 1])],
    ["a fraction for a number", pack([19, 1.5, "general"])],
    ["not a number", pack([19, Number.NaN, "general"])],
    ["a negative number", pack([19, -1, "general"])],
    ["a number for text", pack([16, 1, "general", 7])],
    ["null for text", pack([16, 1, "general", null])],
    ["a uint64 past 2^53", hex("9313cfffffffffffffffffa767656e6572616c")],
    ["16 KB of empty arrays", Uint8Array.from([0xdc, 0x3f, 0xfd, ...array(16_381, 0x90)])],
    ["text that is not JSON", "{"],
    ["a JSON array", "[4]"],
    ["an unknown type", '{"type":"constructor"}'],
    ["an unknown field", '{"type":"ping","extra":1}'],
    ["a prototype", '{"type":"ping","__proto__":{"type":"hello"}}'],
    ["deep JSON", `${"[".repeat(8_000)}${"]".repeat(8_000)}`],
  ])("[PV3] %s is refused", (_, data) => {
    expect(() => decodeClientFrame(data)).toThrow(SchemaError);
  });

  it("[PV3] a uint64 is read like a float", () => {
    const join = { type: "join", k: 2 ** 40, room: "general" };
    expect(decodeClientFrame(hex("9313cf0000010000000000a767656e6572616c"))).toEqual(join);
    expect(decodeClientFrame(hex("9313cb4270000000000000a767656e6572616c"))).toEqual(join);
  });

  it(`[PV3] random bytes give a frame or a SchemaError (seed ${SEED})`, () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // One byte of a good frame changed: gets further than noise.
      fc.tuple(anyClientFrame, fc.nat(), fc.nat(255)).map(([frame, at, byte]) => {
        const bytes = bytesOf(encodeClientFrame(frame));
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    const holds = fc.property(bytes, (bytes) => {
      for (const decode of [decodeClientFrame, decodeServerFrame, peekCommandNumber]) {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SchemaError);
        }
      }
    });
    fc.assert(holds, { seed: SEED, numRuns: 3_000 });
  });

  it(`[PV3] random JSON gives a frame or a SchemaError (seed ${SEED})`, () => {
    const holds = fc.property(fc.json(), (text) => {
      for (const decode of [decodeClientFrame, decodeServerFrame, peekCommandNumber]) {
        try {
          decode(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SchemaError);
        }
      }
    });
    fc.assert(holds, { seed: SEED, numRuns: 2_000 });
  });
});

it("[PV9] a command that breaks a rule is known by its number", () => {
  expect(peekCommandNumber(pack([16, 7, "general", 1]))).toBe(7);
  expect(peekCommandNumber('{"type":"send","k":7}')).toBe(7);
  for (const none of [[16, 0], [16, "7"], [1, 7], [99, 7], 7, null, []]) {
    expect(peekCommandNumber(pack(none))).toBeNull();
  }
});
