/**
 * Projectors die under load, by SIGKILL, at different moments between two
 * renewals of their leases. A partition counts as taken over when a new owner
 * has applied a batch of it: until then its messages wait.
 */
import { partitionOwners, untilBalanced } from "../engine/ownership.ts";
import { PARTITIONS, Stack } from "../engine/stack.ts";
import { Load, type Measured } from "../load/measure.ts";
import { Samples } from "../load/percentiles.ts";
import type { Percentiles, Plan } from "../load/plan.ts";
import type { Redis } from "../../src/redis/connect.ts";
import { Keys } from "../../src/streams/keys.ts";
import { faultsOf, told, type Bench, type Scenario } from "./scenario.ts";

interface Size {
  readonly projectors: number;
  readonly kills: number;
  readonly leaseTtlMs: number;
  readonly leaseRenewMs: number;
  /** All kills have to fit into it: a kill is over when the partitions are shared evenly again. */
  readonly measureSec: number;
}
const FULL: Size = {
  projectors: 3,
  kills: 8,
  leaseTtlMs: 6_000,
  leaseRenewMs: 2_000,
  measureSec: 120,
};
/** Enough for a room or more in every partition. */
const ROOMS = 100;
const QUICK: Size = {
  ...FULL,
  kills: 1,
  leaseTtlMs: 600,
  leaseRenewMs: 200,
  measureSec: 5,
};
const MESSAGES_PER_SEC = 500;
const POLL_MS = 5;
/** A partition that nobody has by then is not coming back, and the run fails. */
const WAIT_MS_MAX = 60_000;
/** What the design allows past the lease. */
const TARGET_PAST_LEASE_MS = 1_000;

/** One partition of a projector that was killed. */
interface TakeOver {
  readonly kill: number;
  readonly partition: number;
  /** From the kill until its lease had another owner. */
  readonly ownedMs: number;
  /** … until that owner had applied a batch. */
  readonly projectedMs: number;
}

export const takeover: Scenario = {
  name: "takeover",
  about: "kill -9 of one of three projectors under load, again and again, leases of 6 s",
  async run(bench) {
    const size = bench.quick ? QUICK : FULL;
    const { takeOvers, measured } = await measure(bench, size);
    const targetMs = size.leaseTtlMs + TARGET_PAST_LEASE_MS;
    const projected = distribution(takeOvers.map(({ projectedMs }) => projectedMs));
    const owned = distribution(takeOvers.map(({ ownedMs }) => ownedMs));
    const summary = { ...size, targetMs, owned, projected, measured, takeOvers };
    const faults = faultsOf("while projectors were killed", measured.report);
    return { cases: [summary], table: tableOf(size, takeOvers, measured, targetMs), faults };
  },
};

async function measure(
  bench: Bench,
  size: Size,
): Promise<{ takeOvers: TakeOver[]; measured: Measured }> {
  const { projectors, leaseTtlMs, leaseRenewMs, measureSec } = size;
  const settings = { leaseTtlMs, leaseRenewMs };
  await bench.untilQuiet();
  const stack = await Stack.start({ edges: 2, projectors, settings, say: bench.say });
  const keys = new Keys(PARTITIONS);
  try {
    await untilBalanced(stack.redis, keys, stack.projectors);
    const plan: Plan = {
      target: stack.target,
      rooms: ROOMS,
      membersPerRoom: 4,
      quietRooms: 0,
      messagesPerSec: MESSAGES_PER_SEC,
      warmUpSec: 1,
      measureSec,
    };
    const load = await Load.connect(plan);
    // Projectors come and go, so only what stays is watched.
    const watched = stack.watched.filter(({ name }) => !name.startsWith("projector"));
    const endsAt = performance.now() + (measureSec + plan.warmUpSec) * 1_000;
    const measuring = load.measure(watched, stack.redis, () => {});
    const takeOvers: TakeOver[] = [];
    for (let kill = 0; kill < size.kills; kill++) {
      bench.say(`kill ${kill + 1} of ${size.kills}`);
      takeOvers.push(...(await killOne(stack, keys, kill, (leaseRenewMs * kill) / size.kills)));
      await stack.addProjector();
      await untilBalanced(stack.redis, keys, stack.projectors);
      if (performance.now() > endsAt) throw new Error("the kills took longer than the load");
    }
    const measured = await measuring;
    await load.close();
    return { takeOvers, measured };
  } finally {
    await stack.stop();
  }
}

/** The oldest one, `afterMs` from now. */
async function killOne(
  stack: Stack,
  keys: Keys,
  kill: number,
  afterMs: number,
): Promise<TakeOver[]> {
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const victim = stack.projectors[0] as number;
  const since = performance.now();
  await stack.killProjector(victim);
  return watchTakeOver(stack.redis, keys, { kill, victim, since });
}

async function watchTakeOver(
  redis: Redis,
  keys: Keys,
  death: { readonly kill: number; readonly victim: number; readonly since: number },
): Promise<TakeOver[]> {
  const { kill, victim, since } = death;
  const left = new Map<number, { checkpoint: string; ownedMs: number | null }>();
  (await partitionOwners(redis, keys)).forEach(({ pid, checkpoint }, partition) => {
    if (pid === victim) left.set(partition, { checkpoint, ownedMs: null });
  });
  const takeOvers: TakeOver[] = [];
  while (left.size > 0) {
    const owners = await partitionOwners(redis, keys);
    const atMs = performance.now() - since;
    for (const [partition, orphan] of left) {
      const owner = owners[partition];
      if (!owner) continue;
      // A batch of the dead may have been on its way to Redis.
      if (owner.pid === victim) orphan.checkpoint = owner.checkpoint;
      if (owner.pid === victim) continue;
      orphan.ownedMs ??= atMs;
      if (owner.checkpoint === orphan.checkpoint) continue;
      left.delete(partition);
      takeOvers.push({ kill, partition, ownedMs: orphan.ownedMs, projectedMs: atMs });
    }
    if (atMs > WAIT_MS_MAX) throw new Error(`${left.size} partitions were not taken over`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return takeOvers;
}

function distribution(values: readonly number[]): Percentiles & { readonly min: number } {
  const samples = new Samples(values.length);
  for (const value of values) samples.add(value);
  return { min: Math.min(...values), ...samples.percentiles() };
}

function tableOf(
  size: Size,
  takeOvers: readonly TakeOver[],
  { report }: Measured,
  targetMs: number,
): string[][] {
  const head = ["kill", "partitions", "owned again ms", "projected again ms", "target", "complete"];
  const range = (of: readonly TakeOver[], value: (each: TakeOver) => number): string => {
    const { min, p50, max } = distribution(of.map(value));
    return `${min.toFixed(0)} … ${p50.toFixed(0)} … ${max.toFixed(0)}`;
  };
  const line = (name: string, of: readonly TakeOver[], complete: string): string[] => [
    name,
    String(of.length),
    range(of, ({ ownedMs }) => ownedMs),
    range(of, ({ projectedMs }) => projectedMs),
    `${of.filter(({ projectedMs }) => projectedMs <= targetMs).length} within ${targetMs}`,
    complete,
  ];
  const kills = Array.from({ length: size.kills }, (_, kill) =>
    line(
      String(kill + 1),
      takeOvers.filter((each) => each.kill === kill),
      "",
    ),
  );
  return [head, ...kills, line("all", takeOvers, told(report.completeness))];
}
