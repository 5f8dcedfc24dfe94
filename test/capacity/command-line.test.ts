import { describe, expect, it } from "vitest";

import { readCommandLine } from "../../bench/capacity/command-line.ts";
import { flagOf, INPUT_NAMES } from "../../bench/capacity/question.ts";
import { answer } from "../../bench/capacity/model.ts";
import { oneMachine } from "../../bench/capacity/one-machine.ts";
import { answerText } from "../../bench/capacity/report.ts";
import { readQuestion } from "../../bench/capacity/question.ts";
import { unitCosts } from "../../bench/capacity/unit-costs.ts";
import { everything } from "./sample-results.ts";

describe("the command line of npm run capacity", () => {
  it("takes numbers as people write them", () => {
    const asked = readCommandLine(["--users", "10e6", "--online", "0.2", "--json"]);
    expect(asked).toMatchObject({
      kind: "answer",
      json: true,
      question: { users: 10_000_000, online: 0.2, roomSize: 10, receivers: 10 },
      results: "bench/results",
    });
    expect(readCommandLine(["--check"])).toMatchObject({ kind: "check", json: false });
    expect(readCommandLine(["--room-size", "50", "--receivers", "2.5"])).toMatchObject({
      question: { roomSize: 50, receivers: 2.5 },
    });
  });

  it.each([
    [["--users", "many"], "--users takes a whole number of users from 1"],
    [["--users", "0"], 'not "0"'],
    [["--users", "1.5"], "a whole number"],
    [["--users", "-5"], 'not "-5"'],
    [["--users", "0x10"], 'not "0x10"'],
    [["--users", ""], 'not ""'],
    [["--users", "1e99"], "to 10000000000"],
    [["--users", "NaN"], 'not "NaN"'],
    [["--online", "15"], "--online takes a number of share from 0.000001 to 1"],
    [["--online", "15%"], 'not "15%"'],
    [["--target", "1"], "--target"],
    [["--receivers", "11"], "more than the --room-size 10"],
    [["--user", "5"], "unknown option '--user'"],
    [["--users"], "argument missing"],
    [["1000"], "too many arguments"],
  ])("refuses %j with a code and what is taken", (words, problem) => {
    const asked = readCommandLine(words);
    expect(asked.kind).toBe("refused");
    const text = asked.kind === "refused" ? asked.text : "";
    expect(text).toMatch(/^capacity: bad-flag: /);
    expect(text).toContain(problem);
  });

  it("explains every flag when asked", () => {
    const asked = readCommandLine(["--help"]);
    expect(asked.kind).toBe("help");
    const text = asked.kind === "help" ? asked.text : "";
    for (const name of INPUT_NAMES) expect(text).toContain(`${flagOf(name)} <`);
    expect(text).toContain("3 missing-result");
  });
});

describe("the answer as text", () => {
  it("has every role, what saturates first, and the file of every cost", () => {
    const costs = unitCosts(everything());
    const question = readQuestion({ users: "10e6" });
    const found = answer(costs, question);
    const text = answerText(costs, question, found, oneMachine(costs, 10, 0.6));
    for (const word of ["edges", "projector workers", "partitions", "Redis masters", "archive"]) {
      expect(text).toMatch(new RegExp(`^  ${word} `, "m"));
    }
    expect(text).toContain("not measured");
    expect(text).toContain("2030-01-02-rates.json");
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});
