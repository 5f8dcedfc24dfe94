import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { KeepRunning, LaunchRefused, RESTART, type Launched } from "../../src/cli/keep-running.ts";
import { createLog } from "../../src/ops/log.ts";

const log = createLog({ level: "silent", format: "json", name: "test" });

/** A program of this test: ends when it is told to, or when the test says so. */
class Program implements Launched {
  readonly pid = 1;
  readonly exited: Promise<string>;
  readonly signals: string[] = [];
  end: (reason: string) => void = () => undefined;
  constructor() {
    this.exited = new Promise((resolve) => (this.end = resolve));
  }
  async stop(): Promise<void> {
    this.kill("SIGTERM");
    await this.exited;
  }
  kill(signal: string): void {
    this.signals.push(signal);
    this.end(signal);
  }
}

describe("keeping a process running", () => {
  let launches: Program[] = [];
  const start = (
    launch: () => Promise<Program> = async () => {
      const program = new Program();
      launches.push(program);
      return program;
    },
  ): KeepRunning<Program> => new KeepRunning({ name: "edge", log, launch });
  const crash = async (): Promise<void> => {
    launches.at(-1)?.end("it crashed");
    await vi.advanceTimersByTimeAsync(0);
  };

  beforeEach(() => {
    launches = [];
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  it("[OP6] starts again after a growing, bounded pause", async () => {
    const kept = start();
    await kept.start();
    const pauses: number[] = [];
    for (let crashes = 1; crashes <= 8; crashes++) {
      await crash();
      const before = launches.length;
      let waitedMs = 0;
      for (; launches.length === before; waitedMs += 10) await vi.advanceTimersByTimeAsync(10);
      pauses.push(waitedMs);
    }
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    await kept.stop(0);
  });

  it("[OP6] a healthy time makes the pause short again", async () => {
    const kept = start();
    await kept.start();
    await crash();
    await vi.advanceTimersByTimeAsync(RESTART.minMs);
    await vi.advanceTimersByTimeAsync(RESTART.healthyAfterMs);
    await crash();
    await vi.advanceTimersByTimeAsync(RESTART.minMs);
    expect(launches).toHaveLength(3);
    await kept.stop(0);
  });

  it("[OP7] a refused start is not repeated", async () => {
    let starts = 0;
    const kept = start(async () => {
      starts++;
      throw new LaunchRefused("PORT: expected a number");
    });
    await expect(kept.start()).rejects.toThrow("PORT: expected a number");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(starts).toBe(1);
    await kept.stop(0);
  });

  it("[OP7] gives up when the first starts fail, with the last reason", async () => {
    let starts = 0;
    const kept = start(() => Promise.reject(new Error(`fault ${++starts}`)));
    const failed = expect(kept.start()).rejects.toThrow("fault 3");
    await vi.advanceTimersByTimeAsync(60_000);
    await failed;
    expect(starts).toBe(3);
  });

  it("[OP7] never gives up once it has run", async () => {
    let starts = 0;
    const kept = start(async () => {
      if (++starts > 1 && starts < 20) throw new LaunchRefused("the disk is full");
      const program = new Program();
      launches.push(program);
      return program;
    });
    await kept.start();
    await crash();
    await vi.advanceTimersByTimeAsync(20 * RESTART.maxMs);
    expect(launches).toHaveLength(2);
    await kept.stop(0);
  });

  it("[OP1] stop ends the process and starts no other", async () => {
    const kept = start();
    const program = await kept.start();
    await kept.stop(1_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(program.signals).toEqual(["SIGTERM"]);
    expect(launches).toHaveLength(1);
  });

  it("[OP1] a stop during the start ends what has just become ready", async () => {
    const program = new Program();
    const kept = start(async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return program;
    });
    const started = kept.start();
    const stopped = kept.stop(1_000);
    await vi.advanceTimersByTimeAsync(500);
    await stopped;
    expect(await started).toBe(program);
    expect(program.signals).toEqual(["SIGTERM"]);
  });

  it("[OP1] a stop before the first good start ends the wait for it", async () => {
    const kept = start(() => Promise.reject(new Error("not yet")));
    const failed = expect(kept.start()).rejects.toThrow("stopped before it was ready");
    await vi.advanceTimersByTimeAsync(10);
    await kept.stop(0);
    await failed;
  });

  it("[OP1] a stop in the pause ends it", async () => {
    const kept = start();
    await kept.start();
    await crash();
    await kept.stop(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(launches).toHaveLength(1);
  });
});
