/** Everybody comes back at once, and everybody has missed something. */
import { usageOf, type Watched } from "../engine/process-usage.ts";
import { Stack } from "../engine/stack.ts";
import { Child } from "../load/child.ts";
import type { Percentiles } from "../load/plan.ts";
import type { FromStorm, StormPlan, StormReport, ToStorm } from "../load/storm-plan.ts";
import { faultsOf, told, type Bench, type Scenario } from "./scenario.ts";

const SIZES = { sockets: 5_000, roomsPerSocket: 2, rooms: 1_000, missedPerRoom: 50 } as const;
/** More than a page is missed, so that pages are asked for one after the other. */
const QUICK_SIZES = { sockets: 60, roomsPerSocket: 2, rooms: 12, missedPerRoom: 250 } as const;

interface Case extends Omit<StormPlan, "target"> {
  readonly report: StormReport;
  /** From the storm's beginning until the last one had caught up. */
  readonly cpuSec: readonly { readonly name: string; readonly cpuSec: number }[];
  readonly generatorCpuSec: number;
}

export const storm: Scenario = {
  name: "storm",
  about: "5,000 sockets reconnect at once, each with 100 missed messages in two rooms of 10",
  async run(bench) {
    const found = await measure(bench, bench.quick ? QUICK_SIZES : SIZES);
    const { report, sockets } = found;
    const faults = faultsOf("storm", report);
    if (report.gaps > 0) faults.push(`storm: ${report.gaps} rooms were not continued`);
    if (report.caughtUp < sockets) {
      faults.push(`storm: ${sockets - report.caughtUp} sockets did not catch up`);
    }
    return { cases: [found], table: tableOf(found), faults };
  },
};

async function measure(bench: Bench, sizes: Omit<StormPlan, "target">): Promise<Case> {
  await bench.untilQuiet();
  const stack = await Stack.start({ edges: 2, projectors: 1, say: bench.say });
  try {
    const child = new Child<ToStorm, FromStorm>("storm");
    const [ready, caughtUp, done] = [
      child.heard("ready"),
      child.heard("caughtUp"),
      child.heard("done"),
    ];
    child.on("progress", ({ text }) => bench.say(text));
    child.tell({ type: "plan", plan: { ...sizes, target: stack.target } });
    await ready;
    await bench.untilQuiet();
    const watched: readonly Watched[] = [...stack.watched, { name: "generator", pid: child.pid }];
    const before = watched.map(({ pid }) => usageOf(pid).cpuUs);
    child.tell({ type: "go" });
    await caughtUp;
    const used = watched.map(({ name, pid }, i) => {
      return { name, cpuSec: inSec(usageOf(pid).cpuUs - (before[i] as number)) };
    });
    child.tell({ type: "finish" });
    const { report } = await done;
    await child.close();
    const generatorCpuSec = used.at(-1)?.cpuSec as number;
    return { ...sizes, report, cpuSec: used.slice(0, -1), generatorCpuSec };
  } finally {
    await stack.stop();
  }
}

function inSec(us: number): number {
  return Math.round(us / 10_000) / 100;
}

function tableOf({ report, cpuSec, generatorCpuSec, ...sizes }: Case): string[][] {
  const { completeness, gaps, failures, interrupted } = report;
  const missed = sizes.roomsPerSocket * sizes.missedPerRoom;
  const line = (name: string, { p50, p99, max }: Percentiles): string[] => [
    name,
    `p50 ${p50} ms, p99 ${p99} ms, last ${max} ms`,
  ];
  const ends = Object.entries(failures).map(([reason, count]) => `${count} with ${reason}`);
  return [
    ["", `${sizes.sockets} sockets, each ${missed} missed`],
    line("**caught up**", report.caughtUpMs),
    line("socket open", report.openedMs),
    line("welcomed", report.welcomedMs),
    ["complete", `${told(completeness)} gaps ${gaps}, of ${completeness.delivered} deliveries`],
    ["caught up in all", `${report.caughtUp} of ${sizes.sockets}`],
    ["connections that failed and were tried again", ends.join(", ") || "0"],
    ["rooms to be asked for again", String(interrupted)],
    ["CPU s until all were caught up", cpuSec.map((one) => `${one.name} ${one.cpuSec}`).join(", ")],
    ["CPU s of the generator", String(generatorCpuSec)],
  ];
}
