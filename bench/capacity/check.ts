/** How far the model is off, at points that it was not fitted to. */
import { enginePoints, type EnginePoint } from "../report/engine-points.ts";
import type { Results } from "../report/results.ts";
import { costAt, costOnCurve, FIT_POINTS_MIN } from "./curve.ts";
import { deliveryCost, fitCurves, ratePoints, resultOf, type Curves } from "./unit-costs.ts";

export interface Checked {
  readonly file: string;
  readonly label: string;
  readonly messagesPerSec: number;
  /** Whether the rate lies between rates that the curves were fitted to. */
  readonly within: boolean;
  readonly parts: readonly Part[];
}
export interface Part {
  readonly name: "all" | "redis" | "edge" | "projector";
  /** CPU µs a message, of all processes of the role. */
  readonly measured: number;
  readonly predicted: number;
  /** Of what was measured; above zero the model says too much. */
  readonly error: number;
}

/** Of these the model speaks: the engine as it is run, with its rooms heard of by bells. */
const HELD_OUT = ["rooms", "scale", "limit", "pace", "closed", "tail-curve"] as const;
/** In `rooms` and `tail-curve`; the model has no edge that reads rooms one by one. */
const NOT_MODELLED = /\bdirect\b/;

/** Each rate left out of the fit and predicted by the others; then cases of other scenarios. */
export function check(results: Results): Checked[] {
  const rates = resultOf(results, "rates");
  const points = ratePoints(rates);
  const { us } = deliveryCost(results, rates);
  // At the ends the others have to be prolonged; between them they only have to be joined.
  const leftOut = points.flatMap((point) => {
    const others = points.filter((each) => each !== point);
    if (others.length < FIT_POINTS_MIN) return [];
    return [compared(point, fitCurves(others, us), us, costOnCurve)];
  });
  const curves = fitCurves(points, us);
  const heldOut = HELD_OUT.flatMap((name) => {
    const result = results.get(name);
    if (!result || result.faults.length > 0) return [];
    return enginePoints(result)
      .filter(({ label }) => !NOT_MODELLED.test(label))
      .map((point) => compared(point, curves, us, costAt));
  });
  return [...leftOut, ...heldOut];
}

function compared(
  point: EnginePoint,
  curves: Curves,
  deliverUs: number,
  cost: typeof costAt,
): Checked {
  const { messagesPerSec, edges, projectors, deliveriesPerMessage } = point;
  const { write, read, projector, hear } = curves;
  const readers = edges + projectors;
  const redis = cost(write, messagesPerSec) + readers * cost(read, messagesPerSec);
  const edge = edges * cost(hear, messagesPerSec) + deliveriesPerMessage * deliverUs;
  const fold = cost(projector, messagesPerSec / projectors);
  const measured = {
    redis: point.redisUs,
    edge: point.edgeUs * edges,
    projector: point.projectorUs * projectors,
  };
  return {
    file: point.file,
    label: point.label,
    messagesPerSec,
    within: messagesPerSec >= hear.from && messagesPerSec <= hear.to,
    parts: [
      part("all", measured.redis + measured.edge + measured.projector, redis + edge + fold),
      part("redis", measured.redis, redis),
      part("edge", measured.edge, edge),
      part("projector", measured.projector, fold),
    ],
  };
}

function part(name: Part["name"], measured: number, predicted: number): Part {
  return { name, measured, predicted, error: predicted / measured - 1 };
}

/** Half of them are closer than this. */
export function medianError(checked: readonly Checked[]): number {
  const errors = checked.map(({ parts }) => Math.abs(parts[0]?.error ?? 0)).sort((a, b) => a - b);
  const middle = (errors.length - 1) / 2;
  return ((errors[Math.floor(middle)] ?? 0) + (errors[Math.ceil(middle)] ?? 0)) / 2;
}
