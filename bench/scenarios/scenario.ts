import type { Measured } from "../load/measure.ts";
import type { Completeness } from "../load/plan.ts";

/** What a scenario is given. */
export interface Bench {
  /** A few seconds, to see that it works: the figures mean nothing. */
  readonly quick: boolean;
  /** Of a scenario that has some, only these; null: its own. */
  readonly points: readonly number[] | null;
  /** One line on what goes on, replaced by the next. */
  readonly say: (text: string) => void;
  /** Before each thing that is measured: waits, for a while, for others to be done. */
  readonly untilQuiet: () => Promise<void>;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** What the points are at which it measures; absent where they cannot be chosen. */
  readonly points?: string;
  run(bench: Bench): Promise<Findings>;
}

export interface Findings {
  /** For people; the first row is the head. */
  readonly table: readonly (readonly string[])[];
  /** For machines: everything that was measured. */
  readonly cases: readonly object[];
  /** What was lost, doubled or reordered. Anything in here fails the run. */
  readonly faults: readonly string[];
}

/** Empty when everything arrived once and in order. */
export function faultsOf(name: string, { completeness }: Measured["report"]): string[] {
  const { lost, doubled, reordered, refused } = completeness;
  return lost + doubled + reordered + refused === 0 ? [] : [`${name}: ${told(completeness)}`];
}

/** Completeness, in the words that every result has. */
export function told({ lost, doubled, reordered, refused }: Completeness): string {
  // The client sends again what was put off; the generator does not, so nothing can be said of loss.
  if (refused > 0) return "past its limit: commands were put off";
  return `lost ${lost} doubled ${doubled} reordered ${reordered}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
