/**
 * What a process has used, from the kernel's own accounting. CPU time comes
 * from /proc/<pid>/task/<tid>/schedstat of all threads, in nanoseconds, because
 * utime and stime count in hundredths of a second; only the split between user
 * and system is theirs. Linux only.
 */
import { readdirSync, readFileSync } from "node:fs";

/** A process under test, by the name that it has in the report. */
export interface Watched {
  readonly name: string;
  readonly pid: number;
}

export interface Usage {
  readonly cpuUs: number;
  /** In ticks; only their ratio means something. */
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly rssKib: number;
}

export function usageOf(pid: number): Usage {
  let cpuNs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    cpuNs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  }
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in brackets may hold spaces; utime and stime are fields 14 and 15 of the line.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    cpuUs: cpuNs / 1_000,
    userTicks: Number(fields[11]),
    systemTicks: Number(fields[12]),
    rssKib: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]),
  };
}

/** Microseconds in which any core of the machine was not idle, since it was started. */
export function machineBusyUs(): number {
  const [, ...ticks] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]!.split(/\s+/);
  const [user, nice, system, , , irq, softirq, steal] = ticks.map(Number);
  const busy = [user, nice, system, irq, softirq, steal].reduce<number>((a, b) => a + (b ?? 0), 0);
  return busy * 10_000;
}
