import { describe, expect, it } from "vitest";

import { NO_DIFFERENCES, compare, isEqual, sum, worse } from "../../src/cli/replay/compare.ts";
import { loadCorpus } from "../../src/cli/replay/corpus.ts";
import { parseLog, type LogLine } from "../../src/cli/replay/log-file.ts";
import { mark, planOf, type Cast, type Plan } from "../../src/cli/replay/plan.ts";
import { seededRandom } from "../../src/cli/replay/random.ts";
import { readReplayOptions } from "../../src/cli/replay/replay-options.ts";
import { isPass, reportLines, type Outcome } from "../../src/cli/replay/report.ts";
import { RoleWords } from "../../src/cli/replay/role-words.ts";
import { syntheticLogs } from "../../src/cli/replay/synthetic.ts";
import { Tally } from "../../src/cli/replay/tally.ts";

const CAST: Cast = { owner: "owner", readers: [] };
const plan = (rows: readonly string[], cast = CAST, random = (): number => 1): Plan =>
  planOf({ name: "log", lines: linesOf(...rows) }, cast, random);
const linesOf = (...rows: string[]): readonly LogLine[] => parseLog("log", rows.join("\n")).lines;

describe("reading a log", () => {
  it.each<[string, object]>([
    ["[10:00] <ann> hello", { type: "message", nick: "ann", text: "hello" }],
    ["[10:00] <ann> hello\r", { type: "message", nick: "ann", text: "hello" }],
    ["[10:00] <ann> ", { type: "message", nick: "ann", text: "" }],
    ["[10:00] <ann>", { type: "message", nick: "ann", text: "" }],
    ["[10:00] <ann>   two  spaces ", { type: "message", text: "  two  spaces " }],
    [
      "[10:00] <ann> <bob> said > that",
      { type: "message", nick: "ann", text: "<bob> said > that" },
    ],
    ["[10:00] <ann> === bob has left", { type: "message", text: "=== bob has left" }],
    ["[10:00] <ann> * waves", { type: "message", text: "* waves" }],
    [
      "[10:00] <x|y`^[]> \u0002bold\u000f\t\u2028",
      { nick: "x|y`^[]", text: "\u0002bold\u000f\t\u2028" },
    ],
    ["[10:00] <ann> cafe\u0301", { type: "message", text: "caf\u00e9" }],
    ["[15:44]  * ann waves at bob", { type: "action", nick: "ann", text: "waves at bob" }],
    [" * ann waves", { type: "action", nick: "ann", text: "waves" }],
    [" * ann", { type: "action", nick: "ann", text: "" }],
    ["=== ann [~a@host.example]  has joined #ubuntu", { type: "join", nick: "ann" }],
    ["=== ann [a@host] has joined #other", { type: "join", nick: "ann" }],
    ['=== ann [a@host]  has left #ubuntu ["Leaving", [x] ]', { type: "leave", nick: "ann" }],
    ["=== [A] ndy80 [n=w@host]  has joined #ubuntu", { type: "join", nick: "[A]ndy80" }],
    ["=== o[-_-] o [n=w@host]  has joined #ubuntu", { type: "join", nick: "o[-_-]o" }],
    ["=== [francof]  [~k@host]  has joined #ubuntu", { type: "join", nick: "[francof]" }],
    ["=== ann is now known as bob", { type: "rename", nick: "ann", to: "bob" }],
    ["=== Cre[a] tiveEmb[a]  is now known as [b] x", { nick: "Cre[a]tiveEmb[a]", to: "[b]x" }],
  ])("understands %j", (row, expected) => {
    expect(linesOf(row)).toEqual([expect.objectContaining(expected)]);
  });

  it.each([
    "=== mode/#ubuntu [+o LjL]  by ChanServ",
    "=== ogra thinks that bob is now known as a wit",
    "=== ann thinks that bob [of x] has left the room",
    "=== Topic for #ubuntu: hello",
    "===",
  ])("takes %j for a notice", (row) => {
    expect(parseLog("log", row)).toMatchObject({ lines: [], notices: 1, unreadable: [] });
  });

  it.each([
    ["", "of no known form"],
    ["some prose", "of no known form"],
    ["* a list item", "of no known form"],
    ["[1:00] <ann> hello", "of no known form"],
    ["[10:00] <> hello", "of no known form"],
    ["[10:00] <a\u0007b> hello", "the nick cannot be a user id"],
    [`[10:00] <${"n".repeat(65)}> hello`, "the nick cannot be a user id"],
    [`[10:00] <ann> ${"x".repeat(8_193)}`, "the text is too long"],
  ])("names what it cannot read: %j", (row, reason) => {
    const { lines, unreadable } = parseLog(
      "log",
      `[10:00] <ann> before\n${row}\n[10:00] <ann> after\n`,
    );
    expect(lines).toHaveLength(2);
    expect(unreadable).toEqual([{ line: 2, reason }]);
  });

  it("[OP42] keeps no host name", () => {
    const log = parseLog("log", "=== ann [~secret@home.example] has left #x [secret]");
    expect(JSON.stringify(log)).not.toMatch(/secret|home/);
  });

  it.each([
    ["goes forward", ["10:00", "10:01", "10:59"], [0, 1, 59]],
    ["comes round at midnight", ["23:59", "00:01"], [0, 2]],
    ["comes round at noon", ["12:59", "01:00"], [0, 1]],
    ["was set back", ["10:30", "10:00", "10:20", "10:31"], [0, 0, 0, 1]],
  ])("keeps time when the clock %s", (_, times, minutes) => {
    const lines = linesOf(...times.map((time) => `[${time}] <ann> x`));
    expect(lines.map(({ minute }) => minute)).toEqual(minutes);
  });
});

describe("planning a log", () => {
  const acts = (...rows: string[]): string[] =>
    plan(rows).steps.map(({ nick, act, text, seq }) =>
      `${seq ?? "-"} ${nick} ${act} ${text}`.trim(),
    );

  it("lets nobody act without being in the room", () => {
    expect(
      acts("[10:00] <ann> hello", "[10:00]  * bob waves", "=== cem [c@h] has left #x"),
    ).toEqual([
      "2 ann join",
      "3 ann send hello",
      "4 bob join",
      "5 bob send /me waves",
      "6 cem join",
      "7 cem leave",
    ]);
  });

  it("expects no entry of somebody who joins twice, and one after leaving", () => {
    const join = "=== ann [a@h] has joined #x";
    expect(acts(join, join, "=== ann [a@h] has left #x", join)).toEqual([
      "2 ann join",
      "- ann join",
      "3 ann leave",
      "4 ann join",
    ]);
  });

  it("makes another device of a new nick", () => {
    expect(acts("=== ann is now known as bob", "=== bob is now known as cem")).toEqual([
      "2 bob join",
      "3 bob leave",
      "4 cem join",
    ]);
  });

  it("spreads the lines of a minute over it", () => {
    const times = plan(["[10:00] <ann> a", "[10:00] <ann> b", "[10:02] <ann> c"])
      .steps.filter(({ act }) => act === "send")
      .map(({ atMs }) => atMs);
    expect(times).toEqual([0, 30_000, 120_000]);
  });

  it("begins with the readers, and lets messages call them", () => {
    const cast = { owner: "owner", readers: ["amy", "ben"] };
    const { expected, messages } = plan(["[10:00] <ann> a"], cast, () => 0);
    expect(expected).toEqual([
      mark("room.created", "owner"),
      mark("member.joined", "amy"),
      mark("member.joined", "ben"),
      mark("member.joined", "ann"),
      mark("message.sent", "ann", "a", ["amy"]),
    ]);
    expect(messages).toEqual([{ seq: 5, by: "ann", calls: "amy" }]);
  });

  it("knows who is in the room in the end, and since when", () => {
    const { members, shown } = plan([
      "=== ann [a@h] has joined #x",
      "[10:00] <bob> hello",
      "=== ann [a@h] has left #x",
      "=== ann [a@h] has joined #x",
      "=== bob is now known as cem",
    ]);
    expect([...members]).toEqual([
      ["owner", 1],
      ["ann", 6],
      ["cem", 8],
    ]);
    // Entries after the joining: owner 7, ann 3 and 2, bob 4.
    expect(shown).toBe(16);
  });
});

describe("comparing", () => {
  const marks = ["a", "b", "c", "c", "d", "c"].map((text) => mark("message.sent", "ann", text));
  const seen = (...texts: string[]): { seq: number; mark: string }[] =>
    texts.map((text, i) => ({ seq: i + 1, mark: mark("message.sent", "ann", text) }));

  it("has nothing against what is equal", () => {
    const found = compare(marks, seen("a", "b", "c", "c", "d", "c"));
    expect(found).toEqual(NO_DIFFERENCES);
    expect(isEqual(found)).toBe(true);
  });

  it.each([
    ["a loss", ["a", "b", "c", "d", "c"], { lost: 1 }],
    ["a loss at the end", ["a", "b", "c", "c", "d"], { lost: 1 }],
    ["everything lost", [], { lost: 6 }],
    ["a double", ["a", "b", "b", "c", "c", "d", "c"], { doubled: 1 }],
    ["a double of what there are several of", ["a", "b", "c", "c", "c", "d", "c"], { doubled: 1 }],
    ["a swap", ["b", "a", "c", "c", "d", "c"], { reordered: 1 }],
    ["one that came too late", ["b", "c", "c", "d", "c", "a"], { reordered: 1 }],
    ["a changed text", ["a", "B", "c", "c", "d", "c"], { lost: 1, unexpected: 1 }],
    ["a stranger", ["a", "b", "x", "c", "c", "d", "c"], { unexpected: 1 }],
  ])("finds %s", (_, texts, planted) => {
    const found = compare(marks, seen(...texts));
    const none = { lost: 0, doubled: 0, reordered: 0, unexpected: 0 };
    expect(found).toMatchObject({ ...none, ...planted });
    expect(found.first.length).toBeGreaterThan(0);
    expect(isEqual(found)).toBe(false);
  });

  it("finds who said it and which number it has", () => {
    const other = seen("a", "b", "c", "c", "d", "c");
    other[0] = { seq: 1, mark: mark("message.sent", "bob", "a") };
    expect(compare(marks, other)).toMatchObject({ lost: 1, unexpected: 1 });
    const gap = seen("a", "b", "c", "c", "d", "c").map(({ seq, mark }) => ({ seq: seq * 2, mark }));
    expect(isEqual(compare(marks, gap))).toBe(false);
  });

  it("shows the first place, harmless to a terminal", () => {
    const { first } = compare([mark("message.sent", "ann", "\u009b31m\u202e")], []);
    expect(first).toEqual([
      'place 1: expected ["message.sent","ann","\\u009b31m\\u202e"], found nothing',
    ]);
  });

  it("counts what two readers miss once, and what two rooms miss twice", () => {
    const one = compare(marks, seen("a", "b", "c", "d", "c"));
    expect(worse(one, one).lost).toBe(1);
    expect(sum(one, one).lost).toBe(2);
  });
});

describe("a synthetic corpus", () => {
  const options = { seed: 7, files: 3, lines: 1_500 };

  it("is the same for the same seed and another for another", () => {
    expect(syntheticLogs(options)).toEqual(syntheticLogs(options));
    expect(syntheticLogs(options)).not.toEqual(syntheticLogs({ ...options, seed: 8 }));
  });

  it("can be read whole and holds every kind of line", () => {
    for (const { name, content } of syntheticLogs(options)) {
      const log = parseLog(name, content);
      expect(log.unreadable).toEqual([]);
      expect(content.normalize("NFC")).not.toBe(content);
      const { counts } = planOf(log, CAST, seededRandom(1));
      for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
    }
  });

  it("takes the place of files that a pattern did not find, and says so", async () => {
    const { synthetic, plans } = await loadCorpus(["nowhere/*.txt"], 5, CAST);
    expect(synthetic).toContain("nowhere/*.txt");
    expect(synthetic).toContain("seed 5");
    expect(plans).toHaveLength(35);
  });

  it("takes no place of a file that was named", async () => {
    await expect(loadCorpus(["nowhere/log.txt"], 5, CAST)).rejects.toThrow("cannot be read");
    await expect(loadCorpus(["package.json"], 5, CAST)).rejects.toThrow("nothing to play");
  });
});

describe("the options of a replay", () => {
  it("[OP5] are read", () => {
    expect(readReplayOptions({ speed: "max", seed: "0", kill: true })).toEqual({
      speed: null,
      seed: 0,
      kill: true,
      url: null,
    });
    expect(readReplayOptions({ speed: "2.5", url: "http://127.0.0.1:1" })).toMatchObject({
      speed: 2.5,
      kill: false,
      url: "http://127.0.0.1:1",
    });
  });

  it.each([
    [{ speed: "fast" }, "--speed"],
    [{ speed: "0" }, "--speed"],
    [{ speed: "" }, "--speed"],
    [{ speed: "max", seed: "-1" }, "--seed"],
    [{ speed: "max", seed: "4294967296" }, "--seed"],
    [{ speed: "max", url: "somewhere" }, "--url"],
    [{ speed: "max", url: "ftp://host" }, "--url"],
    [{ speed: "max", url: "http://host", kill: true }, "--kill"],
  ])("[OP5] are refused with the reason: %j", (flags, reason) => {
    expect(() => readReplayOptions(flags)).toThrow(reason);
  });
});

describe("the verdict", () => {
  const equal = { rooms: 1, entries: 1 };
  const checked = { rooms: 1, values: 1 };
  const right = { members: checked, presence: checked, unread: checked, receipts: checked };
  const outcome = (changes: Partial<Outcome> = {}): Outcome => ({
    corpus: { synthetic: null, logs: [], plans: [] },
    player: { outcomeMs: [1, 2, 3], latestMs: 0, failures: { count: 0, first: [] } },
    playedMs: 1_000,
    speed: null,
    devices: { size: 1, attending: 1, hungUp: 0 },
    audience: { share: 1, seed: 1 },
    readers: [{ reads: 1, wentBack: 0, failures: [] }],
    observers: 2,
    reconnects: 0,
    tally: new Tally(),
    observedMs: [],
    cluster: { kills: { total: 3, inFlight: 1, byName: [["edge", 3]] }, words: new RoleWords() },
    kill: true,
    verdict: {
      worst: NO_DIFFERENCES,
      equal: { observers: equal, "SDK from the origin": equal, "HTTP pages": equal },
    },
    people: { checks: right, wrong: 0, first: [] },
    ...changes,
  });
  const worst = (found: object): Partial<Outcome> => {
    const { verdict } = outcome();
    return { verdict: { ...verdict, worst: { ...NO_DIFFERENCES, ...found } } };
  };
  const troubled = new RoleWords();
  troubled.trouble("edge: it ended with 1");
  const idle = { total: 3, inFlight: 0, byName: [] };

  it("[OP40] is a pass when all is there, once and in order", () => {
    expect(isPass(outcome())).toBe(true);
    expect(reportLines(outcome()).at(-1)).toBe("lost 0 doubled 0 reordered 0");
  });

  it.each<[string, Partial<Outcome>, string]>([
    ["something is lost", worst({ lost: 2 }), "lost 2 doubled 0 reordered 0"],
    ["something is doubled", worst({ doubled: 1 }), "lost 0 doubled 1 reordered 0"],
    ["something is out of order", worst({ reordered: 3 }), "lost 0 doubled 0 reordered 3"],
    ["something is strange", worst({ unexpected: 1 }), "reordered 0 unexpected 1"],
    ["numbers are not dense", worst({ misnumbered: 1 }), "a seq that is not their place"],
    [
      "a command failed",
      { player: { outcomeMs: [], latestMs: 0, failures: { count: 1, first: ["forbidden"] } } },
      "forbidden",
    ],
    [
      "a role died by itself",
      { cluster: { ...idle, kills: idle, words: troubled } },
      "ended with 1",
    ],
    [
      "nobody was killed in flight",
      { cluster: { kills: idle, words: new RoleWords() } },
      "VACUOUS",
    ],
    [
      "people are not as recounted",
      { people: { checks: right, wrong: 1, first: ["log, presence: 3 are there and not 4"] } },
      "presence: 3 are there",
    ],
    [
      "a reader was refused",
      { readers: [{ reads: 1, wentBack: 0, failures: ["amy: noSuchMessage"] }] },
      "noSuchMessage",
    ],
  ])("[OP40, OP41, OP44] is no pass when %s", (_, changes, said) => {
    expect(isPass(outcome(changes))).toBe(false);
    expect(reportLines(outcome(changes)).join("\n")).toContain(said);
  });
});
