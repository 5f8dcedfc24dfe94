import { describe, expect, it } from "vitest";

import { Audience, SHARE_MAX, SHOWN_MAX } from "../../src/cli/replay/audience.ts";
import { NO_DIFFERENCES, compare, isEqual, sum, worse } from "../../src/cli/replay/compare.ts";
import {
  countDifferences,
  listDifferences,
  presenceDifferences,
  setDifferences,
} from "../../src/cli/replay/compare-people.ts";
import { loadCorpus } from "../../src/cli/replay/corpus.ts";
import { Devices } from "../../src/cli/replay/devices.ts";
import { parseLog, type LogLine } from "../../src/cli/replay/log-file.ts";
import { mark, planOf, type Cast, type Plan } from "../../src/cli/replay/plan.ts";
import { seededRandom } from "../../src/cli/replay/random.ts";
import {
  mayBeLarge,
  recountPresence,
  recountReceipts,
  recountUnread,
} from "../../src/cli/replay/recount.ts";
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

describe("recounting", () => {
  const room = plan(
    [
      "[10:00] <ann> one", // 3 to 4
      "[10:00] <bob> two", // 5 to 6
      "=== bob [b@h] has left #x", // 7
      "=== bob [b@h] has joined #x", // 8
      "[10:00] <ann> three", // 9
    ],
    { owner: "owner", readers: ["amy"] },
    () => 0,
  );

  it.each([
    [2, 3],
    [3, 3],
    [4, 2],
    [8, 1],
    [9, 0],
  ])("[OP44] read up to %i, %i messages are unread, and all of them call", (through, left) => {
    expect(recountUnread(room, "amy", through)).toEqual({ unread: left, mentions: left });
  });

  it("[OP44] leaves out own messages, and mentions of others", () => {
    expect(recountUnread(room, "ann", 1)).toEqual({ unread: 1, mentions: 0 });
  });

  it("[OP44] counts as far as the engine does", () => {
    const messages = Array.from({ length: 1_200 }, (_, i) => ({ seq: i, by: "b", calls: "a" }));
    expect(recountUnread({ messages }, "a", -1)).toEqual({ unread: 1_000, mentions: 100 });
  });

  it("[OP44] places members at their newest message or their joining, readers where they are", () => {
    expect([...recountReceipts(room, new Map([["amy", 7]]))]).toEqual([
      ["owner", 1],
      ["amy", 7],
      ["ann", 9],
      ["bob", 8],
    ]);
  });

  it("[OP44] takes members that attend for those who are there", () => {
    const attends = (user: string): boolean => user !== "ann";
    expect([...recountPresence(room, attends)]).toEqual(["owner", "amy", "bob"]);
    expect([...recountPresence(room, () => false)]).toEqual([]);
  });

  it("[OP44] allows a sample only where there were many", () => {
    const rows = (count: number): string[] =>
      Array.from({ length: count }, (_, i) => `=== n${i} [n@h] has joined #x`);
    expect(mayBeLarge(plan(rows(498)))).toBe(false);
    expect(mayBeLarge(plan(rows(499)))).toBe(true);
  });
});

describe("comparing people", () => {
  const standing = { through: 7, unread: 3, mentions: 1 };
  const right = { ...standing, head: 20, last: 19 };
  const listed = { ...standing, head: 20, last: { seq: 19 } };

  it.each<[string, object | undefined]>([
    ["position", { through: 8 }],
    ["count", { unread: 2 }],
    ["count of mentions", { mentions: 0 }],
    ["head", { head: 19 }],
    ["newest message", { last: null }],
  ])("[OP44] finds another %s in a list", (_, other) => {
    expect(listDifferences(right, listed)).toEqual([]);
    expect(listDifferences(right, { ...listed, ...other })).toHaveLength(1);
  });

  it("[OP44] finds a room that is not listed, and counts that are not known", () => {
    expect(listDifferences(right, undefined)).toHaveLength(1);
    const unknown = { through: null, unread: null, mentions: null };
    expect(countDifferences("the SDK shows", standing, unknown)).toEqual([
      "expected read to 7, 3 unread, 1 mentions, the SDK shows read to null, null unread, null mentions",
    ]);
  });

  const there = (...users: string[]): Set<string> => new Set(users);
  const seen = (
    users: string[],
    changes: object = {},
  ): Parameters<typeof presenceDifferences>[0] => ({
    current: true,
    count: users.length,
    online: new Set(users as never[]),
    complete: true,
    lastSeen: new Map(),
    ...changes,
  });

  it("[OP44] finds ghosts, absentees, wrong counts and what is not known", () => {
    const both = there("ann", "bob");
    const found = (presence: typeof both, told: Parameters<typeof seen>): string[] =>
      presenceDifferences(seen(...told), presence, false);
    expect(found(both, [["bob", "ann"]])).toEqual([]);
    expect(found(both, [["ann", "cem"]])).toEqual(['"bob" is missing', '"cem" is too much']);
    expect(found(both, [["ann", "bob", "cem"]])).toContain('"cem" is too much');
    expect(found(both, [["ann"]])).toContain('"bob" is missing');
    expect(found(both, [["ann", "bob"], { count: 3 }])).toHaveLength(1);
    expect(found(both, [["ann", "bob"], { current: false }])).toHaveLength(1);
    expect(found(both, [["ann"], { count: 2, complete: false }])).toEqual(['"bob" is missing']);
  });

  it("[OP44] takes a sample for a large room, if it is one", () => {
    const many = Array.from({ length: 600 }, (_, i) => `n${i}`);
    const sample = (users: string[]): string[] =>
      presenceDifferences(seen(users, { count: 600, complete: false }), there(...many), true);
    expect(sample(many.slice(0, 50))).toEqual([]);
    expect(sample(many.slice(0, 49))).toHaveLength(1);
    expect(sample([...many.slice(0, 50), "ghost"])).toHaveLength(1);
  });

  it("[OP44] shows names harmless to a terminal", () => {
    expect(setDifferences(["a\u009b31m"], ["b"])).toEqual([
      '"a\\u009b31m" is missing',
      '"b" is too much',
    ]);
  });
});

describe("who attends", () => {
  const nicks = Array.from({ length: 2_000 }, (_, i) => `nick${i}`);
  const share = (audience: Audience): number =>
    nicks.filter((nick) => audience.attends(nick)).length / nicks.length;

  it("[OP45] are most of the devices of a small play, and fewer of a large one", () => {
    expect(share(new Audience([], 1))).toBeCloseTo(SHARE_MAX, 1);
    const large = new Audience([{ shown: SHOWN_MAX * 5 }, { shown: SHOWN_MAX * 5 }], 1);
    expect(large.share).toBe(0.1);
    expect(share(large)).toBeCloseTo(0.1, 1);
  });

  it("[OP45] are the same ones for the same seed", () => {
    const chosen = (seed: number): string[] => {
      const audience = new Audience([{ shown: SHOWN_MAX * 2 }], seed);
      return nicks.filter((nick) => audience.attends(nick) && audience.hangsUp(nick));
    };
    expect(chosen(1)).toEqual(chosen(1));
    expect(chosen(1)).not.toEqual(chosen(2));
    expect(chosen(1).length / nicks.length).toBeCloseTo(0.25, 1);
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

describe("the devices of a play", () => {
  const access = { addresses: ["http://127.0.0.1:9"], secret: "s".repeat(32), audience: "x" };
  const devicesOf = (socketsMax: number): Devices =>
    new Devices({
      access: { ...access, tally: new Tally(), random: () => 0 },
      audience: { attends: (nick) => nick !== "cem", hangsUp: (nick) => nick === "ann" },
      socketsMax,
    });

  it("come back as the same device when they were closed for others", () => {
    const devices = devicesOf(2);
    const ann = devices.get("ann").client;
    const bob = devices.get("bob").client;
    expect(devices.get("ann").client).toBe(ann);
    const cem = devices.get("cem").client;
    expect([ann.state.name, bob.state.name]).toEqual(["connecting", "stopped"]);
    expect(devices.get("bob").client).not.toBe(bob);
    expect(devices.get("bob").client.device).toBe(bob.device);
    expect(devices.size).toBe(3);
    expect(cem.device).not.toBe(bob.device);
    devices.close();
  });

  it("[OP45] attend as they were chosen, until they are closed or hang up", () => {
    const devices = devicesOf(3);
    const attending = (): boolean[] =>
      ["ann", "bob", "cem", "dan"].map((nick) => devices.attends(nick));
    for (const nick of ["ann", "bob", "cem"]) devices.get(nick);
    expect(attending()).toEqual([true, true, false, false]);
    devices.hangUp();
    expect(attending()).toEqual([false, true, false, false]);
    expect([devices.attending, devices.hungUp]).toEqual([2, 1]);
    for (const nick of ["dan", "eve"]) devices.get(nick);
    expect(attending()).toEqual([false, false, false, true]);
    // It knows no more in which rooms it was.
    devices.get("bob");
    expect(devices.attends("bob")).toBe(false);
    devices.close();
  });
});
