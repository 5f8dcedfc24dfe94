/** Waiting without holding up the other sockets of the VU. */
import { setTimeout } from "k6/timers";

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(), Math.max(0, ms));
  });
}

/** `ms` since 1970. */
export function until(ms: number): Promise<void> {
  return pause(ms - Date.now());
}
