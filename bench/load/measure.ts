/** One run of the generator against processes that are watched meanwhile. */
import { cpus } from "node:os";

import { machineBusyUs, usageOf, type Usage, type Watched } from "../engine/process-usage.ts";
import { commandsPerMessage, redisUsage, type CommandUse } from "../engine/redis-usage.ts";
import type { Redis } from "../../src/redis/connect.ts";
import { Child } from "./child.ts";
import type { FromGenerator, LoadReport, Plan, ToGenerator } from "./plan.ts";

export interface ProcessFigures {
  readonly name: string;
  readonly cpuUsPerMessage: number;
  /** Of one core. */
  readonly cpuShare: number;
  /** Of its CPU time. */
  readonly systemShare: number;
  readonly rssMib: number;
}

export interface Measured {
  readonly report: LoadReport;
  readonly processes: readonly ProcessFigures[];
  /** User and system of all processes under test, in microseconds. */
  readonly cpuUsPerMessage: number;
  /** What neither they nor the generator used of the machine: other work, and the kernel's own. */
  readonly othersShare: number;
  readonly redisCommands: Readonly<Record<string, CommandUse>> | null;
}

interface Look {
  readonly at: number;
  readonly busyUs: number;
  readonly generator: Usage;
  readonly usages: readonly Usage[];
}

/** A generator that has connected everybody and waits. */
export class Load {
  readonly #child: Child<ToGenerator, FromGenerator>;

  private constructor(child: Child<ToGenerator, FromGenerator>) {
    this.#child = child;
  }

  static async connect(plan: Plan): Promise<Load> {
    const child = new Child<ToGenerator, FromGenerator>("generator");
    const connected = child.heard("connected");
    child.tell({ type: "plan", plan });
    await connected;
    return new Load(child);
  }

  async measure(
    watched: readonly Watched[],
    redis: Redis | null,
    say: (text: string) => void,
  ): Promise<Measured> {
    this.#child.on("progress", ({ sent, delivered }) => {
      say(`sent ${sent}, arrived ${delivered}`);
    });
    const [measuring, measured, done] = [
      this.#child.heard("measuring"),
      this.#child.heard("measured"),
      this.#child.heard("done"),
    ];
    this.#child.tell({ type: "go" });
    await measuring;
    const before = this.#look(watched);
    const redisBefore = redis && (await redisUsage(redis));
    await measured;
    const after = this.#look(watched);
    const redisAfter = redis && (await redisUsage(redis));
    const { report } = await done;
    const { messages } = report;
    const both = redisBefore && redisAfter;
    return {
      report,
      ...figures(watched, before, after, messages),
      redisCommands: both ? commandsPerMessage(redisBefore, redisAfter, messages) : null,
    };
  }

  close(): Promise<void> {
    return this.#child.close();
  }

  #look(watched: readonly Watched[]): Look {
    return {
      at: performance.now(),
      busyUs: machineBusyUs(),
      generator: usageOf(this.#child.pid),
      usages: watched.map(({ pid }) => usageOf(pid)),
    };
  }
}

function figures(
  watched: readonly Watched[],
  before: Look,
  after: Look,
  messages: number,
): Pick<Measured, "processes" | "cpuUsPerMessage" | "othersShare"> {
  const elapsedUs = (after.at - before.at) * 1_000;
  let totalUs = 0;
  const processes = watched.map(({ name }, i) => {
    const [first, last] = [before.usages[i] as Usage, after.usages[i] as Usage];
    const cpuUs = last.cpuUs - first.cpuUs;
    const systemTicks = last.systemTicks - first.systemTicks;
    const ticks = systemTicks + last.userTicks - first.userTicks;
    totalUs += cpuUs;
    return {
      name,
      cpuUsPerMessage: rounded(cpuUs / messages),
      cpuShare: rounded(cpuUs / elapsedUs),
      systemShare: ticks === 0 ? 0 : rounded(systemTicks / ticks),
      rssMib: rounded(last.rssKib / 1_024),
    };
  });
  const ownUs = totalUs + after.generator.cpuUs - before.generator.cpuUs;
  const othersUs = after.busyUs - before.busyUs - ownUs;
  return {
    processes,
    cpuUsPerMessage: rounded(totalUs / messages),
    othersShare: rounded(Math.max(0, othersUs) / (elapsedUs * cpus().length)),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
