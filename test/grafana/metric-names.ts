/** Which metrics a PromQL expression asks for. */

/** Names as they stand, without the suffixes that a histogram's lines have. */
export function metricsIn(promql: string): string[] {
  const found = promql.match(/\b(millrace|process|nodejs|k6)_\w+/g) ?? [];
  return found.map((name) => name.replace(/_(bucket|sum|count)$/, ""));
}
