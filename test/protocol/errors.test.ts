import { describe, expect, it } from "vitest";
import { afterClose, CLOSE, ERROR_CODES, ERRORS } from "../../src/protocol/errors.ts";

describe("close codes", () => {
  it.each([
    [1000, "resume"],
    [1006, "resume"],
    [3999, "resume"],
    [4000, "resume"],
    [4099, "resume"],
    [4100, "refetch"],
    [4199, "refetch"],
    [4200, "resume"],
    [4399, "resume"],
    [4400, "stop"],
    [4499, "stop"],
    [4500, "resume"],
  ] as const)("[PV6] %i means %s", (code, next) => {
    expect(afterClose(code)).toBe(next);
  });

  /** An edge that was stopped for longer than a hello may take turned good clients away for ever. */
  it("[PV6] send nobody away for being late: either side may have been too busy", () => {
    for (const name of ["helloTimeout", "idle", "tooSlow"] as const) {
      expect(afterClose(CLOSE[name].code), name).toBe("resume");
    }
  });

  it("[PV6] are given once each, with a reason that fits a close frame", () => {
    const codes = Object.values(CLOSE).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const { reason } of Object.values(CLOSE)) expect(reason.length).toBeLessThanOrEqual(123);
  });
});

it("[PV6] error codes keep their order, because their index is stored", () => {
  expect(ERROR_CODES).toEqual(Object.keys(ERRORS));
  expect(ERROR_CODES.slice(0, 12)).toEqual([
    "forbidden",
    "notAllowed",
    "roomExists",
    "invalid",
    "tooLarge",
    "unauthorized",
    "notFound",
    "tooManyRooms",
    "tooManyCommands",
    "busy",
    "unavailable",
    "internal",
  ]);
});
