/**
 * The only reader of the time. Nothing decided by the engine depends on it: a
 * command's time is the store's, and leases run on the store's clock.
 */

/** Milliseconds since 1970; may jump. For what people read. */
export function now(): number {
  return Date.now();
}

/** Milliseconds since the process started, with fractions; never jumps. For durations. */
export function monotonicMs(): number {
  return performance.now();
}
