/** One role in a process of its own: started, waited for until it is ready, ended. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

import { LaunchRefused, type Launched } from "./keep-running.ts";

const READY_MS_MAX = 30_000;
const HEALTH_POLL_MS = 20;
const HEALTH_ANSWER_MS = 2_000;
/** Exit code of a process that was asked for something it will never do. */
const REFUSED = 2;
const LAST_WORDS = "millrace: ";

export interface RoleOptions {
  readonly role: "edge" | "projector";
  /** The script that this process runs as well. */
  readonly entry: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly onLine: (line: string) => void;
  /** Kills it while it is not ready. */
  readonly signal: AbortSignal;
}
export interface RoleProcess extends Launched {
  /** `http://host:port` of an edge, null of a projector. */
  readonly address: string | null;
  /** `host:port` where it answers scrapes; null where it does not. */
  readonly metricsTarget: string | null;
}

/** Resolves when the role says that it is ready and, if it has an address, answers /health there. */
export async function launchRole(options: RoleOptions): Promise<RoleProcess> {
  const { role, entry, environment, signal } = options;
  const child = spawn(process.execPath, [...process.execArgv, entry, role], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: environment,
    // Ctrl-C on a terminal must not reach it: the supervisor ends roles in their order.
    detached: true,
  });
  let lastWords = "it said nothing";
  for (const output of [child.stdout, child.stderr]) {
    if (!output) continue;
    createInterface({ input: output }).on("line", (line) => {
      // What a role says when it gives up (main.ts) comes before its stack.
      if (line.startsWith(LAST_WORDS)) lastWords = line.slice(LAST_WORDS.length);
      options.onLine(line);
    });
  }
  const exited = new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, by) => resolve(by ?? code ?? "unknown"));
  });
  const giveUp = AbortSignal.any([signal, AbortSignal.timeout(READY_MS_MAX)]);
  const kill = (): void => void child.kill("SIGKILL");
  giveUp.addEventListener("abort", kill, { once: true });
  try {
    const ready = await Promise.race([readyMessage(child), exited]);
    if (typeof ready !== "object") {
      const reason = `the ${role} ended with ${ready}: ${lastWords}`;
      throw ready === REFUSED ? new LaunchRefused(reason) : new Error(reason);
    }
    if (ready.address !== null) await healthy(ready.address, giveUp);
    return running(child, ready, exited);
  } catch (error) {
    kill();
    await exited;
    throw error;
  } finally {
    giveUp.removeEventListener("abort", kill);
  }
}

function running(
  child: ChildProcess,
  ready: ReadyMessage,
  exited: Promise<number | string>,
): RoleProcess {
  return {
    pid: child.pid as number,
    ...ready,
    exited: exited.then((how) => `it ended with ${how}`),
    kill: (signal) => void child.kill(signal),
    async stop(deadlineMs) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

type ReadyMessage = Pick<RoleProcess, "address" | "metricsTarget">;

function readyMessage(child: ChildProcess): Promise<ReadyMessage> {
  return new Promise((resolve) => {
    child.on("message", (message) => {
      if (typeof message !== "object" || message === null || !("ready" in message)) return;
      const { address, metricsTarget } = message as { address?: unknown; metricsTarget?: unknown };
      resolve({ address: textOrNull(address), metricsTarget: textOrNull(metricsTarget) });
    });
  });
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Rejects only when `signal` is raised: until then an edge may still be waking up. */
async function healthy(address: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const answerBy = AbortSignal.any([signal, AbortSignal.timeout(HEALTH_ANSWER_MS)]);
      const answer = await fetch(new URL("/health", address), { signal: answerBy });
      await answer.arrayBuffer();
      if (answer.ok) return;
    } catch {
      // Not listening yet, or no answer in time: asked again below.
    }
    if (signal.aborted) throw new Error(`${address} did not become healthy`);
    await new Promise((resolve) => setTimeout(resolve, HEALTH_POLL_MS));
  }
}
