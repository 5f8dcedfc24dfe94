/** Time as the client needs it; tests pass their own. */
export interface Clock {
  /** Milliseconds that only go forward. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/** Longer delays overflow setTimeout and fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

interface Appointment {
  readonly atMs: number;
  readonly run: () => void;
}

/**
 * All the waiting of one client on a single timer, because thousands of clients
 * may live in one process. Setting and cancelling are O(1): a timer that turns
 * out to be too early finds nothing due and is set again.
 */
export class Agenda {
  readonly #clock: Clock;
  readonly #appointments = new Map<string, Appointment>();
  #timer: { readonly handle: unknown; readonly atMs: number } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces an appointment of the same name. */
  set(name: string, atMs: number, run: () => void): void {
    this.#appointments.set(name, { atMs, run });
    if (this.#timer === null || atMs < this.#timer.atMs) this.#arm(atMs);
  }

  has(name: string): boolean {
    return this.#appointments.has(name);
  }

  cancel(name: string): void {
    this.#appointments.delete(name);
    if (this.#appointments.size === 0) this.#disarm();
  }

  clear(): void {
    this.#appointments.clear();
    this.#disarm();
  }

  #arm(atMs: number): void {
    this.#disarm();
    const delayMs = Math.min(TIMER_MAX_MS, Math.max(0, atMs - this.#clock.now()));
    // Rounded up: half a millisecond early would find nothing due and spin.
    const handle = this.#clock.setTimeout(() => this.#ring(), Math.ceil(delayMs));
    this.#timer = { handle, atMs };
  }

  #disarm(): void {
    if (this.#timer) this.#clock.clearTimeout(this.#timer.handle);
    this.#timer = null;
  }

  #ring(): void {
    this.#timer = null;
    const nowMs = this.#clock.now();
    const due = [...this.#appointments].filter(([, { atMs }]) => atMs <= nowMs);
    for (const [name, appointment] of due) {
      // An earlier one of this round may have cancelled or moved it.
      if (this.#appointments.get(name) !== appointment) continue;
      this.#appointments.delete(name);
      appointment.run();
    }
    let nextMs = Infinity;
    for (const { atMs } of this.#appointments.values()) nextMs = Math.min(nextMs, atMs);
    if (nextMs !== Infinity) this.#arm(nextMs);
  }
}
