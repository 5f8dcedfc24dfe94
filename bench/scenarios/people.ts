/**
 * What people cost beside their messages: who is there, who has read what. All of it
 * on two edges and one projector, each part after a baseline of the same crowd.
 */
import { cpus } from "node:os";

import { machineBusyUs, usageOf } from "../engine/process-usage.ts";
import { commandsPerMessage, redisUsage } from "../engine/redis-usage.ts";
import { Stack } from "../engine/stack.ts";
import { byTheClock, Crowd, pause, type CrowdSize, type Door } from "../load/crowd.ts";
import type { Attendee } from "../load/attendee.ts";
import type { Target } from "../load/plan.ts";
import { percent, type Bench, type Scenario } from "./scenario.ts";

/** From an unsubscribe until others see it, and then some: src/edge has a grace of 5 s. */
const AWAY_MS = 6_000;
/** What is under way comes to rest, and V8 has compiled what it will. */
const SETTLE_MS = 3_000;
const STORM_MS_MAX = 60_000;
/** One socket in so many drops. */
const DROPPED = 3;
const COMMANDS_SHOWN = 6;
/** How often somebody who reads along says so. */
const READS_PER_SEC = 2;

interface Sizes {
  readonly crowd: CrowdSize;
  readonly storm: CrowdSize;
  readonly talkers: CrowdSize;
  readonly baselineSec: number;
  readonly partSec: number;
  readonly leavesPerSec: number;
  readonly messagesPerSec: number;
  /** In the rooms of `crowd`. */
  readonly crowdMessagesPerSec: number;
}
const FULL: Sizes = {
  crowd: { rooms: 20, membersPerRoom: 50 },
  storm: { rooms: 100, membersPerRoom: 50 },
  talkers: { rooms: 100, membersPerRoom: 4 },
  baselineSec: 8,
  partSec: 12,
  leavesPerSec: 50,
  messagesPerSec: 1_000,
  crowdMessagesPerSec: 100,
};
const QUICK: Sizes = {
  crowd: { rooms: 2, membersPerRoom: 5 },
  storm: { rooms: 2, membersPerRoom: 10 },
  talkers: { rooms: 5, membersPerRoom: 4 },
  baselineSec: 1,
  partSec: 1,
  leavesPerSec: 5,
  messagesPerSec: 50,
  crowdMessagesPerSec: 20,
};

/** Which parts `--points` chooses. */
const PARTS = [crowdPart, stormPart, talkPart] as const;

export const people: Scenario = {
  name: "people",
  about: "what presence and receipts cost, and 5,000 sockets that come to rooms of 50 at once",
  points: "1 transitions and receipts, 2 the storm, 3 messages with and without",
  async run(bench) {
    const sizes = bench.quick ? QUICK : FULL;
    const chosen = PARTS.filter((_, i) => bench.points === null || bench.points.includes(i + 1));
    const found: Part[] = [];
    for (const part of chosen) found.push(await part(bench, sizes));
    return {
      cases: found.map(({ measured }) => measured),
      table: [["", ""], ...found.flatMap(({ rows }) => rows)],
      faults: found.flatMap(({ faults }) => faults),
    };
  },
};

interface Part {
  readonly rows: readonly (readonly string[])[];
  readonly measured: object;
  readonly faults: readonly string[];
}

/** CPU time of each process under test, and of others on the machine, over some time. */
interface Spent {
  readonly seconds: number;
  readonly cpuUs: Readonly<Record<string, number>>;
  readonly totalUs: number;
  readonly othersShare: number;
}

async function spent(stack: Stack, act: () => Promise<unknown>): Promise<Spent> {
  const { watched } = stack;
  const look = () => ({
    atMs: performance.now(),
    busyUs: machineBusyUs(),
    own: process.cpuUsage(),
    cpuUs: watched.map(({ pid }) => usageOf(pid).cpuUs),
  });
  const before = look();
  await act();
  const after = look();
  const cpuUs = Object.fromEntries(
    watched.map(({ name }, i) => [name, (after.cpuUs[i] ?? 0) - (before.cpuUs[i] ?? 0)]),
  );
  const totalUs = Object.values(cpuUs).reduce((a, b) => a + b, 0);
  const elapsedUs = (after.atMs - before.atMs) * 1_000;
  const own = after.own.user + after.own.system - before.own.user - before.own.system;
  const othersUs = Math.max(0, after.busyUs - before.busyUs - totalUs - own);
  const othersShare = othersUs / (elapsedUs * cpus().length);
  return { seconds: elapsedUs / 1e6, cpuUs, totalUs, othersShare };
}

/** CPU µs for each of `count`, all processes and each, above a baseline of the same crowd. */
function each(count: number, part: Spent, baseline: Spent | null): string {
  const above = (name: string): number => {
    const idle = baseline ? ((baseline.cpuUs[name] ?? 0) / baseline.seconds) * part.seconds : 0;
    return ((part.cpuUs[name] ?? 0) - idle) / count;
  };
  const names = Object.keys(part.cpuUs);
  const total = names.reduce((sum, name) => sum + above(name), 0);
  const shares = names.map((name) => `${name} ${above(name).toFixed(0)}`).join(", ");
  return `**${total.toFixed(0)}** (${shares}; others ${percent(part.othersShare)})`;
}

async function withStack(bench: Bench, run: (stack: Stack) => Promise<Part>): Promise<Part> {
  await bench.untilQuiet();
  const stack = await Stack.start({ edges: 2, projectors: 1, say: bench.say });
  try {
    return await run(stack);
  } finally {
    await stack.stop();
  }
}

function doorOf({ target }: Stack): Door {
  return target as Extract<Target, { kind: "engine" }>;
}

function crowdPart(bench: Bench, sizes: Sizes): Promise<Part> {
  const { baselineSec, partSec, leavesPerSec, crowdMessagesPerSec } = sizes;
  return withStack(bench, async (stack) => {
    bench.say("gathering a crowd");
    const crowd = await Crowd.gather(doorOf(stack), sizes.crowd);
    const people = crowd.attendees;
    const idle = (): Promise<Spent> => spent(stack, () => pause(baselineSec * 1_000));
    const cycles = (attend: boolean): Promise<Spent> =>
      spent(stack, () => comeAndGo(people, { leavesPerSec, partSec, attend }));
    await pause(SETTLE_MS);
    // First once unmeasured, so that neither of the two has the compiler's time alone.
    await comeAndGo(people, { leavesPerSec, partSec: 1, attend: false });
    const idleUnseen = await idle();
    const cyclesUnseen = await cycles(false);
    crowd.attend();
    const steady = await crowd.steady(people, () => true, STORM_MS_MAX);
    await pause(SETTLE_MS);
    const idleSeen = await idle();
    const cyclesSeen = await cycles(true);
    const back = await crowd.steady(people, () => true, STORM_MS_MAX);
    await pause(SETTLE_MS);
    bench.say("receipts");
    const said = crowd.sum((one) => one.received.entries);
    const talk = await spent(stack, () => crowd.talk(crowdMessagesPerSec, partSec));
    await pause(SETTLE_MS);
    const heard = crowd.sum((one) => one.received.entries) - said;
    let reads = 0;
    const reading = await spent(stack, async () => {
      await byTheClock(people.length / 4, people.length, (turn) => {
        if (people[turn]?.readAlong() === true) reads++;
      });
      await pause(1_000);
    });
    crowd.end();
    const messages = crowdMessagesPerSec * partSec;
    const moves = 2 * leavesPerSec * partSec;
    const faults = crowd.faults();
    if (steady.length < people.length) faults.push("not everybody saw everybody");
    if (back.length < people.length) faults.push("not everybody was seen to come back");
    if (heard !== messages * sizes.crowd.membersPerRoom) faults.push("messages were lost");
    return {
      faults,
      measured: { idleUnseen, cyclesUnseen, idleSeen, cyclesSeen, talk, reading, moves, reads },
      rows: [
        ["the crowd", `${sizes.crowd.rooms} rooms of ${sizes.crowd.membersPerRoom}, 2 edges`],
        ["unsubscribe or resume, unseen: CPU µs", each(moves, cyclesUnseen, idleUnseen)],
        ["the same with going and coming that others see", each(moves, cyclesSeen, idleSeen)],
        ["a message in such a room", each(messages, talk, idleSeen)],
        ["a receipt, all members at the head", each(reads, reading, idleSeen)],
        ["idle, nobody attends: CPU µs a second", each(idleUnseen.seconds, idleUnseen, null)],
        ["idle, everybody attends", each(idleSeen.seconds, idleSeen, null)],
      ],
    };
  });
}

/** One after the other stops following, and comes back after a while; until all are back. */
async function comeAndGo(
  people: readonly Attendee[],
  options: { leavesPerSec: number; partSec: number; attend: boolean },
): Promise<void> {
  const { leavesPerSec, partSec, attend } = options;
  const returns: Promise<void>[] = [];
  // Spread over the rooms: a prime step meets everybody before anybody twice.
  const comeBack = async (one: Attendee): Promise<void> => {
    await pause(AWAY_MS);
    await one.follow();
    if (attend) one.attend();
  };
  await byTheClock(leavesPerSec, leavesPerSec * partSec, (turn) => {
    const one = people[(turn * 7) % people.length] as Attendee;
    if (!one.isFollowing) return;
    one.unfollow();
    returns.push(comeBack(one));
  });
  await Promise.all(returns);
  await pause(1_000);
}

function stormPart(bench: Bench, { storm }: Sizes): Promise<Part> {
  return withStack(bench, async (stack) => {
    bench.say("gathering the storm");
    const crowd = await Crowd.gather(doorOf(stack), storm);
    const people = crowd.attendees;
    crowd.end();
    await pause(SETTLE_MS);
    const before = [...people].map(({ received }) => ({ ...received }));
    const redisBefore = await redisUsage(stack.redis);
    bench.say("everybody comes");
    let [steady, gone]: [number[], number[]] = [[], []];
    const come = await spent(stack, async () => {
      const coming = people.map(async (one) => {
        await one.connect();
        await one.follow();
        one.attend();
      });
      steady = await crowd.steady(people, () => true, STORM_MS_MAX);
      await Promise.all(coming);
    });
    const bytes = people.reduce((sum, one, i) => sum + one.received.bytes - before[i]!.bytes, 0);
    const redisAfter = await redisUsage(stack.redis);
    const commands = commandsPerMessage(redisBefore, redisAfter, people.length);
    const presence = crowd.sum((one) => one.received.presenceBytes);
    const frames = crowd.sum((one) => one.received.presenceFrames);
    await pause(SETTLE_MS);
    bench.say("a third goes");
    const stays = new Set(people.filter((_, i) => i % DROPPED !== 0));
    const go = await spent(stack, async () => {
      for (const one of people) if (!stays.has(one)) one.drop();
      gone = await crowd.steady([...stays], (one) => stays.has(one), STORM_MS_MAX);
    });
    crowd.end();
    const faults = crowd.faults();
    const unseen = people.length - steady.length + stays.size - gone.length;
    if (unseen > 0) faults.push(`${unseen} sockets were not told of exactly those who were there`);
    const told: Storm = {
      come,
      go,
      commands,
      steadyMs: quantiles(steady),
      goneMs: quantiles(gone),
      bytes: bytes / people.length,
      presenceBytes: presence / people.length,
      presenceFrames: frames / people.length,
      retries: crowd.sum((one) => one.retries),
    };
    const title = `${people.length} sockets into rooms of ${storm.membersPerRoom}`;
    return { faults, measured: told, rows: [["**the storm**", title], ...stormRows(told)] };
  });
}

interface Storm {
  readonly come: Spent;
  readonly go: Spent;
  /** For each socket. */
  readonly commands: ReturnType<typeof commandsPerMessage>;
  readonly steadyMs: string;
  readonly goneMs: string;
  /** Of one client. */
  readonly bytes: number;
  readonly presenceBytes: number;
  readonly presenceFrames: number;
  readonly retries: number;
}

function stormRows(storm: Storm): string[][] {
  const { come, go, commands, bytes, presenceBytes, presenceFrames } = storm;
  const seconds = ({ cpuUs }: Spent): string =>
    Object.entries(cpuUs)
      .map(([name, us]) => `${name} ${(us / 1e6).toFixed(2)}`)
      .join(", ");
  return [
    ["until each saw all of its room", storm.steadyMs],
    ["CPU s until then", seconds(come)],
    ["Redis, a socket", dearest(commands)],
    ["bytes a client", bytes.toFixed(0)],
    ["of it presence", `${presenceBytes.toFixed(0)} in ${presenceFrames.toFixed(1)} frames`],
    ["connections tried again", String(storm.retries)],
    ["a third drops: until the others saw it", storm.goneMs],
    ["CPU s until then", seconds(go)],
  ];
}

/** The commands that took the most of Redis, scripts with what they call. */
function dearest(commands: ReturnType<typeof commandsPerMessage>): string {
  return Object.entries(commands)
    .sort(([, a], [, b]) => b.us - a.us)
    .slice(0, COMMANDS_SHOWN)
    .map(([name, { calls, us }]) => `${name} ${calls.toFixed(1)} × in ${us.toFixed(0)} µs`)
    .join(", ");
}

function quantiles(ms: readonly number[]): string {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (q: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(0);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, last ${at(1)} ms`;
}

function talkPart(bench: Bench, sizes: Sizes): Promise<Part> {
  const { talkers, messagesPerSec, partSec } = sizes;
  return withStack(bench, async (stack) => {
    bench.say("gathering those who talk");
    const crowd = await Crowd.gather(doorOf(stack), talkers);
    const people = crowd.attendees;
    await crowd.talk(messagesPerSec, partSec);
    const alone = await spent(stack, () => crowd.talk(messagesPerSec, partSec));
    crowd.attend();
    await crowd.steady(people, () => true, STORM_MS_MAX);
    await pause(SETTLE_MS);
    const seen = await spent(stack, () => crowd.talk(messagesPerSec, partSec));
    let reads = 0;
    const readAlong = (): Promise<void> =>
      byTheClock(people.length * READS_PER_SEC, people.length * READS_PER_SEC * partSec, (turn) => {
        if (people[turn % people.length]?.readAlong() === true) reads++;
      });
    const both = await spent(stack, () =>
      Promise.all([crowd.talk(messagesPerSec, partSec), readAlong()]),
    );
    await pause(SETTLE_MS);
    const messages = messagesPerSec * partSec;
    const heard = crowd.sum((one) => one.received.entries);
    const receipts = crowd.sum((one) => one.received.receiptFrames);
    crowd.end();
    const faults = crowd.faults();
    const lost = 4 * messages * talkers.membersPerRoom - heard;
    if (lost !== 0) faults.push(`${lost} deliveries of messages were lost`);
    const readsPerSec = Math.round(reads / partSec);
    return {
      faults,
      measured: { alone, seen, both, reads, receipts },
      rows: [
        [
          "**talk**",
          `${messagesPerSec} msg/s in ${talkers.rooms} rooms of ${talkers.membersPerRoom}`,
        ],
        ["a message, nobody attends: CPU µs", each(messages, alone, null)],
        ["everybody attends", each(messages, seen, null)],
        [`and reads along, ${readsPerSec} positions a second`, each(messages, both, null)],
      ],
    };
  });
}
