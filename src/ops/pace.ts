/**
 * How long a loop rests between two ticks, by how much there is to do.
 *
 * A process that wakes for every message pays for the waking, not for the work:
 * below some thousand messages a second that is most of the cost. So a busy loop
 * rests and takes what has gathered in one tick; an idle one does not rest at
 * all, but blocks, and answers at once.
 *
 *   rest (ms)
 *   restMaxMs ┤                 ┌──────────
 *             │             ╱
 *   restMinMs ┤        ┌╱
 *          0  ┼────────┘
 *             0     busyAt        fullAt      messages a second
 */
export interface PaceBounds {
  /** Messages a second from which the loop rests. */
  readonly busyAt: number;
  readonly restMinMs: number;
  /** Messages a second at which the rest is longest. */
  readonly fullAt: number;
  readonly restMaxMs: number;
}

/** The rate is a moving average over about this long: quick to rise, and no flutter. */
const WINDOW_MS = 200;

export class Pace {
  readonly #bounds: PaceBounds;
  #perSecond = 0;
  #noted = 0;
  #since: number;

  /** `nowMs` is monotonic. */
  constructor(bounds: PaceBounds, nowMs: number) {
    this.#bounds = bounds;
    this.#since = nowMs;
  }

  note(messages: number): void {
    this.#noted += messages;
  }

  /** Messages a second, as of the last `restMs`. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Rest before the next tick; 0 means: block until there is something. */
  restMs(nowMs: number): number {
    const elapsed = nowMs - this.#since;
    if (elapsed > 0) {
      const rate = (this.#noted * 1000) / elapsed;
      const weight = 1 - Math.exp(-elapsed / WINDOW_MS);
      this.#perSecond += (rate - this.#perSecond) * weight;
      this.#noted = 0;
      this.#since = nowMs;
    }
    const { busyAt, fullAt, restMinMs, restMaxMs } = this.#bounds;
    if (this.#perSecond < busyAt) return 0;
    const load = Math.min(1, (this.#perSecond - busyAt) / (fullAt - busyAt));
    return restMinMs + (restMaxMs - restMinMs) * load;
  }
}
