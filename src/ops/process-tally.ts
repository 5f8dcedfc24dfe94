/** What a process itself costs and how it feels: CPU, memory, garbage collection, event loop. */
import {
  PerformanceObserver,
  constants,
  performance,
  type PerformanceEntry,
} from "node:perf_hooks";

import { monotonicMs, now } from "./clock.ts";
import { Distribution, SECONDS } from "./distribution.ts";
import type { Publisher } from "./metrics.ts";

/**
 * Time between two looks at the event loop. Every wake-up of an idle process
 * costs some 0.1 ms, so perf_hooks' own monitor, made to wake a hundred times a
 * second, would be the most expensive thing that an idle role does.
 */
const LOOK_MS = 500;
const GC_KINDS: Readonly<Record<number, GcKind>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};
type GcKind = "minor" | "major" | "incremental" | "weakcb";

export class ProcessTally {
  readonly #startedAt = now() / 1_000 - process.uptime();
  readonly #delay = new Distribution(SECONDS);
  readonly #gc: Readonly<Record<GcKind, Distribution>> = {
    minor: new Distribution(SECONDS),
    major: new Distribution(SECONDS),
    incremental: new Distribution(SECONDS),
    weakcb: new Distribution(SECONDS),
  };
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) this.#collected(entry);
  });
  #timer: NodeJS.Timeout | null = null;
  #dueMs = 0;

  start(): void {
    this.#observer.observe({ entryTypes: ["gc"] });
    this.#dueMs = monotonicMs() + LOOK_MS;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    this.#observer.disconnect();
    if (this.#timer) clearInterval(this.#timer);
  }

  #look(): void {
    const lateMs = Math.max(0, monotonicMs() - this.#dueMs);
    this.#delay.note(lateMs / 1_000);
    this.#dueMs = monotonicMs() + LOOK_MS;
  }

  #collected(entry: PerformanceEntry): void {
    // The type declarations leave out what only some kinds of entries have.
    const { detail } = entry as PerformanceEntry & { readonly detail?: { readonly kind: number } };
    const name = GC_KINDS[detail?.kind ?? 0];
    if (name !== undefined) this.#gc[name].note(entry.duration / 1_000);
  }

  publish(to: Publisher): void {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, external } = process.memoryUsage();
    to.set("process_cpu_user_seconds_total", user / 1e6);
    to.set("process_cpu_system_seconds_total", system / 1e6);
    to.set("process_resident_memory_bytes", rss);
    to.set("process_start_time_seconds", this.#startedAt);
    to.set("nodejs_heap_size_used_bytes", heapUsed);
    to.set("nodejs_external_memory_bytes", external);
    for (const [kind, pauses] of Object.entries(this.#gc)) {
      to.distribution("nodejs_gc_duration_seconds", pauses, { kind });
    }
    to.distribution("millrace_event_loop_delay_seconds", this.#delay);
    to.set(
      "millrace_event_loop_busy_seconds_total",
      performance.eventLoopUtilization().active / 1_000,
    );
  }
}
