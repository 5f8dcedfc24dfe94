/** k6 itself, as a process: what it is told, what it says meanwhile, how it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { PLAN_VARIABLE, type Plan } from "../k6/plan.ts";

/** Of what goes wrong, the first lines say it; a broken run makes thousands. */
const COMPLAINTS_MAX = 30;
/** Between two lines of progress where there is no terminal to replace one on. */
const PROGRESS_MS = 15_000;
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface K6Options {
  /** The command that runs k6. */
  readonly k6: string;
  readonly script: string;
  readonly plan: Plan;
  readonly prometheus: string | null;
}

/** Resolves with k6's exit code: 0, 99 when a threshold was crossed, others of its documentation. */
export async function runK6({ k6, script, plan, prometheus }: K6Options): Promise<number> {
  const quiet = ["--quiet", "--no-usage-report", "--log-format", "raw"];
  const output = prometheus === null ? [] : ["--out", "experimental-prometheus-rw"];
  const child = spawn(k6, ["run", ...quiet, ...output, script], {
    env: {
      ...process.env,
      [PLAN_VARIABLE]: JSON.stringify(plan),
      // The scripts use what every k6 has; it need not look for more of it in the network.
      K6_AUTO_EXTENSION_RESOLUTION: "false",
      ...(prometheus === null
        ? {}
        : {
            K6_PROMETHEUS_RW_SERVER_URL: prometheus,
            K6_PROMETHEUS_RW_TREND_STATS: "p(50),p(95),p(99),max",
          }),
    },
    stdio: ["ignore", "inherit", "pipe"],
    // Ctrl-C goes through here, once: the second one would make k6 leave without a summary.
    detached: true,
  });
  const stop = (): void => void child.kill("SIGINT");
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  const progress = showProgress(plan);
  let complaints = 0;
  createInterface({ input: child.stderr }).on("line", (line) => {
    complaints++;
    if (complaints <= COMPLAINTS_MAX) process.stderr.write(`${line}\n`);
  });
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
  } finally {
    progress.end();
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
    const more = complaints - COMPLAINTS_MAX;
    if (more > 0) process.stderr.write(`… and ${more} lines more\n`);
  }
}

function showProgress({ scenario, seconds }: Plan): { end(): void } {
  const terminal = process.stderr.isTTY;
  const startedMs = performance.now();
  const say = (): void => {
    const passed = Math.round((performance.now() - startedMs) / 1_000);
    const text = `· ${scenario}: ${passed} s, of which ${seconds} s are talked`;
    process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
  };
  const timer = setInterval(say, terminal ? 1_000 : PROGRESS_MS);
  const end = (): void => {
    clearInterval(timer);
    if (terminal) process.stderr.write("\r\u001b[K");
  };
  return { end };
}
