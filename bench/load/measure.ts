/** One run of the generator against processes that are watched meanwhile. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

import { machineBusyUs, usageOf, type Usage, type Watched } from "../engine/process-usage.ts";
import { commandsPerMessage, redisUsage, type CommandUse } from "../engine/redis-usage.ts";
import type { Redis } from "../../src/redis/connect.ts";
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
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async connect(plan: Plan): Promise<Load> {
    const child = fork(fileURLToPath(new URL("generator.js", import.meta.url)));
    const load = new Load(child);
    load.#tell({ type: "plan", plan });
    await load.#heard("connected");
    return load;
  }

  async measure(
    watched: readonly Watched[],
    redis: Redis | null,
    say: (text: string) => void,
  ): Promise<Measured> {
    this.#child.on("message", (message: FromGenerator) => {
      if (message.type === "progress") say(`sent ${message.sent}, arrived ${message.delivered}`);
    });
    const [measuring, measured, done] = [
      this.#heard("measuring"),
      this.#heard("measured"),
      this.#heard("done"),
    ];
    this.#tell({ type: "go" });
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

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    await gone;
  }

  #look(watched: readonly Watched[]): Look {
    return {
      at: performance.now(),
      busyUs: machineBusyUs(),
      generator: usageOf(this.#child.pid as number),
      usages: watched.map(({ pid }) => usageOf(pid)),
    };
  }

  #tell(message: ToGenerator): void {
    this.#child.send(message);
  }

  #heard<T extends FromGenerator["type"]>(type: T): Promise<FromGenerator & { type: T }> {
    return new Promise((resolve, reject) => {
      const listen = (message: FromGenerator): void => {
        if (message.type !== type) return;
        this.#child.off("message", listen);
        resolve(message as FromGenerator & { type: T });
      };
      this.#child.on("message", listen);
      this.#child.once("exit", (code) => reject(new Error(`the generator ended with ${code}`)));
    });
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
