/** The alert rules, as Prometheus's own tool sees them. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { ensurePrometheus } from "../../bin/prometheus.mjs";

const RULES = readdirSync("grafana/alerts").filter((name) => name.endsWith(".yaml"));
const TESTS = readdirSync("grafana/alerts/tests");
const { promtool } = ensurePrometheus();

function run(args: readonly string[]): Promise<{ failed: boolean; text: string }> {
  return new Promise((resolve) => {
    execFile(promtool, args, (error, stdout, stderr) => {
      resolve({ failed: error !== null, text: stdout + stderr });
    });
  });
}

describe("alerts", () => {
  it("[OB9] are rules that Prometheus takes", async () => {
    const { failed, text } = await run([
      "check",
      "rules",
      ...RULES.map((name) => `grafana/alerts/${name}`),
    ]);
    expect(failed, text).toBe(false);
    expect(text).toMatch(/SUCCESS: \d\d rules found/);
  });

  it("[OB9] fire when they should and not otherwise", async () => {
    const { failed, text } = await run([
      "test",
      "rules",
      ...TESTS.map((name) => `grafana/alerts/tests/${name}`),
    ]);
    expect(failed, text).toBe(false);
  });

  it("[OB9] have a test each way, a severity, and say what to do", () => {
    const rules = RULES.map((name) => readFileSync(`grafana/alerts/${name}`, "utf8")).join("\n");
    const tests = TESTS.map((name) => readFileSync(`grafana/alerts/tests/${name}`, "utf8")).join(
      "\n",
    );
    const alerts = rules.split(/^ +- alert: /m).slice(1);
    expect(alerts.length).toBeGreaterThan(10);
    for (const alert of alerts) {
      const [name] = alert.split("\n", 1);
      expect(tests).toContain(`- name: ${name} fires\n`);
      expect(tests).toContain(`- name: ${name} is quiet\n`);
      expect(alert, name).toMatch(/severity: (critical|warning)\n/);
      expect(alert, name).toMatch(/summary: .{10,}\n +action: .{20,}/);
    }
  });
});
