/**
 * What a message costs a process, as a function of how many it has to do with a
 * second. It falls with load, because a process that wakes up for one message
 * pays the waking alone, and one that wakes up for a hundred shares it:
 *
 *   cost(rate) = work + waking / (rate + bend)
 *
 * `work` is what a message costs at any rate. `waking` is what the waking costs
 * a second, in microseconds, once the process is busy: then its pace says how
 * often it wakes. Below `bend` messages a second it wakes for each of them.
 */
export interface Curve {
  readonly workUs: number;
  readonly wakingUsPerSec: number;
  readonly bendPerSec: number;
  /** Rates between which it was measured. */
  readonly from: number;
  readonly to: number;
}

export interface CurvePoint {
  readonly messagesPerSec: number;
  readonly us: number;
}

/** Fewer points than parameters fit anything. */
export const FIT_POINTS_MIN = 3;
const BENDS = [0, ...Array.from({ length: 61 }, (_, i) => 10 ** (i / 12))];

/** The least squares of relative errors: a tenth off counts the same at every rate. */
export function fit(points: readonly CurvePoint[]): Curve {
  if (points.length < FIT_POINTS_MIN) {
    throw new RangeError(`${FIT_POINTS_MIN} points make a curve, not ${points.length}`);
  }
  const rates = points.map(({ messagesPerSec }) => messagesPerSec);
  const range = { from: Math.min(...rates), to: Math.max(...rates) };
  const fits = BENDS.map((bendPerSec) => ({
    ...range,
    bendPerSec,
    ...fitBelow(points, bendPerSec),
  }));
  return fits.reduce((best, each) => (misfit(each, points) < misfit(best, points) ? each : best));
}

/** By the curve alone, also where nothing was measured. */
export function costOnCurve(curve: Curve, messagesPerSec: number): number {
  return curve.workUs + curve.wakingUsPerSec / (messagesPerSec + curve.bendPerSec);
}

/** Above the highest rate that was measured nothing is believed to become cheaper. */
export function costAt(curve: Curve, messagesPerSec: number): number {
  return costOnCurve(curve, Math.min(messagesPerSec, curve.to));
}

/** Of one core, at so many messages a second. Never falls with the rate. */
export function coreShare(curve: Curve, messagesPerSec: number): number {
  return (messagesPerSec * costAt(curve, messagesPerSec)) / 1e6;
}

/** For one bend the rest is linear. Costs below zero do not exist. */
function fitBelow(
  points: readonly CurvePoint[],
  bendPerSec: number,
): Pick<Curve, "workUs" | "wakingUsPerSec"> {
  let [ww, wx, xx, w, x] = [0, 0, 0, 0, 0];
  for (const { messagesPerSec, us } of points) {
    const work = 1 / us;
    const waking = 1 / (messagesPerSec + bendPerSec) / us;
    ww += work * work;
    wx += work * waking;
    xx += waking * waking;
    w += work;
    x += waking;
  }
  const determinant = ww * xx - wx * wx;
  const workUs = (w * xx - x * wx) / determinant;
  const wakingUsPerSec = (x * ww - w * wx) / determinant;
  if (!(workUs >= 0)) return { workUs: 0, wakingUsPerSec: x / xx };
  if (!(wakingUsPerSec >= 0)) return { workUs: w / ww, wakingUsPerSec: 0 };
  return { workUs, wakingUsPerSec };
}

function misfit(curve: Curve, points: readonly CurvePoint[]): number {
  return points.reduce(
    (sum, { messagesPerSec, us }) => sum + (costOnCurve(curve, messagesPerSec) / us - 1) ** 2,
    0,
  );
}
