/** The outcome of a run as text, for people. */
import type { Outcome } from "./outcome.ts";

export function outcomeTable(outcome: Outcome): string {
  const { scenario, sizes, counts } = outcome;
  const { vus, sockets, rooms, rate, seconds } = sizes;
  const wrong = ["missing", "doubled", "holes", "unseen", "ghosts", "errors"];
  const count = (name: string): string => `${name} ${(counts[name] ?? 0).toLocaleString("en")}`;
  const others = Object.keys(counts).filter((name) => !wrong.includes(name) && counts[name] !== 0);
  return [
    `${scenario}: ${vus} users × ${sockets} sockets, rooms ${rooms}, ${rate} messages/s, ${seconds} s`,
    "",
    others.map(count).join("   "),
    wrong.map(count).join("   "),
    "",
    ...timings(outcome),
    "",
    ...memory(outcome),
    ...outcome.checks.map(
      ({ name, passes, fails }) => `${mark(fails === 0)} ${name}: ${passes} of ${passes + fails}`,
    ),
    "",
    ...outcome.verdicts.map(
      ({ metric, threshold, held }) => `${mark(held)} ${metric} ${threshold}`,
    ),
    "",
  ].join("\n");
}

const mark = (held: boolean): string => (held ? "✓" : "✗");

function timings({ timings }: Outcome): string[] {
  const rows = timings
    .filter(({ count }) => count > 0)
    .map(({ name, count, p50, p95, p99, max }) => [
      name,
      count.toLocaleString("en"),
      ...[p50, p95, p99, max].map((ms) => ms.toFixed(1)),
    ]);
  return table([["ms", "count", "p50", "p95", "p99", "max"], ...rows]);
}

function memory({ memory }: Outcome): string[] {
  if (memory.length === 0) return [];
  const rows = memory.map(({ name, before, after }) => [name, `${before}`, `${after}`]);
  return [...table([["MiB", "before", "after"], ...rows]), ""];
}

/** Columns side by side; all but the first are numbers. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("   "),
  );
}
