/** What `npm run bench` takes, and what it says to the rest. */
import { describe, expect, it } from "vitest";

import { readCommandLine } from "../../bench/command-line.ts";
import { SCENARIOS } from "../../bench/scenarios/all.ts";

/** The text of a help or a refusal. */
function textOf(kind: "help" | "refused", ...words: string[]): string {
  const asked = readCommandLine(words);
  expect(asked.kind).toBe(kind);
  return asked.kind === "run" ? "" : asked.text;
}

describe("the command line of npm run bench", () => {
  it("runs every scenario when none is named", () => {
    expect(readCommandLine([])).toEqual({
      kind: "run",
      scenarios: SCENARIOS,
      quick: false,
      points: null,
      peers: true,
      centrifugo: null,
    });
  });

  it("takes names in any order, with flags before and after", () => {
    const asked = readCommandLine(["rooms", "--quick", "rates", "--yes"]);
    const names = asked.kind === "run" ? asked.scenarios.map(({ name }) => name) : [];
    expect(names).toEqual(["rates", "rooms"]);
    expect(asked).toMatchObject({ quick: true, points: null });
  });

  it("leaves the peers out when told, and takes a binary of one", () => {
    expect(readCommandLine(["--no-peers"])).toMatchObject({ peers: false, centrifugo: null });
    const asked = readCommandLine(["rates", "--centrifugo", process.execPath]);
    expect(asked).toMatchObject({ peers: true, centrifugo: process.execPath });
  });

  it("says in its help what every scenario and every flag is for", () => {
    const help = textOf("help", "--help");
    for (const { name, about } of SCENARIOS) {
      expect(help).toContain(name);
      expect(help).toContain(about);
    }
    for (const flag of ["--quick", "--points", "--no-peers", "--centrifugo", "--yes", "--help"]) {
      expect(help).toContain(flag);
    }
  });

  it.each([
    [["rate"], "no such scenario: rate"],
    [["--quik"], "unknown option '--quik'"],
    [["--points"], "argument missing"],
    [["--points", "100"], "one scenario at a time"],
    [["idle", "--points", "100"], "idle takes no --points"],
    [["rates", "--centrifugo", "no/such/binary"], "no program at that path"],
    [["rates", "--points", "0"], "whole numbers from 1 to 100000"],
    [["rates", "--points", "100001"], "whole numbers from 1 to 100000"],
    [["rates", "--points", "100,,200"], "whole numbers from 1 to 100000"],
    [["rates", "--points", Array.from({ length: 65 }, () => "1").join(",")], "at most 64"],
  ])("refuses %j", (words, problem) => {
    expect(textOf("refused", ...words)).toContain(problem);
  });
});
