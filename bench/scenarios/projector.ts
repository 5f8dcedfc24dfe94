/** How fast one projector folds a log that is full when it starts. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { usageOf, type Watched } from "../engine/process-usage.ts";
import { PARTITIONS, Stack } from "../engine/stack.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import type { CommandNumber, DeviceId, RoomId, UserId } from "../../src/protocol/ids.ts";
import { pipeline, type Redis } from "../../src/redis/connect.ts";
import { asTextOrNull, readEntries } from "../../src/redis/replies.ts";
import { runScripts, Script, type ScriptCall } from "../../src/redis/script.ts";
import { packCommands, type LoggedCommand } from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";
import { readConversationEntry } from "../../src/streams/conversation.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import type { Bench, Scenario } from "./scenario.ts";

const CASES = [
  { perEntry: 1, commands: 300_000 },
  { perEntry: 20, commands: 600_000 },
] as const;
const QUICK_COMMANDS = 4_000;
const ROOMS = 200;
const TEXT = ".".repeat(64);
const BACKLOG_MAX = 100_000_000;
const APPENDS_AT_ONCE = 200;
const POLL_MS = 20;
/** The first tenth is in no figure: the worker still takes its leases and compiles. */
const SKIPPED_SHARE = 0.1;

interface Case {
  readonly perEntry: number;
  readonly commands: number;
  readonly commandsPerSec: number;
  /** By the projector's own CPU time. */
  readonly commandsPerCpuSec: number;
  readonly projectorUsPerCommand: number;
  readonly redisUsPerCommand: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
}

export const projector: Scenario = {
  name: "projector",
  about: "one projector, 16 partitions, 200 rooms, a log that is full before it starts",
  async run(bench) {
    const cases: Case[] = [];
    for (const { perEntry, commands } of CASES) {
      cases.push(await fold(bench, perEntry, bench.quick ? QUICK_COMMANDS : commands));
    }
    const faults = cases
      .filter(({ lost, doubled, reordered }) => lost + doubled + reordered > 0)
      .map(({ perEntry, ...rest }) => `${perEntry} an entry: ${complete(rest)}`);
    return { cases, table: [HEAD, ...cases.map(row)], faults };
  },
};

async function fold(bench: Bench, perEntry: number, commands: number): Promise<Case> {
  const stack = await Stack.start({ edges: 0, projectors: 0, say: bench.say });
  const { redis } = stack;
  const keys = new Keys(PARTITIONS);
  try {
    bench.say(`filling the log, ${perEntry} an entry`);
    const filled = await fill(redis, keys, perEntry, commands);
    await bench.untilQuiet();
    await stack.addProjector();
    const [redisProcess, worker] = stack.watched as [Watched, Watched];
    const look = (applied: number): Mark => ({
      applied,
      atMs: performance.now(),
      projectorUs: usageOf(worker.pid).cpuUs,
      redisUs: usageOf(redisProcess.pid).cpuUs,
    });
    const { from, to } = await follow(bench, { redis, keys, total: filled, look });
    const share = 1 / Math.max(1, to.applied - from.applied);
    const projectorUs = (to.projectorUs - from.projectorUs) * share;
    bench.say("checking every entry");
    return {
      perEntry,
      commands: filled,
      commandsPerSec: Math.round(1_000 / ((to.atMs - from.atMs) * share)),
      commandsPerCpuSec: Math.round(1e6 / projectorUs),
      projectorUsPerCommand: round(projectorUs),
      redisUsPerCommand: round((to.redisUs - from.redisUs) * share),
      ...(await check(redis, keys, filled / ROOMS)),
    };
  } finally {
    await stack.stop();
  }
}

/** As many commands for each room: its creator makes it and then speaks. Returns how many in all. */
async function fill(redis: Redis, keys: Keys, perEntry: number, commands: number): Promise<number> {
  const append = new Script<unknown>({
    file: pathToFileURL(resolve("src/ingest/append.lua")),
    keys: ["events", "log", "checkpoint"],
    args: ["commands", "backlogMax", "batch"],
    decode: (reply) => reply,
  });
  const perRoom = Math.ceil(commands / ROOMS / perEntry) * perEntry;
  let batch: ScriptCall<unknown>[] = [];
  const leave = async (): Promise<void> => {
    const refused = (await runScripts(redis, batch)).find((reply) => reply instanceof Error);
    if (refused) throw refused as Error;
    batch = [];
  };
  for (let at = 0; at < perRoom; at += perEntry) {
    for (let r = 0; r < ROOMS; r++) {
      const room = `r${r}` as RoomId;
      const entry = Array.from({ length: perEntry }, (_, i) => commandOf(room, at + i + 1));
      const body = packCommands("bench", entry);
      const partition = keys.partitionOf(room);
      batch.push(append.call(keysOf(keys, partition), [perEntry, BACKLOG_MAX, body]));
      if (batch.length >= APPENDS_AT_ONCE) await leave();
    }
  }
  await leave();
  return perRoom * ROOMS;
}

function keysOf(keys: Keys, partition: PartitionId): string[] {
  return [keys.events(partition), keys.log(partition), keys.checkpoint(partition)];
}

function commandOf(room: RoomId, number: number): LoggedCommand {
  const user = `user-of-${room}` as UserId;
  const k = number as CommandNumber;
  const command: LoggedCommand["command"] =
    number === 1
      ? { type: "create", k, room, kind: "public", name: room, members: [user] }
      : { type: "send", k, room, text: TEXT };
  return { session: 1, user, device: "bench" as DeviceId, command };
}

/** How far the worker was at some moment, and what it had cost by then. */
interface Mark {
  readonly applied: number;
  readonly atMs: number;
  readonly projectorUs: number;
  readonly redisUs: number;
}

async function follow(
  bench: Bench,
  run: { redis: Redis; keys: Keys; total: number; look: (applied: number) => Mark },
): Promise<{ from: Mark; to: Mark }> {
  const { redis, keys, total, look } = run;
  const reads = [...keys.all()].map((partition) => [
    "HGET",
    keys.checkpoint(partition),
    "commands",
  ]);
  let from: Mark | null = null;
  for (;;) {
    const counts = (await pipeline(redis, reads)).map((reply) => Number(asTextOrNull(reply) ?? 0));
    const applied = counts.reduce((sum, count) => sum + count, 0);
    bench.say(`applied ${applied} of ${total}`);
    if (applied >= total * SKIPPED_SHARE) from ??= look(applied);
    if (applied >= total) return { from: from as Mark, to: look(applied) };
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** Every entry of every room: seq from 1 without a hole, and the commands in their order. */
async function check(
  redis: Redis,
  keys: Keys,
  perRoom: number,
): Promise<Pick<Case, "lost" | "doubled" | "reordered">> {
  let [lost, doubled, reordered] = [0, 0, 0];
  for (let r = 0; r < ROOMS; r++) {
    const room = `r${r}` as RoomId;
    const key = keys.conversation(keys.partitionOf(room), room);
    const entries = readEntries(await redis.callBuffer("XRANGE", key, "-", "+"));
    const seen = new Set<number>();
    entries.forEach(({ id, fields }, i) => {
      const { seq, k } = decodeEntry(readConversationEntry(id, fields).payload);
      if (seen.has(k)) doubled++;
      else if (seq !== i + 1 || k !== i + 1) reordered++;
      seen.add(k);
    });
    lost += perRoom - seen.size;
  }
  return { lost, doubled, reordered };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const HEAD = [
  "commands an entry",
  "commands",
  "commands/s",
  "commands/s of its CPU",
  "projector µs",
  "Redis µs",
  "complete",
];

function row(found: Case): string[] {
  return [
    String(found.perEntry),
    String(found.commands),
    String(found.commandsPerSec),
    String(found.commandsPerCpuSec),
    String(found.projectorUsPerCommand),
    String(found.redisUsPerCommand),
    complete(found),
  ];
}

function complete({
  lost,
  doubled,
  reordered,
}: Pick<Case, "lost" | "doubled" | "reordered">): string {
  return `lost ${lost} doubled ${doubled} reordered ${reordered}`;
}
