/**
 * What a role needs to end cleanly: one stop signal, sleeps that end with it,
 * and loops that are waited for.
 *
 *   running ──stop()──▶ stopping ──every loop has returned──▶ stopped
 *
 * A loop that throws is logged and run again after a pause, never in a hot
 * circle: the pause doubles up to a bound and falls back once the loop has kept
 * going for a while.
 */
import { monotonicMs } from "./clock.ts";
import type { Log } from "./log.ts";

/** Pauses between two runs of a loop that throws. */
export const LOOP_BACK_OFF = { minMs: 100, maxMs: 5_000, healthyAfterMs: 10_000 } as const;

export class Lifecycle {
  readonly #controller = new AbortController();
  readonly #log: Log;
  readonly #loops = new Set<Promise<void>>();
  /** Sleepers to wake on stop. Not listeners of the signal: Node warns at the eleventh. */
  readonly #sleepers = new Set<() => void>();
  #stopped: Promise<void> | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Aborted by `stop`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get stopping(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Resolves after `ms` milliseconds, or at once when stopped. Never rejects. */
  sleep(ms: number): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
    });
  }

  /**
   * Runs `loop` until it returns or this stops; a throw runs it again after a
   * pause. The loop itself watches `signal`. Does nothing once stopped.
   */
  run(name: string, loop: () => Promise<void>): void {
    if (this.stopping) return;
    const running = this.#keepRunning(name, loop).finally(() => this.#loops.delete(running));
    this.#loops.add(running);
  }

  /** Raises the signal and waits for every loop. A loop must not wait for this. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#controller.abort();
    for (const wake of this.#sleepers) wake();
    await Promise.all(this.#loops);
  }

  async #keepRunning(name: string, loop: () => Promise<void>): Promise<void> {
    let pauseMs: number = LOOP_BACK_OFF.minMs;
    while (!this.stopping) {
      const startedAt = monotonicMs();
      try {
        await loop();
        return;
      } catch (error) {
        if (this.stopping) {
          this.#log.debug({ err: error, loop: name }, "loop ended by the stop");
          return;
        }
        if (monotonicMs() - startedAt >= LOOP_BACK_OFF.healthyAfterMs) {
          pauseMs = LOOP_BACK_OFF.minMs;
        }
        this.#log.error({ err: error, loop: name, pauseMs }, "loop failed, runs again");
      }
      await this.sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LOOP_BACK_OFF.maxMs);
    }
  }
}
