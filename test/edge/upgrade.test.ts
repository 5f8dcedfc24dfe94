import { describe, expect, it } from "vitest";

import { offeredProtocols, plainAddress } from "../../src/edge/sockets/upgrade.ts";

describe("head of an upgrade", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:10.0.0.7", "10.0.0.7"],
    ["0000:0000:0000:0000:0000:ffff:0a00:0007", "10.0.0.7"],
    ["0000:0000:0000:0000:0000:0000:0000:0001", "::1"],
    ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
    ["", ""],
  ])("[SE20] the address %j is written as %j", (address, plain) => {
    expect(plainAddress(address)).toBe(plain);
  });

  it.each([
    ["", []],
    ["one", ["one"]],
    [" one ,two,, three", ["one", "two", "three"]],
  ])("[SE20] the sub-protocols of %j are %j", (header, names) => {
    expect(offeredProtocols(header)).toEqual(names);
  });
});
