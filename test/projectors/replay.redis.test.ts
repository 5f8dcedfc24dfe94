/** The log alone is enough: folded again elsewhere it gives the very same bytes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startProjector } from "../../src/projectors/worker.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { asText, readEntries, readHash } from "../../src/redis/replies.ts";
import { pipeline } from "../../src/redis/connect.ts";
import { packCommands, type FactOf, type LoggedCommand } from "../../src/streams/command-log.ts";
import { readConversationEntry } from "../../src/streams/conversation.ts";
import { Keys } from "../../src/streams/keys.ts";
import { Chance } from "./chance.ts";
import { Hand } from "./commands.ts";
import { Scene, SILENT } from "./scene.ts";
import { pause } from "./talkers.ts";
import { Verification } from "./verify.ts";

const PARTITIONS = 4;
const ROOMS = ["red", "green", "blue", "grey", "pink"] as const;
const USERS = ["ann", "ben", "zoë :{}"] as const;
const HISTORY = 100_000;
const SHORT_HISTORY = 100;

let scene: Scene;
beforeAll(async () => (scene = await Scene.start()));
afterAll(async () => scene.stop());

/** Commands by chance, with copies among them, by room. */
function script(chance: Chance, size: number): [room: string, command: LoggedCommand][] {
  const hands = USERS.map((user, i) => new Hand(user, `dev-${i}`));
  const made: [string, LoggedCommand][] = [];
  while (made.length < size) {
    if (made.length > 0 && chance.often(0.15)) {
      made.push(chance.pick(made.slice(-20)));
      continue;
    }
    const [hand, room] = [chance.pick(hands), chance.pick(ROOMS)];
    const bodies = [
      () => hand.creates(room),
      () => hand.does({ type: "join" }, room),
      () => hand.does({ type: "leave" }, room),
      () => hand.does({ type: "invite", user: chance.pick(hands).user }, room),
      () => hand.does({ type: "rename", name: chance.pick(["A", "B"]) }, room),
      () => hand.does({ type: "setReceipts", on: chance.often(0.5) }, room),
    ];
    const body = chance.often(0.4)
      ? chance.pick(bodies)
      : () => hand.says(`é ${made.length}`, room);
    made.push([room, body()]);
  }
  return made;
}

/** Appends in entries of random size, as edges under load do. */
async function write(
  keys: Keys,
  commands: readonly [string, LoggedCommand][],
  chance: Chance,
): Promise<void> {
  const batches = new Map<string, LoggedCommand[]>();
  for (const [room, command] of commands) {
    const key = keys.events(keys.partitionOf(room as RoomId));
    const batch = batches.get(key) ?? [];
    batch.push(command);
    batches.set(key, batch);
    if (chance.often(0.7)) continue;
    await scene.redis.xadd(key, "*", "b", packCommands("e", batch) as Buffer);
    batches.delete(key);
  }
  for (const [key, batch] of batches) {
    await scene.redis.xadd(key, "*", "b", packCommands("e", batch) as Buffer);
  }
}

/** A reader's position, or something done to a message of those that are `known`. */
function change(
  chance: Chance,
  hands: readonly Hand[],
  known: readonly Cursor[],
  room: string,
): LoggedCommand | FactOf<"reading"> {
  const [hand, message] = [chance.pick(hands), chance.pick(known)];
  const reaction = chance.pick(["+1", "-1"]);
  const mentions = [chance.pick(hands).user];
  const acts: (() => LoggedCommand | FactOf<"reading">)[] = [
    () => hand.does({ type: "send", text: "x", mentions }, room),
    () => hand.does({ type: "send", text: "x", replyTo: message }, room),
    () => hand.does({ type: "edit", message, text: chance.pick(["a", "b"]), mentions }, room),
    () => hand.does({ type: "delete", message }, room),
    () => hand.does({ type: "react", message, reaction }, room),
    () => hand.does({ type: "unreact", message, reaction }, room),
    () => hand.does({ type: "pin", message }, room),
    () => hand.does({ type: "unpin", message }, room),
    () => hand.does({ type: "markUnread", message }, room),
    () => hand.does({ type: chance.often(0.2) && hand !== hands[0] ? "leave" : "join" }, room),
    () => ({
      type: "reading",
      room: room as RoomId,
      marks: [{ user: hand.user, through: message }],
    }),
    () => ({
      type: "reading",
      room: room as RoomId,
      marks: [{ user: hand.user, through: known[0] ?? message, private: true }],
    }),
    () => hand.does({ type: "setReceipts", on: chance.often(0.5) }, room),
  ];
  return chance.often(0.5) ? hand.says("and so on", room) : chance.pick(acts)();
}

/** Somebody has read further than others may see, in each of these rooms. */
async function endPrivately(
  keys: Keys,
  [first, second]: readonly Hand[],
  rooms: readonly string[],
): Promise<void> {
  if (!first || !second) throw new Error("two are needed");
  for (const name of rooms) {
    const [room, key] = [name as RoomId, keys.events(keys.partitionOf(name as RoomId))];
    const talk = [second.does({ type: "join" }, name), first.says("one more", name)];
    await scene.redis.xadd(key, "*", "b", packCommands("e", talk) as Buffer);
    await fold("", keys, SHORT_HISTORY);
    const [through] = (await newest(keys, name, 1)) as [Cursor];
    const marks = [{ user: second.user, through, private: true }];
    const fact = { type: "reading", room, marks } as const;
    await scene.redis.xadd(key, "*", "b", packCommands("e", [], [fact]) as Buffer);
  }
  await fold("", keys, SHORT_HISTORY);
}

/** The newest entries of a room, by their cursors. */
async function newest(keys: Keys, room: string, count: number): Promise<Cursor[]> {
  const key = keys.conversation(keys.partitionOf(room as RoomId), room as RoomId);
  const [reply] = await pipeline(scene.redis, [["XREVRANGE", key, "+", "-", "COUNT", count]]);
  return readEntries(reply).map(({ id, fields }) => {
    return decodeEntry(readConversationEntry(id, fields).payload).cursor;
  });
}

async function fold(namespace: string, keys: Keys, history = HISTORY): Promise<void> {
  const projector = await startProjector({
    redisUrl: scene.server.url,
    partitions: PARTITIONS,
    ack: "memory",
    historyPerRoom: history,
    leaseTtlMs: 2_000,
    leaseRenewMs: 500,
    log: SILENT,
    namespace,
  });
  await settled(keys);
  await projector.stop();
}

async function settled(keys: Keys): Promise<void> {
  for (const partition of keys.all()) {
    const tail = async (): Promise<boolean> => {
      const [last] = await scene.redis.xrevrange(keys.events(partition), "+", "-", "COUNT", 1);
      const at = await scene.redis.hget(keys.checkpoint(partition), "id");
      return last === undefined || at === last[0];
    };
    while (!(await tail())) await pause(5);
    while ((await scene.redis.xlen(keys.outbox(partition))) > 0) await pause(5);
  }
}

/** The log of one namespace, as that of another. */
async function copyLog(from: Keys, to: Keys): Promise<void> {
  for (const partition of from.all()) {
    const log = await scene.redis.xrangeBuffer(from.events(partition), "-", "+");
    for (const [id, fields] of log) {
      await scene.redis.xadd(to.events(partition), id, "b", fields[1] as Buffer);
    }
  }
}

/** All projections of a namespace, by key without it, as text that shows every byte. */
async function projections(namespace: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const key of await scene.redis.keys(`${namespace}{*`)) {
    const plain = key.slice(namespace.length);
    const kind = plain.slice(plain.indexOf(":") + 1).split(":")[0] as string;
    if (NO_PROJECTIONS.has(kind)) continue;
    const read = READERS[kind];
    if (!read) throw new Error(`nobody compares ${plain}`);
    const [reply] = await pipeline(scene.redis, [read(key)]);
    found.set(plain, describeReply(kind, reply));
  }
  return found;
}
/** The log and who folds it, and what is told on the way. */
const NO_PROJECTIONS = new Set(["events", "log", "lease", "ck", "bell", "out", "dead"]);
const READERS: Readonly<Record<string, (key: string) => (string | number)[]>> = {
  conv: (key) => ["XRANGE", key, "-", "+"],
  room: (key) => ["HGETALL", key],
  members: (key) => ["HGETALL", key],
  list: (key) => ["HGETALL", key],
  "list-left": (key) => ["HGETALL", key],
  folded: (key) => ["HGETALL", key],
  gone: (key) => ["ZRANGE", key, 0, -1],
  device: (key) => ["GET", key],
};
function describeReply(kind: string, reply: unknown): string {
  if (kind === "device") return (reply as Buffer).toString("hex");
  if (kind === "conv") {
    return readEntries(reply)
      .map(({ id, fields }) => `${id} ${fields.map((field) => field.toString("hex")).join(" ")}`)
      .join("\n");
  }
  if (kind === "gone") return asText((reply as Buffer[]).join(" "));
  const pairs = [...readHash(reply)].map((pair) => pair.join("=")).sort((a, b) => (a < b ? -1 : 1));
  return asText(pairs.join("\n"));
}

describe("replay", () => {
  it.each([3, 5])(
    "[PR9] into an empty namespace gives byte-equal projections, seed %i",
    async (seed) => {
      await scene.redis.flushall();
      const chance = new Chance(seed);
      const live = new Keys(PARTITIONS);
      const commands = script(chance, 1_500);
      // Live: the log grows while it is folded, so batches are small and many.
      const half = commands.length / 2;
      await write(live, commands.slice(0, half), chance);
      await Promise.all([fold("", live), write(live, commands.slice(half), chance)]);
      await fold("", live);

      const namespace = "rebuild:";
      const copy = new Keys(PARTITIONS, namespace);
      await copyLog(live, copy);
      await fold(namespace, copy);

      const [before, after] = [await projections(""), await projections(namespace)];
      expect(before.size).toBeGreaterThan(ROOMS.length * 2);
      expect(after).toEqual(before);
      expect(await new Verification(scene.redis, copy).run(new Set())).toEqual([]);
    },
  );

  it.each([1, 2, 3])(
    "[PR9] [UN1] [UN9] so do positions, calls and changes of messages, also where history is trimmed, seed %i",
    async (seed) => {
      await scene.redis.flushall();
      const chance = new Chance(seed);
      const [live, copy] = [new Keys(PARTITIONS), new Keys(PARTITIONS, "rebuild:")];
      const hands = USERS.map((user, i) => new Hand(user, `dev-${i}`));
      const [first] = hands as [Hand];
      const rooms = ROOMS.slice(0, 2);
      const found = rooms.map((room) => [room, first.creates(room)] as [string, LoggedCommand]);
      await write(live, found, chance);
      await fold("", live, SHORT_HISTORY);
      // Owners that begin with nothing in memory, as often as one goes and another comes.
      for (let round = 0; round < 6; round++) {
        for (const room of rooms) {
          const known = await newest(live, room, 2 * SHORT_HISTORY);
          const steps = Array.from({ length: 120 }, () => change(chance, hands, known, room));
          const key = live.events(live.partitionOf(room as RoomId));
          while (steps.length > 0) {
            const some = steps.splice(0, chance.between(1, 9));
            const commands = some.filter((step) => "command" in step);
            const facts = some.filter((step) => "marks" in step);
            await scene.redis.xadd(key, "*", "b", packCommands("e", commands, facts) as Buffer);
          }
        }
        await fold("", live, SHORT_HISTORY);
      }
      await endPrivately(live, hands, rooms);
      await copyLog(live, copy);
      await fold("rebuild:", copy, SHORT_HISTORY);

      const before = await projections("");
      expect([...before.keys()].some((key) => key.includes("folded"))).toBe(true);
      const fields = [...before.values()].join("\n");
      const marks = [/^r:.+=\d+:\d+$/m, /^r:.+=\d+:\d+:\d*:\d+$/m];
      for (const field of [...marks, /^c:.*=\[/m, /^pins=/m, /^receipts=/m])
        expect(fields).toMatch(field);
      expect(await projections("rebuild:")).toEqual(before);
    },
    60_000,
  );
});
