import { describe, expect, it } from "vitest";

import { encodeCommands, ReplyReader } from "../../src/redis/resp.ts";

/** What a reader makes of the pieces. */
function read(...pieces: readonly (string | Uint8Array)[]): unknown[] {
  const replies: unknown[] = [];
  const reader = new ReplyReader((reply) => replies.push(reply));
  for (const piece of pieces) reader.push(Buffer.from(piece));
  return replies;
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

describe("commands", () => {
  it("[OP58] are one piece, sizes in bytes", () => {
    const bytes = encodeCommands([
      ["SET", "ключ", 12],
      ["GET", ""],
    ]);
    expect(bytes).toBe(
      "*3\r\n$3\r\nSET\r\n$8\r\nключ\r\n$2\r\n12\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
    );
  });

  it("[OP58] carry bytes as they are, also those of a part of a larger array", () => {
    const part = Uint8Array.of(1, 0xff, 0x00, 0x0d, 1).subarray(1, 4);
    const bytes = encodeCommands([["ECHO", part], ["PING"]]);
    const expected = Buffer.concat([
      Buffer.from("*2\r\n$4\r\nECHO\r\n$3\r\n"),
      part,
      Buffer.from("\r\n*1\r\n$4\r\nPING\r\n"),
    ]);
    expect(bytes).toEqual(expected);
  });
});

describe("replies", () => {
  const wire = Buffer.from(
    `+OK\r\n:-12\r\n:9007199254740991\r\n$-1\r\n*-1\r\n*0\r\n${bulk("")}` +
      `*2\r\n*2\r\n${bulk("a\r\nb")}*1\r\n${bulk("ключ")}*0\r\n-NOSCRIPT no such\r\n${bulk("end")}`,
  );
  const text = (value: string): Buffer => Buffer.from(value);
  const expected = [
    text("OK"),
    -12,
    Number.MAX_SAFE_INTEGER,
    null,
    null,
    [],
    text(""),
    [[text("a\r\nb"), [text("ключ")]], []],
    Object.assign(new Error("NOSCRIPT no such"), { name: "ReplyError" }),
    text("end"),
  ];

  it("[OP58] of every kind are read", () => {
    expect(read(wire)).toEqual(expected);
  });

  it("[OP58] are the same wherever the socket cuts them", () => {
    for (let at = 0; at <= wire.length; at++) {
      expect(read(wire.subarray(0, at), wire.subarray(at))).toEqual(expected);
    }
    expect(read(...[...wire].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  it("[OP58] that are large take time by their size, not by their pieces", () => {
    // Put together anew for each of these pieces it would be a fifth of a terabyte to copy.
    const [pieces, piece] = [20_000, Buffer.alloc(1_000, "x")];
    const header = `$${pieces * piece.length}\r\n`;
    const [large] = read(header, ...Array.from({ length: pieces }, () => piece), "\r\n");
    expect(Buffer.alloc(pieces * piece.length, "x").equals(large as Buffer)).toBe(true);
  });

  it.each([
    ["an unknown kind", "%1\r\n"],
    ["bytes in a number", "$1x\r\n"],
    ["lists in lists without end", "*1\r\n".repeat(17)],
  ])("[OP58] that are not RESP2 are refused: %s", (_what, bytes) => {
    expect(() => read(bytes)).toThrow(/Redis sent/);
  });
});
