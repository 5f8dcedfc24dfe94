import { describe, expect, it } from "vitest";

import { monotonicMs } from "../../src/ops/clock.ts";
import { Lifecycle } from "../../src/ops/lifecycle.ts";
import { createLog } from "../../src/ops/log.ts";

function recorded(): { lines: string[]; lifecycle: Lifecycle } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: "debug", format: "json", name: "test", destination });
  return { lines, lifecycle: new Lifecycle(log) };
}

describe("lifecycle", () => {
  it("[OP1] stop wakes every sleeper at once", async () => {
    const { lifecycle } = recorded();
    const startedAt = monotonicMs();
    const sleeping = Promise.all(Array.from({ length: 50 }, () => lifecycle.sleep(600_000)));
    await lifecycle.stop();
    await sleeping;
    await lifecycle.sleep(600_000);
    expect(monotonicMs() - startedAt).toBeLessThan(600_000);
  });

  it("[OP1] stop waits for loops to return", async () => {
    const { lifecycle } = recorded();
    const seen: string[] = [];
    lifecycle.run("slow", async () => {
      await lifecycle.sleep(600_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      seen.push("returned");
    });
    await lifecycle.stop();
    expect(seen).toEqual(["returned"]);
    expect(lifecycle.signal.aborted).toBe(true);
    lifecycle.run("late", async () => void seen.push("late"));
    await lifecycle.stop();
    expect(seen).toEqual(["returned"]);
  });

  it("[OP2] a loop that throws is logged and runs again", async () => {
    const { lines, lifecycle } = recorded();
    let runs = 0;
    await new Promise<void>((resolve) => {
      lifecycle.run("flaky", async () => {
        runs++;
        if (runs < 3) throw new Error(`fault ${runs}`);
        resolve();
      });
    });
    await lifecycle.stop();
    expect(runs).toBe(3);
    expect(lines.filter((line) => line.includes("loop failed"))).toHaveLength(2);
    expect(lines.join("")).toContain("fault 2");
  });

  it("[OP2] a throw that the stop has caused ends the loop without an alarm", async () => {
    const { lines, lifecycle } = recorded();
    lifecycle.run("reader", async () => {
      await lifecycle.sleep(600_000);
      throw new Error("connection closed");
    });
    await lifecycle.stop();
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(["debug"]);
  });
});
