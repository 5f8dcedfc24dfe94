/** What one of each thing costs, read from results: the only figures that the model has. */
import { enginePoints, type EnginePoint } from "../report/engine-points.ts";
import { isRecord, numberAt, type Result, type Results } from "../report/results.ts";
import { CapacityError } from "./capacity-error.ts";
import { storedCosts, type StoredCosts } from "./stored-costs.ts";
import { costOnCurve, fit, FIT_POINTS_MIN, type Curve } from "./curve.ts";

export interface UnitCosts {
  readonly machine: { readonly cpu: string; readonly cores: number };
  /** Of Redis, a message: both scripts, and what goes with them. */
  readonly write: Curve;
  /** Of Redis, a message and reader: each edge and projector reads everything. */
  readonly read: Curve;
  readonly projector: Curve;
  /** Of one edge, a message that it hears of: everything but the sockets. */
  readonly hear: Curve;
  /** Of one edge, a message that it hands to one socket. */
  readonly deliverUs: number;
  readonly edgeBaseMib: number;
  readonly connectionKib: number;
  readonly stored: StoredCosts;
  readonly scriptsPerMessage: number;
  readonly sources: readonly Source[];
}

/** Where a cost comes from, for people. */
export interface Source {
  readonly cost: string;
  readonly value: string;
  readonly from: string;
}

/** Of every scenario, see engine/stack.ts. */
export const MEASURED_PARTITIONS = 16;

/** Throws CapacityError where a scenario is missing, has too few rates or lost something. */
export function unitCosts(results: Results): UnitCosts {
  const rates = resultOf(results, "rates");
  const idle = resultOf(results, "idle");
  const points = ratePoints(rates);
  const deliver = deliveryCost(results, rates);
  const edge = idle.cases.find((each) => isRecord(each) && each["name"] === "edge");
  const curves = fitCurves(points, deliver.us);
  const fastest = points.reduce((a, b) => (a.messagesPerSec > b.messagesPerSec ? a : b));
  const stored = storedCosts(results, needed(idle, "redisKibPerRoom", edge) * 1_024, idle.file);
  return {
    machine: rates.machine,
    ...curves,
    deliverUs: deliver.us,
    edgeBaseMib: needed(idle, "rssMibBefore", edge),
    connectionKib: needed(idle, "rssKibPerConnection", edge),
    stored,
    scriptsPerMessage: fastest.scriptsPerMessage,
    sources: [
      ...Object.entries(curves).map(([name, curve]) => ({
        cost: CURVE_NAMES[name as keyof Curves],
        value: toldCurve(curve),
        from: `${rates.file}, ${points.length} rates`,
      })),
      { cost: "edge, a delivery", value: `${deliver.us.toFixed(1)} µs`, from: deliver.from },
      {
        cost: "edge, a connection",
        value: `${needed(idle, "rssKibPerConnection", edge)} KiB`,
        from: idle.file,
      },
      { cost: "Redis, a room", value: `${stored.roomBytes.toFixed(0)} B`, from: stored.from },
      {
        cost: "Redis, a message of 64 B",
        value: `${stored.logBytes(64).toFixed(0)} B in the log, ${stored.historyBytes(64).toFixed(0)} B in a history`,
        from: stored.messagesFrom,
      },
    ],
  };
}

export type Curves = Pick<UnitCosts, "write" | "read" | "projector" | "hear">;
export const CURVE_NAMES: Readonly<Record<keyof Curves, string>> = {
  write: "Redis, a message written",
  read: "Redis, a message read by one reader",
  projector: "projector, a message",
  hear: "edge, a message heard of",
};

/** The part of a point's costs that each curve describes, µs a message. */
export function partsOf(point: EnginePoint, deliverUs: number): Record<keyof Curves, number> {
  const readers = point.edges + point.projectors;
  const delivered = (deliverUs * point.deliveriesPerMessage) / point.edges;
  return {
    write: point.redisUs * (1 - point.readShare),
    read: (point.redisUs * point.readShare) / readers,
    projector: point.projectorUs,
    // Deliveries were measured elsewhere, so that little may be left; nothing cannot be.
    hear: Math.max(point.edgeUs - delivered, point.edgeUs * LEFT_SHARE_MIN),
  };
}
const LEFT_SHARE_MIN = 0.05;

export function fitCurves(points: readonly EnginePoint[], deliverUs: number): Curves {
  const curveOf = (name: keyof Curves): Curve =>
    fit(
      points.map((point) => ({
        messagesPerSec: point.messagesPerSec,
        us: partsOf(point, deliverUs)[name],
      })),
    );
  return {
    write: curveOf("write"),
    read: curveOf("read"),
    projector: curveOf("projector"),
    hear: curveOf("hear"),
  };
}

/** The points that the curves are fitted to. */
export function ratePoints(rates: Result): EnginePoint[] {
  const points = enginePoints(rates);
  if (points.some((point) => !Number.isFinite(point.edgeUs + point.redisUs + point.readShare))) {
    throw new CapacityError("bad-result", `${rates.file}: a case lacks its costs`);
  }
  const distinct = new Set(points.map(({ messagesPerSec }) => messagesPerSec)).size;
  if (distinct >= FIT_POINTS_MIN) return points;
  throw new CapacityError(
    "bad-result",
    `${rates.file}: has the engine at ${distinct} rates without loss, ${FIT_POINTS_MIN} are needed; run: npm run bench -- rates`,
  );
}

export function resultOf(results: Results, scenario: string): Result {
  const result = results.get(scenario);
  const again = `run: npm run bench -- ${scenario}`;
  if (!result) {
    throw new CapacityError("missing-result", `there is no result of ${scenario}; ${again}`);
  }
  if (result.faults.length === 0) return result;
  throw new CapacityError("bad-result", `${result.file}: ${result.faults.join("; ")}; ${again}`);
}

/**
 * One room with very many receivers is nearly all deliveries. Until that was
 * measured the floor has to do: one process that takes a message in and hands it
 * out, each of them a frame.
 */
export function deliveryCost(results: Results, rates: Result): { us: number; from: string } {
  const large = results.get("large-room");
  const [most] = (large ? enginePoints(large) : []).sort(
    (a, b) => b.deliveriesPerMessage - a.deliveriesPerMessage,
  );
  if (most) {
    const us = (most.edgeUs * most.edges) / most.deliveriesPerMessage;
    return { us, from: `${most.file}, ${Math.round(most.deliveriesPerMessage)} receivers` };
  }
  const floors = rates.cases.map((each) => {
    const floor = isRecord(each) ? each["floor"] : undefined;
    const messages = numberAt(floor, "report", "messages");
    const frames = 1 + numberAt(floor, "report", "latencyMs", "samples") / messages;
    return {
      rate: numberAt(each, "messagesPerSec"),
      us: numberAt(floor, "cpuUsPerMessage") / frames,
    };
  });
  const best = floors.filter(({ us }) => us > 0).sort((a, b) => b.rate - a.rate)[0];
  if (best) return { us: best.us, from: `${rates.file}, floor at ${best.rate} msg/s, a frame` };
  throw new CapacityError("missing-result", "no result says what a delivery costs: run large-room");
}

function needed(result: Result, name: string, of: unknown): number {
  const value = numberAt(of, name);
  if (value > 0) return value;
  throw new CapacityError("bad-result", `${result.file}: has no ${name} of an edge`);
}

function toldCurve(curve: Curve): string {
  const told = (rate: number): string => costOnCurve(curve, rate).toFixed(1);
  return `${told(curve.from)} µs at ${curve.from} msg/s, ${told(curve.to)} at ${curve.to}`;
}
