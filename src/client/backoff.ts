export const BACKOFF = {
  /** The first retry comes within this time: most losses are one edge restarting. */
  firstMs: 250,
  baseMs: 250,
  capMs: 10_000,
  /** Success has to last this long before the count of failures starts again. */
  steadyMs: 5_000,
} as const;

/** Full jitter: anything from 0 to a ceiling that doubles; `attempt` counts from 1. */
export function backoffMs(attempt: number, random: () => number): number {
  if (attempt <= 1) return Math.floor(random() * BACKOFF.firstMs);
  // Past 2^20 the cap has long been reached, and 2^1024 would be Infinity.
  const doublings = Math.min(attempt - 1, 20);
  return Math.floor(random() * Math.min(BACKOFF.capMs, BACKOFF.baseMs * 2 ** doublings));
}

/**
 * Counts the failures in a row. A success that ends at once does not reset the
 * count: an edge that greets and then closes would be hammered otherwise.
 */
export class Backoff {
  readonly #random: () => number;
  #attempt = 0;
  #goodSinceMs: number | null = null;

  constructor(random: () => number) {
    this.#random = random;
  }

  get attempt(): number {
    return this.#attempt;
  }

  succeeded(nowMs: number): void {
    this.#goodSinceMs = nowMs;
  }

  /** Milliseconds to wait before the next attempt. */
  failed(nowMs: number): number {
    const steady = this.#goodSinceMs !== null && nowMs - this.#goodSinceMs >= BACKOFF.steadyMs;
    if (steady) this.#attempt = 0;
    this.#goodSinceMs = null;
    this.#attempt += 1;
    return backoffMs(this.#attempt, this.#random);
  }
}
