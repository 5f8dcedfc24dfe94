/** How long a test waits for what comes by itself: a limit against hanging, not a gate on speed. */
export const PATIENCE_MS = 15_000;
