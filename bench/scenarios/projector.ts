/** How fast one projector folds a log that is full when it starts. */
import { usageOf, type Watched } from "../engine/process-usage.ts";
import { PARTITIONS, Stack } from "../engine/stack.ts";
import { fillLog } from "../load/log-filler.ts";
import { appliedCommands, checkStoredRooms } from "../load/stored-rooms.ts";
import type { Redis } from "../../src/redis/connect.ts";
import { Keys } from "../../src/streams/keys.ts";
import type { Bench, Scenario } from "./scenario.ts";

const CASES = [
  { perEntry: 1, commands: 300_000 },
  { perEntry: 20, commands: 600_000 },
] as const;
const QUICK_COMMANDS = 4_000;
const ROOMS = 200;
const TEXT = ".".repeat(64);
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
    const entriesPerRoom = Math.ceil(commands / ROOMS / perEntry) * perEntry;
    const filled = await fillLog(redis, keys, {
      rooms: ROOMS,
      membersPerRoom: 1,
      users: ROOMS,
      commandsPerRoom: entriesPerRoom,
      commandsPerEntry: perEntry,
      text: TEXT,
    });
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
    const stored = await checkStoredRooms(redis, keys, { rooms: ROOMS, entriesPerRoom });
    const { lost, doubled, reordered } = stored;
    return {
      perEntry,
      commands: filled,
      commandsPerSec: Math.round(1_000 / ((to.atMs - from.atMs) * share)),
      commandsPerCpuSec: Math.round(1e6 / projectorUs),
      projectorUsPerCommand: round(projectorUs),
      redisUsPerCommand: round((to.redisUs - from.redisUs) * share),
      lost,
      doubled,
      reordered,
    };
  } finally {
    await stack.stop();
  }
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
  let from: Mark | null = null;
  for (;;) {
    const applied = await appliedCommands(redis, keys);
    bench.say(`applied ${applied} of ${total}`);
    if (applied >= total * SKIPPED_SHARE) from ??= look(applied);
    if (applied >= total) return { from: from as Mark, to: look(applied) };
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
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
