/**
 * From unit costs and a question to machines. Pure; docs/scaling.md explains it.
 *
 *   edges        hear of every message of the whole deployment, whoever it is for,
 *                and hand theirs to sockets: more edges share the second part only
 *   projectors   share the messages
 *   masters      share the messages, and each is read by every edge and projector
 */
import { costAt, coreShare, type Curve } from "./curve.ts";
import { messageBytes, type MessageBytes } from "./message-bytes.ts";
import type { Question } from "./question.ts";
import { MEASURED_PARTITIONS, type UnitCosts } from "./unit-costs.ts";

/** Counts end here: past it the model is about something else. */
const PROCESSES_MAX = 100_000;
/** As the engine has it, streams/partitions.ts. */
const PARTITIONS_MAX = 1_024;
const DAY_SEC = 86_400;
const GIB = 2 ** 30;

export interface Demand {
  readonly sockets: number;
  readonly meanMessagesPerSec: number;
  readonly messagesPerSec: number;
  readonly deliveriesPerSec: number;
  readonly rooms: number;
}

/** A role's processes, or why no number of them is enough. */
export type Count =
  | { readonly kind: "enough"; readonly count: number }
  | { readonly kind: "never"; readonly because: string };

/** One thing that can be full, in one process of a role, at the peak. */
export interface Resource {
  readonly name: string;
  /** 1 is all that there is, not the target. */
  readonly inUse: number;
  readonly told: string;
  /** By how much the peak can grow before the target is reached, with no process added. */
  readonly headroom: number;
}

export interface Answer {
  readonly demand: Demand;
  readonly bytes: MessageBytes;
  readonly edges: Count;
  readonly projectors: Count;
  readonly masters: Count;
  readonly redisServers: Count;
  /** A power of two; null when there is no number of workers or masters. */
  readonly partitions: number | null;
  /** What saturates first is first. */
  readonly resources: readonly Resource[];
  /** Messages a second past which more edges do not help, at the target. */
  readonly hearingWall: number;
  readonly edgeNetwork: { readonly outBytesPerSec: number; readonly inBytesPerSec: number };
  readonly redisBytes: number;
  readonly archiveBytes: number;
}

export function demandOf(question: Question): Demand {
  const { users, online, msgsPerUserDay, peakFactor, receivers, roomsPerUser, roomSize } = question;
  const mean = (users * msgsPerUserDay) / DAY_SEC;
  const messagesPerSec = mean * peakFactor;
  return {
    sockets: Math.ceil(users * online),
    meanMessagesPerSec: mean,
    messagesPerSec,
    deliveriesPerSec: messagesPerSec * receivers,
    rooms: Math.ceil((users * roomsPerUser) / roomSize),
  };
}

export function answer(costs: UnitCosts, question: Question): Answer {
  const demand = demandOf(question);
  const bytes = messageBytes(question.textBytes);
  const storedBytes = redisBytes(costs, question, demand);
  const { target } = question;
  const edges = smallest(
    (count) => edgeResources(costs, question, { demand, bytes, edges: count }),
    target,
  );
  const projectors = smallest(
    (count) => projectorResources(costs, question, demand, count),
    target,
  );
  const readers = readersOf(edges, projectors);
  const masters =
    readers === null
      ? NOBODY_READS
      : smallest(
          (count) =>
            redisResources(costs, question, { demand, bytes, storedBytes, readers }, count),
          target,
        );
  const roles: readonly Sizing[] = [edges, projectors, masters];
  return {
    demand,
    bytes,
    edges: edges.count,
    projectors: projectors.count,
    masters: masters.count,
    redisServers: times(masters.count, 1 + question.replicas),
    partitions: partitionsFor(projectors.count, masters.count),
    resources: roles.flatMap(({ resources }) => resources).sort((a, b) => a.headroom - b.headroom),
    hearingWall: rateAt(costs.hear, target),
    edgeNetwork: edgeNetwork(demand, bytes, countOf(edges.count) ?? PROCESSES_MAX),
    redisBytes: storedBytes,
    archiveBytes: demand.meanMessagesPerSec * DAY_SEC * question.archiveDays * bytes.entry,
  };
}

/** How many of a role, and how full each of them then is. */
interface Sizing {
  readonly count: Count;
  readonly resources: readonly Resource[];
}
const NOBODY_READS: Sizing = {
  count: { kind: "never", because: "there is no number of edges that would read from it" },
  resources: [],
};

function readersOf(edges: Sizing, projectors: Sizing): number | null {
  const [reading, folding] = [countOf(edges.count), countOf(projectors.count)];
  return reading === null || folding === null ? null : reading + folding;
}

interface EdgeLoad {
  readonly demand: Demand;
  readonly bytes: MessageBytes;
  readonly edges: number;
}

function edgeResources(costs: UnitCosts, question: Question, load: EdgeLoad): Resource[] {
  const { demand, bytes, edges } = load;
  const { target } = question;
  const hearing = coreShare(costs.hear, demand.messagesPerSec);
  const delivering = (demand.deliveriesPerSec / edges) * (costs.deliverUs / 1e6);
  const sockets = demand.sockets / edges;
  const memory = costs.edgeBaseMib * 2 ** 20 + sockets * costs.connectionKib * 1_024;
  const network = edgeNetwork(demand, bytes, edges);
  return [
    resource("edge CPU", hearing + delivering, target, {
      told: `one core: ${percent(hearing)} to hear of all messages, ${percent(delivering)} to hand out its own`,
    }),
    resource("edge memory", memory / (question.edgeGib * GIB), target, {
      told: `${gib(memory)} of ${question.edgeGib} GiB, ${Math.round(sockets)} sockets`,
    }),
    // A limit by choice and not by nature: all of it may be used.
    resource("edge sockets", sockets / question.socketsPerEdge, 1, {
      told: `${Math.round(sockets)} of ${question.socketsPerEdge} that may come back at once`,
    }),
    resource("edge network", network.outBytesPerSec / bytesPerSec(question.gbit), target, {
      told: `${mbit(network.outBytesPerSec)} out, ${mbit(network.inBytesPerSec)} in, of ${question.gbit} Gbit/s`,
    }),
  ];
}

function edgeNetwork(
  { messagesPerSec, deliveriesPerSec }: Demand,
  bytes: MessageBytes,
  edges: number,
): Answer["edgeNetwork"] {
  return {
    outBytesPerSec: (deliveriesPerSec * bytes.delivered + messagesPerSec * bytes.logged) / edges,
    inBytesPerSec: (messagesPerSec * bytes.sent) / edges + messagesPerSec * bytes.rung,
  };
}

function projectorResources(
  costs: UnitCosts,
  { target }: Question,
  { messagesPerSec }: Demand,
  workers: number,
): Resource[] {
  const rate = messagesPerSec / workers;
  return [
    resource("projector CPU", coreShare(costs.projector, rate), target, {
      told: `one core: ${rate.toFixed(0)} msg/s at ${costAt(costs.projector, rate).toFixed(1)} µs`,
    }),
  ];
}

interface RedisLoad {
  readonly demand: Demand;
  readonly bytes: MessageBytes;
  readonly storedBytes: number;
  /** Edges and projectors. */
  readonly readers: number;
}

function redisResources(
  costs: UnitCosts,
  question: Question,
  { demand, bytes, storedBytes, readers }: RedisLoad,
  masters: number,
): Resource[] {
  const { target } = question;
  const rate = demand.messagesPerSec / masters;
  const writing = coreShare(costs.write, rate);
  const reading = readers * coreShare(costs.read, rate);
  const memory = storedBytes / masters;
  const out = rate * (readers * bytes.rung + question.replicas * (bytes.logged + bytes.kept));
  const fsyncs = rate * costs.scriptsPerMessage;
  return [
    resource("Redis CPU", writing + reading, target, {
      told: `one core: ${percent(writing)} to write, ${percent(reading)} for ${readers} readers`,
    }),
    resource("Redis memory", memory / (question.redisGib * GIB), target, {
      told: `${gib(memory)} of ${question.redisGib} GiB`,
    }),
    resource("Redis network", out / bytesPerSec(question.gbit), target, {
      told: `${mbit(out)} out, of ${question.gbit} Gbit/s`,
    }),
    resource("Redis fsync", fsyncs / question.fsyncsPerSec, target, {
      told: `at most ${fsyncs.toFixed(0)} of ${question.fsyncsPerSec} a second; a slow disk makes larger groups`,
    }),
  ];
}

/** Log and histories of the hot days, and what rooms, members and devices cost at rest. */
function redisBytes({ stored }: UnitCosts, question: Question, demand: Demand): number {
  const { textBytes } = question;
  const messages = demand.meanMessagesPerSec * DAY_SEC * question.hotDays;
  const kept = Math.min(messages, demand.rooms * question.historyPerRoom);
  const memberships = question.users * question.roomsPerUser;
  const atRest = demand.rooms * stored.roomBytes + memberships * stored.membershipBytes;
  return atRest + messages * stored.logBytes(textBytes) + kept * stored.historyBytes(textBytes);
}

/** The fewest processes with which nothing is over its target. */
function smallest(resourcesOf: (count: number) => readonly Resource[], target: number): Sizing {
  const over = (count: number): Resource[] =>
    resourcesOf(count).filter(({ headroom }) => headroom < 1);
  const still = over(PROCESSES_MAX);
  if (still.length > 0) {
    const [{ name, told }] = still as [Resource];
    const because = `${name} stays over ${percent(target)} however many there are: ${told}`;
    return { count: { kind: "never", because }, resources: still };
  }
  let [low, high] = [1, PROCESSES_MAX];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (over(middle).length === 0) high = middle;
    else low = middle + 1;
  }
  return { count: { kind: "enough", count: low }, resources: resourcesOf(low) };
}

/** As many for each worker and each master as were measured with one of them. */
function partitionsFor(projectors: Count, masters: Count): number | null {
  const [workers, servers] = [countOf(projectors), countOf(masters)];
  if (workers === null || servers === null) return null;
  const wanted = MEASURED_PARTITIONS * Math.max(workers, servers);
  return Math.min(PARTITIONS_MAX, 2 ** Math.ceil(Math.log2(wanted)));
}

/** The rate at which a process is at the target by this cost alone. */
export function rateAt(curve: Curve, target: number): number {
  let [low, high] = [0, 1e9];
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (coreShare(curve, middle) <= target) low = middle;
    else high = middle;
  }
  return low;
}

function resource(
  name: string,
  inUse: number,
  target: number,
  { told }: { told: string },
): Resource {
  return { name, inUse, told, headroom: inUse === 0 ? Infinity : target / inUse };
}

export function countOf(count: Count): number | null {
  return count.kind === "enough" ? count.count : null;
}

function times(count: Count, factor: number): Count {
  return count.kind === "enough" ? { kind: "enough", count: count.count * factor } : count;
}

function bytesPerSec(gbit: number): number {
  return (gbit * 1e9) / 8;
}
function mbit(perSec: number): string {
  return `${((perSec * 8) / 1e6).toFixed(0)} Mbit/s`;
}
function gib(bytes: number): string {
  return (bytes / GIB).toFixed(1);
}
function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
