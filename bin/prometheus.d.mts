/** For tests, which are type-checked and look for the same programs. */
interface Programs {
  readonly prometheus: string;
  readonly promtool: string;
}
export function findPrometheus(): Programs | null;
export function ensurePrometheus(): Programs;
