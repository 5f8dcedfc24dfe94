import { describe, expect, it } from "vitest";

import {
  asBytes,
  asInteger,
  asText,
  asTextOrNull,
  isRefusal,
  readEntries,
  readHash,
  readStreams,
} from "../../src/redis/replies.ts";

const bytes = (text: string): Buffer => Buffer.from(text);
const refusal = Object.assign(new Error("OOM"), { name: "ReplyError" });

describe("replies of Redis", () => {
  it("[OP50] of XREAD become entries by stream, nil becomes none", () => {
    const reply = [[bytes("s"), [[bytes("5-2"), [bytes("b"), bytes("x")]]]]];
    expect(readStreams(null).size).toBe(0);
    expect(readStreams(reply).get("s")).toEqual([{ id: "5-2", fields: [bytes("b"), bytes("x")] }]);
  });

  it("[OP50] of HGETALL become a map", () => {
    expect(readHash([bytes("a"), bytes("1"), bytes("b"), bytes("2")])).toEqual(
      new Map([
        ["a", "1"],
        ["b", "2"],
      ]),
    );
  });

  it.each([
    ["a flat stream reply of RESP3", (): unknown => readStreams(["s", [["5-2", []]]])],
    ["a map", (): unknown => readHash(new Map())],
    ["an entry that was trimmed away", (): unknown => readEntries([["5-2", null]])],
    ["nil for text", (): unknown => asText(null)],
    ["nil for bytes", (): unknown => asBytes(null)],
    ["text for an integer", (): unknown => asInteger("7.5")],
    ["an integer past 2^53", (): unknown => asInteger("9007199254740993")],
  ])("[OP50] throw on %s rather than guess", (_what, read) => {
    expect(read).toThrow();
  });

  it("[OP50] that are refusals are thrown on wherever data was expected", () => {
    for (const read of [asText, asBytes, readHash, readEntries]) {
      expect(() => read(refusal)).toThrow(refusal);
    }
  });

  it("[OP50] tell a refusal from the silence of a broken link", () => {
    expect(isRefusal(refusal)).toBe(true);
    expect(isRefusal(new Error("Command timed out"))).toBe(false);
    expect(asTextOrNull(null)).toBeNull();
    expect(asTextOrNull(bytes("x"))).toBe("x");
  });
});
