/**
 * Fails a test file that leaves a socket, a server or a child process behind:
 * what leaks in a test leaks in production. Runs after the file's own hooks.
 */
import { afterAll } from "vitest";

const KINDS = new Set([
  "TCPSocketWrap",
  "TCPServerWrap",
  "PipeServerWrap",
  "PipeWrap",
  "ProcessWrap",
]);
/** Closing takes a few turns of the event loop; a leak does not go away. */
const GRACE_MS = 3_000;

function held(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => KINDS.has(kind));
}

const before = held().length;

afterAll(async () => {
  const deadline = performance.now() + GRACE_MS;
  while (held().length > before && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const now = held();
  if (now.length > before) {
    throw new Error(`left behind: ${now.length - before} of ${[...new Set(now)].join(", ")}`);
  }
});
