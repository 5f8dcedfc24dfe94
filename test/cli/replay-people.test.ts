/** The people of a replay: who attends, what is recounted, and how it is compared. */
import { describe, expect, it } from "vitest";

import { Audience, SHARE_MAX, SHOWN_MAX } from "../../src/cli/replay/audience.ts";
import {
  countDifferences,
  listDifferences,
  presenceDifferences,
  readersDifferences,
  setDifferences,
} from "../../src/cli/replay/compare-people.ts";
import { Devices } from "../../src/cli/replay/devices.ts";
import { parseLog } from "../../src/cli/replay/log-file.ts";
import { planOf, type Cast, type Plan } from "../../src/cli/replay/plan.ts";
import {
  mayBeLarge,
  recountPresence,
  recountReaders,
  recountReceipts,
  recountUnread,
} from "../../src/cli/replay/recount.ts";
import { Tally } from "../../src/cli/replay/tally.ts";
import { LIMITS } from "../../src/protocol/limits.ts";

const CAST: Cast = { owner: "owner", readers: [] };
const plan = (rows: readonly string[], cast = CAST, random = (): number => 1): Plan =>
  planOf({ name: "log", lines: parseLog("log", rows.join("\n")).lines }, cast, random);

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

  it("[OP44] counts who has read how far, from the furthest, for as many places as are told", () => {
    const marks = [9, 3, 9, 7].map((seq, i): [string, number] => [`n${i}`, seq]);
    expect([...recountReaders(new Map(marks))]).toEqual([
      [9, 2],
      [7, 3],
      [3, 4],
    ]);
    const many = new Map(Array.from({ length: 600 }, (_, i) => [`n${i}`, i]));
    const furthest = [...recountReaders(many)];
    expect(furthest).toHaveLength(LIMITS.readersSteps);
    expect([furthest[0], furthest.at(-1)]).toEqual([
      [599, 1],
      [600 - LIMITS.readersSteps, LIMITS.readersSteps],
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
    expect(mayBeLarge(plan(rows(LIMITS.largeRoom - 1)))).toBe(false);
    expect(mayBeLarge(plan(rows(LIMITS.largeRoom)))).toBe(true);
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

  it("[OP44] finds another count of those who have read", () => {
    const right = new Map([
      [9, 2],
      [7, 520],
    ]);
    const found = (told: Record<number, number>): string[] =>
      readersDifferences(right, (seq) => told[seq] ?? 0);
    expect(found({ 9: 1, 7: 519 })).toEqual([]);
    expect(found({ 9: 1, 7: 518 })).toEqual(["519 have read up to 7 and not 520"]);
    expect(found({})).toHaveLength(2);
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
