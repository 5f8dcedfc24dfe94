/**
 * What a message cost, role by role, wherever a result has it. Scenarios nest
 * their measurements in cases of their own shape; what `Load.measure` returned
 * looks the same in all of them, so it is found by its looks.
 */
import { isRecord, numberAt, type Result } from "./results.ts";

/** The engine, measured once. Costs are CPU microseconds for each message sent. */
export interface EnginePoint {
  readonly file: string;
  readonly scenario: string;
  /** The fields of the case that say what it was, such as `mode bell rooms 100`. */
  readonly label: string;
  readonly messagesPerSec: number;
  readonly deliveriesPerMessage: number;
  readonly edges: number;
  readonly projectors: number;
  readonly redisUs: number;
  /** Of one edge, the mean of all. */
  readonly edgeUs: number;
  /** Of one projector, the mean of all, for each message that any of them took. */
  readonly projectorUs: number;
  /** Of what Redis spent in commands, the share that went into XREADs. */
  readonly readShare: number;
  /** Scripts run for each message: each is one commit at most. */
  readonly scriptsPerMessage: number;
}

/** Empty where a scenario has none. What lost, doubled, reordered or refused a message is no point. */
export function enginePoints(result: Result): EnginePoint[] {
  const found: EnginePoint[] = [];
  const walk = (value: unknown, labels: readonly string[]): void => {
    if (Array.isArray(value)) for (const each of value as unknown[]) walk(each, labels);
    if (!isRecord(value)) return;
    const point = pointOf(value);
    if (point) {
      found.push({
        ...point,
        file: result.file,
        scenario: result.scenario,
        label: labels.join(" "),
      });
      return;
    }
    const own = Object.entries(value).flatMap(([name, each]) =>
      IS_LABEL[typeof each] === true && !UNSAID.test(name) ? [`${name} ${String(each)}`] : [],
    );
    for (const [name, each] of Object.entries(value)) {
      const inside = isRecord(each) && !UNSAID.test(name) ? [name] : [];
      walk(each, [...labels, ...own, ...inside]);
    }
  };
  walk(result.cases, []);
  return found;
}

const IS_LABEL: Readonly<Record<string, true>> = { string: true, number: true, boolean: true };
/** What every point has, and ratios, which are conclusions. */
const UNSAID = /^(messagesPerSec|engine|measured|.*ratio)$/i;

type Found = Omit<EnginePoint, "file" | "scenario" | "label">;

function pointOf(value: Readonly<Record<string, unknown>>): Found | null {
  const { processes, redisCommands, report } = value;
  if (!Array.isArray(processes) || !isRecord(redisCommands) || !isRecord(report)) return null;
  const costs = processes.map(costOf);
  const of = (role: string): readonly Cost[] =>
    costs.filter(({ name }) => name === role || name.startsWith(`${role} `));
  const [redis, edges, projectors] = [of("redis"), of("edge"), of("projector")];
  const usual = redis.length > 0 && edges.length > 0 && projectors.length > 0;
  if (!usual || !isWhole(report)) return null;
  const scripts = commandUse(redisCommands, /^(evalsha|eval|fcall)$/);
  const reads = commandUse(redisCommands, /^xread$/);
  return {
    messagesPerSec: rateOf(costs),
    deliveriesPerMessage: numberAt(report, "latencyMs", "samples") / numberAt(report, "messages"),
    edges: edges.length,
    projectors: projectors.length,
    redisUs: mean(redis),
    edgeUs: mean(edges),
    projectorUs: mean(projectors),
    readShare: reads.us / (reads.us + scripts.us),
    scriptsPerMessage: scripts.calls,
  };
}

interface Cost {
  readonly name: string;
  readonly us: number;
  readonly share: number;
}

function costOf(value: unknown): Cost {
  const name = isRecord(value) && typeof value["name"] === "string" ? value["name"] : "";
  return { name, us: numberAt(value, "cpuUsPerMessage"), share: numberAt(value, "cpuShare") };
}

/** A share of a core over the cost of a message is messages a second; both are rounded, so by their sums. */
function rateOf(costs: readonly Cost[]): number {
  const share = costs.reduce((sum, cost) => sum + cost.share, 0);
  const us = costs.reduce((sum, cost) => sum + cost.us, 0);
  return Number(((share * 1e6) / us).toPrecision(3));
}

function isWhole(report: Readonly<Record<string, unknown>>): boolean {
  const wrong = ["lost", "doubled", "reordered", "refused"] as const;
  return wrong.every((name) => numberAt(report, "completeness", name) === 0);
}

function commandUse(
  commands: Readonly<Record<string, unknown>>,
  wanted: RegExp,
): { us: number; calls: number } {
  let [us, calls] = [0, 0];
  for (const [name, use] of Object.entries(commands)) {
    if (!wanted.test(name)) continue;
    us += numberAt(use, "us");
    calls += numberAt(use, "calls");
  }
  return { us, calls };
}

function mean(costs: readonly Cost[]): number {
  return costs.reduce((sum, { us }) => sum + us, 0) / costs.length;
}
