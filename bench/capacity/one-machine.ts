/** How much one machine like the measured one carries, all roles on it, as `npm start` runs them. */
import { costAt, coreShare } from "./curve.ts";
import type { UnitCosts } from "./unit-costs.ts";

export interface OneMachine {
  readonly cores: number;
  readonly edges: number;
  readonly receivers: number;
  readonly messagesPerSec: number;
  readonly deliveriesPerSec: number;
  /** What keeps it from more. */
  readonly by: string;
}

const EDGES = 2;
/** Beyond any machine; a search has to end somewhere. */
const RATE_MAX = 1e7;

/** Two edges and one projector, as in the measurements; clients are elsewhere. */
export function oneMachine(costs: UnitCosts, receivers: number, target: number): OneMachine {
  const full = (rate: number): [string, number][] => {
    const { redis, edge, projector } = shares(costs, receivers, rate);
    return [
      ["all its cores", (redis + EDGES * edge + projector) / costs.machine.cores],
      ["Redis, one core", redis],
      ["an edge, one core", edge],
      ["the projector, one core", projector],
    ];
  };
  let [low, high] = [0, RATE_MAX];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (full(middle).every(([, inUse]) => inUse <= target)) low = middle;
    else high = middle;
  }
  const [by] = full(low).sort(([, a], [, b]) => b - a)[0] as [string, number];
  return {
    cores: costs.machine.cores,
    edges: EDGES,
    receivers,
    messagesPerSec: low,
    deliveriesPerSec: low * receivers,
    by,
  };
}

function shares(
  costs: UnitCosts,
  receivers: number,
  rate: number,
): { redis: number; edge: number; projector: number } {
  const readers = EDGES + 1;
  const redis = costAt(costs.write, rate) + readers * costAt(costs.read, rate);
  const delivering = (receivers / EDGES) * costs.deliverUs;
  return {
    redis: (rate * redis) / 1e6,
    edge: coreShare(costs.hear, rate) + (rate * delivering) / 1e6,
    projector: coreShare(costs.projector, rate),
  };
}
