/**
 * How far apart a loop's ticks begin, by how much there is to do.
 *
 * A process that wakes for every message pays for the waking, not for the work:
 * below some thousand messages a second that is most of the cost. So a busy loop
 * rests until the pace is over and takes what has gathered in one tick; an idle one
 * does not rest at all, but blocks, and answers at once. Work counts as part of the
 * pace: the longer ticks get, the less there is to rest.
 *
 *   pace (ms)
 *        maxMs ┤                 ┌──────────
 *              │             ╱
 *        minMs ┤        ┌╱
 *           0  ┼────────┘
 *              0     busyAt        fullAt      messages a second
 */
export interface PaceBounds {
  /** Messages a second from which the loop rests. */
  readonly busyAt: number;
  readonly minMs: number;
  /** Messages a second at which the pace is slowest. */
  readonly fullAt: number;
  readonly maxMs: number;
}

/** What is left of a pace after a tick that took so long. */
export function restOf(paceMs: number, tickMs: number): number {
  return Math.max(0, paceMs - tickMs);
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

  /** Messages a second, as of the last `paceMs`. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** From the beginning of one tick to that of the next; 0 means: block until there is something. */
  paceMs(nowMs: number): number {
    const elapsed = nowMs - this.#since;
    if (elapsed > 0) {
      const rate = (this.#noted * 1000) / elapsed;
      const weight = 1 - Math.exp(-elapsed / WINDOW_MS);
      this.#perSecond += (rate - this.#perSecond) * weight;
      this.#noted = 0;
      this.#since = nowMs;
    }
    const { busyAt, fullAt, minMs, maxMs } = this.#bounds;
    if (this.#perSecond < busyAt) return 0;
    const load = Math.min(1, (this.#perSecond - busyAt) / (fullAt - busyAt));
    return minMs + (maxMs - minMs) * load;
  }
}
