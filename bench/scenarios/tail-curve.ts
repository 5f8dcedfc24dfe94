/**
 * What a wake-up costs by the number of rooms that are followed, for both ways
 * to learn of entries: a blocking XREAD over the conversations of all rooms, and
 * one over the bells of the partitions. Redis enters a blocked reader into a list
 * of every key and takes it out again, at each wake-up.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { usageOf } from "../engine/process-usage.ts";
import { redisUsage } from "../engine/redis-usage.ts";
import { PARTITIONS, Stack } from "../engine/stack.ts";
import type { FromReader, ReaderReport, TailMode, ToReader } from "../load/tail-plan.ts";
import { TailWriter } from "../load/tail-writer.ts";
import { Keys } from "../../src/streams/keys.ts";
import { percent, type Bench, type Scenario } from "./scenario.ts";

const ROOMS = [10, 100, 1_000, 10_000, 50_000] as const;
const QUICK_ROOMS = [10, 200] as const;
/** Few enough that each message is a wake-up of its own. */
const MESSAGES_PER_SEC = 20;
const SECONDS = { full: { warmUp: 4, measure: 10 }, quick: { warmUp: 0.5, measure: 1 } } as const;
/** The next larger number of rooms is not measured when Redis is busier than that with this one. */
const ABSURD_REDIS_SHARE = 0.3;

type Mode = TailMode | "nobody";
interface Case {
  readonly rooms: number;
  readonly mode: Mode;
  readonly messages: number;
  readonly redisUsPerMessage: number;
  /** Without what Redis used for the same messages with nobody following. */
  readonly redisUsPerMessageForTailing: number;
  /** Of one core. */
  readonly redisShare: number;
  /** Of the process that follows. */
  readonly readerUsPerMessage: number;
  readonly xreadsPerMessage: number;
  /** By Redis's own account, which leaves out the waking. */
  readonly xreadUs: number;
  readonly lost: number;
  readonly report: ReaderReport | null;
}
type Measured = Omit<Case, "redisUsPerMessageForTailing">;
interface Skipped {
  readonly rooms: number;
  readonly mode: Mode;
  readonly why: string;
}

export const tailCurve: Scenario = {
  name: "tail-curve",
  about: `XREAD by rooms followed, conversations against bells, ${MESSAGES_PER_SEC} msg/s`,
  points: "rooms",
  async run(bench) {
    const cases: Case[] = [];
    const skipped: Skipped[] = [];
    let absurd: Case | null = null;
    for (const rooms of bench.points ?? (bench.quick ? QUICK_ROOMS : ROOMS)) {
      const bare = await measure(bench, rooms, "nobody");
      for (const mode of ["direct", "bell"] as const) {
        if (mode === "direct" && absurd !== null) {
          const share = Math.round(absurd.redisShare * 100);
          const why = `not measured: with ${absurd.rooms} Redis is busy for ${share} % of a core`;
          skipped.push({ rooms, mode, why });
          continue;
        }
        const found = await measure(bench, rooms, mode);
        const extra = found.redisUsPerMessage - bare.redisUsPerMessage;
        const one: Case = { ...found, redisUsPerMessageForTailing: Math.round(extra) };
        cases.push(one);
        if (mode === "direct" && one.redisShare > ABSURD_REDIS_SHARE) absurd = one;
      }
    }
    const rows = [...cases, ...skipped].toSorted((a, b) => a.mode.localeCompare(b.mode));
    const table = [HEAD, ...rows.map((each) => ("why" in each ? skippedRow(each) : row(each)))];
    const faults = cases
      .filter(({ lost, report }) => lost + (report?.doubled ?? 0) + (report?.reordered ?? 0) > 0)
      .map((found) => `${found.mode} with ${found.rooms} rooms: ${complete(found)}`);
    return { cases: [...cases, ...skipped], table, faults };
  },
};

async function measure(bench: Bench, rooms: number, mode: Mode): Promise<Measured> {
  const say = (text: string): void => bench.say(`${mode} with ${rooms} rooms: ${text}`);
  const stack = await Stack.start({ edges: 0, projectors: 0, say });
  try {
    const keys = new Keys(PARTITIONS);
    const writer = new TailWriter(stack.redis, keys, rooms);
    say("making the rooms");
    await writer.open();
    const reader = mode === "nobody" ? null : await startReader(stack.redisUrl, rooms, mode);
    await bench.untilQuiet();
    try {
      const figures = await watch(bench, stack, writer, reader, say);
      const report = reader && (await reader.finish(writer.written));
      const lost = report === null ? 0 : writer.written - report.delivered;
      return { rooms, mode, ...figures, lost, report };
    } finally {
      await reader?.stop();
    }
  } finally {
    await stack.stop();
  }
}

async function watch(
  bench: Bench,
  stack: Stack,
  writer: TailWriter,
  reader: Reader | null,
  say: (text: string) => void,
): Promise<Omit<Measured, "rooms" | "mode" | "lost" | "report">> {
  const redisPid = stack.watched[0]?.pid as number;
  const look = async () => ({
    atUs: performance.now() * 1_000,
    redis: usageOf(redisPid).cpuUs,
    reader: reader === null ? 0 : usageOf(reader.pid).cpuUs,
    xread: (await redisUsage(stack.redis)).commands.get("xread") ?? { calls: 0, us: 0 },
    written: writer.written,
  });
  const { warmUp, measure: seconds } = SECONDS[bench.quick ? "quick" : "full"];
  await writeFor(writer, warmUp, say);
  const before = await look();
  await writeFor(writer, seconds, say);
  const after = await look();
  const messages = after.written - before.written;
  const calls = after.xread.calls - before.xread.calls;
  const us = after.xread.us - before.xread.us;
  return {
    messages,
    redisUsPerMessage: Math.round((after.redis - before.redis) / messages),
    redisShare: rounded((after.redis - before.redis) / (after.atUs - before.atUs)),
    readerUsPerMessage: Math.round((after.reader - before.reader) / messages),
    xreadsPerMessage: rounded(calls / messages),
    xreadUs: calls === 0 ? 0 : Math.round(us / calls),
  };
}

/** By the clock: a Redis that is slow to answer gets the next message all the same. */
async function writeFor(
  writer: TailWriter,
  seconds: number,
  say: (text: string) => void,
): Promise<void> {
  const startMs = performance.now();
  const count = seconds * MESSAGES_PER_SEC;
  const writes: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const dueMs = startMs + (i * 1_000) / MESSAGES_PER_SEC;
    await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
    writes.push(writer.write());
    say(`written ${writer.written}`);
  }
  await Promise.all(writes);
}

interface Reader {
  readonly pid: number;
  finish(written: number): Promise<ReaderReport>;
  stop(): Promise<void>;
}

async function startReader(redisUrl: string, rooms: number, mode: TailMode): Promise<Reader> {
  const child = fork(fileURLToPath(new URL("../load/tail-reader.js", import.meta.url)));
  const gone = once(child, "exit");
  const tell = (message: ToReader): void => void child.send(message);
  const heard = async (type: FromReader["type"]): Promise<FromReader> => {
    const ended = gone.then(([code]) => {
      throw new Error(`the tail reader ended with ${code}`);
    });
    const [message] = (await Promise.race([once(child, "message"), ended])) as [FromReader];
    if (message.type !== type) throw new Error(`the tail reader said ${message.type}`);
    return message;
  };
  tell({ type: "follow", plan: { redisUrl, partitions: PARTITIONS, rooms, mode } });
  await heard("following");
  return {
    pid: child.pid as number,
    async finish(written) {
      tell({ type: "finish", written });
      const message = await heard("report");
      return (message as FromReader & { type: "report" }).report;
    },
    async stop() {
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function complete({ lost, report }: Case): string {
  return `lost ${lost} doubled ${report?.doubled ?? 0} reordered ${report?.reordered ?? 0}`;
}

const HEAD = [
  "tailer",
  "rooms",
  "Redis CPU µs a message",
  "of it for tailing",
  "XREADs a message",
  "µs an XREAD",
  "Redis busy",
  "reader CPU µs a message",
  "p50 ms",
  "p99 ms",
  "complete",
];

function row(found: Case): string[] {
  const { latencyMs } = found.report as ReaderReport;
  return [
    found.mode,
    String(found.rooms),
    String(found.redisUsPerMessage),
    String(found.redisUsPerMessageForTailing),
    found.xreadsPerMessage.toFixed(1),
    String(found.xreadUs),
    percent(found.redisShare),
    String(found.readerUsPerMessage),
    latencyMs.p50.toFixed(1),
    latencyMs.p99.toFixed(1),
    complete(found),
  ];
}

function skippedRow({ rooms, mode, why }: Skipped): string[] {
  return [mode, String(rooms), why, ...HEAD.slice(3).map(() => "–")];
}
