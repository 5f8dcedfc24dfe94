import type { Measured } from "../load/measure.ts";
import type { Completeness } from "../load/plan.ts";

/** What a scenario is given. */
export interface Bench {
  /** A few seconds, to see that it works: the figures mean nothing. */
  readonly quick: boolean;
  /** Of a scenario that has some, only these; null: its own. */
  readonly points: readonly number[] | null;
  /** Whether what others have made is measured too. */
  readonly peers: boolean;
  /** Path of a binary of Centrifugo 6. */
  readonly centrifugo: string | null;
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
export function faultsOf(
  name: string,
  { completeness }: Pick<Measured["report"], "completeness">,
): string[] {
  const { lost, doubled, reordered, disagreed, refused, closed } = completeness;
  const wrong = lost + doubled + reordered + disagreed + refused + closed;
  return wrong === 0 ? [] : [`${name}: ${told(completeness)}`];
}

/** Completeness, in the words that every result has. */
export function told(completeness: Completeness): string {
  const { sent, lost, doubled, reordered, disagreed, refused, closed } = completeness;
  // A client sends again, or comes back; the generator does not, so nothing can be said of loss.
  if (closed > 0) return `past its limit: closed ${closed} sockets`;
  if (refused > 0) return "past its limit: commands were put off";
  if (completeness.unfinished) {
    return `past its limit: of ${sent} messages ${lost} deliveries were still to come at the end`;
  }
  const others = disagreed === 0 ? "" : `, ${disagreed} in another order than at other members`;
  return `lost ${lost} doubled ${doubled} reordered ${reordered}${others}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
