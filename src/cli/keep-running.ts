/**
 * Keeps one process running until it is told to stop.
 *
 *              ready                 ended
 *   starting ────────▶ running ──────────────▶ waiting ──pause over──▶ starting
 *      │                  │                       │
 *      │ refused, or the  └────────stop───────────┴──────▶ stopped
 *      ▼ first starts fail
 *    failed
 *
 * `#become` is the only writer of the state.
 */
import { Lifecycle } from "../ops/lifecycle.ts";
import { monotonicMs } from "../ops/clock.ts";
import type { Log } from "../ops/log.ts";

/** Pauses between two starts: doubling, and short again after a healthy time. */
export const RESTART = { minMs: 250, maxMs: 10_000, healthyAfterMs: 30_000 } as const;
/** Failed starts before the first good one that are taken as a lasting fault. */
const FIRST_STARTS_MAX = 3;

/** What is kept: one run of a program. */
export interface Launched {
  readonly pid: number;
  /** Resolves with a sentence when it has ended. */
  readonly exited: Promise<string>;
  stop(deadlineMs: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}
/** A start that no repetition will mend. */
export class LaunchRefused extends Error {
  override readonly name = "LaunchRefused";
}

type State<P> =
  | { readonly name: "starting" }
  | { readonly name: "running"; readonly process: P }
  | { readonly name: "waiting" }
  | { readonly name: "failed" }
  | { readonly name: "stopped" };

export interface KeepRunningOptions<P extends Launched> {
  readonly name: string;
  /** Resolves when the process is ready for work; ends it if the signal is raised before. */
  readonly launch: (signal: AbortSignal) => Promise<P>;
  readonly log: Log;
}

export class KeepRunning<P extends Launched> {
  readonly name: string;
  readonly #launch: (signal: AbortSignal) => Promise<P>;
  readonly #log: Log;
  readonly #lifecycle: Lifecycle;
  #state: State<P> = { name: "starting" };
  /** How long the process may take to end once `stop` was called. */
  #stopWithinMs = 0;

  constructor(options: KeepRunningOptions<P>) {
    this.name = options.name;
    this.#launch = options.launch;
    this.#log = options.log;
    this.#lifecycle = new Lifecycle(options.log);
  }

  /** Resolves when the first process is ready; rejects when none will be. */
  start(): Promise<P> {
    return new Promise((resolve, reject) => {
      this.#lifecycle.run(this.name, () => this.#keep(resolve, reject));
    });
  }

  /** Ends the process in order, with SIGKILL after `deadlineMs`; it is not started again. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopWithinMs = deadlineMs;
    const stopped = this.#lifecycle.stop();
    if (this.#state.name === "running") await this.#state.process.stop(deadlineMs);
    await stopped;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#state.name === "running") this.#state.process.kill(signal);
  }

  #become(state: State<P>): void {
    this.#state = state;
  }

  async #keep(ready: (process: P) => void, failed: (error: unknown) => void): Promise<void> {
    let pauseMs: number = RESTART.minMs;
    let failures = 0;
    let wasReady = false;
    while (!this.#lifecycle.stopping) {
      try {
        const healthyMs = await this.#once((process) => {
          wasReady = true;
          ready(process);
        });
        if (healthyMs >= RESTART.healthyAfterMs) pauseMs = RESTART.minMs;
      } catch (error) {
        failures++;
        const lasting = error instanceof LaunchRefused || failures >= FIRST_STARTS_MAX;
        if (lasting && !wasReady) {
          this.#become({ name: "failed" });
          failed(error);
          return;
        }
        if (!this.#lifecycle.stopping) {
          this.#log.error({ reason: messageOf(error) }, `${this.name} did not start`);
        }
      }
      if (this.#lifecycle.stopping) break;
      this.#become({ name: "waiting" });
      this.#log.info({ pauseMs }, `${this.name} will be started again`);
      await this.#lifecycle.sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, RESTART.maxMs);
    }
    this.#become({ name: "stopped" });
    failed(new Error(`${this.name} was stopped before it was ready`)); // nobody hears it if it was
  }

  /** One process from its start to its end; the milliseconds that it was ready. */
  async #once(ready: (process: P) => void): Promise<number> {
    this.#become({ name: "starting" });
    const process = await this.#launch(this.#lifecycle.signal);
    const since = monotonicMs();
    this.#become({ name: "running", process });
    this.#log.info({ child: process.pid }, `${this.name} is ready`);
    ready(process);
    // The stop may have come while it was becoming ready.
    if (this.#lifecycle.stopping) await process.stop(this.#stopWithinMs);
    const reason = await process.exited;
    if (!this.#lifecycle.stopping) this.#log.warn({ reason }, `${this.name} has ended`);
    return monotonicMs() - since;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
