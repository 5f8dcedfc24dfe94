/**
 * From commands to the log: gathers what arrives, appends it in packed batches,
 * and tells each sender how it went. What the edge itself has to say (facts)
 * travels in the same entries.
 *
 * Order: a partition has at most one batch under way, and one whose outcome is
 * unknown (time-out, broken link) is sent again before anything younger. A copy
 * in the log does no harm, the projector knows it by (device, k).
 */
import { monotonicMs } from "../ops/clock.ts";
import { countsOf } from "../ops/distribution.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { CommandNumber } from "../protocol/ids.ts";
import { array, asInteger } from "../redis/replies.ts";
import { Script, type ScriptCall } from "../redis/script.ts";
import {
  FACTS_PER_ENTRY_MAX,
  packCommands,
  type Fact,
  type LoggedCommand,
} from "../streams/command-log.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";

/** Who waits for the fate of a command. */
export interface Sender {
  /** In the log, at the deployment's ack level. */
  accepted(k: CommandNumber): void;
  /** Not known to be in the log, nor anything that this sender sent after it to the same partition. */
  deferred(k: CommandNumber, code: ErrorCode, retryAfterMs: number): void;
}

/** Who waits for the fate of facts; told once. */
export interface FactSender {
  /** In the log, at the deployment's ack level. */
  appended(): void;
  /** Not in the log: they may be said again later. */
  refused(): void;
  /** In the log or not, or only later: whatever follows from them is open. */
  doubtful(): void;
}

export const INGEST_BOUNDS = {
  /** Commands and (roughly) bytes of one log entry. */
  batchCommands: 256,
  batchBytes: 65_536,
  /** Commands of one partition that wait in this process. */
  queuedCommands: 4_096,
  /** Facts of one partition that wait in this process. */
  queuedFacts: 4 * FACTS_PER_ENTRY_MAX,
  /** How long a batch of unknown outcome is tried again before its senders are told. */
  deadlineMs: 5_000,
} as const;
const RETRY_AFTER_MS = { busy: 1_000, unavailable: 2_000 } as const;

type Appended = { readonly outcome: "appended" } | { readonly outcome: "busy" };

export const appendScript = new Script<Appended>({
  file: new URL("./append.lua", import.meta.url),
  keys: ["events", "log", "checkpoint"],
  args: ["commands", "backlogMax", "batch"],
  decode: (reply) => ({ outcome: asInteger(array(reply)[0]) === 1 ? "appended" : "busy" }),
});

interface Waiting {
  readonly logged: LoggedCommand;
  readonly sender: Sender;
}
/** Facts that are to stand in one entry. */
interface FactGroup {
  readonly facts: readonly Fact[];
  readonly sender: FactSender;
}
interface Flight {
  readonly batch: readonly Waiting[];
  /** Emptied with the first failure: their senders were told then. */
  readonly groups: FactGroup[];
  /** Commands and facts. */
  readonly size: number;
  readonly call: ScriptCall<Appended>;
  readonly sinceMs: number;
}
interface Lane {
  readonly partition: PartitionId;
  readonly queue: Waiting[];
  readonly groups: FactGroup[];
  /** The batch under way or to be sent again, and since when it has been tried. */
  flying: Flight | null;
}

export class Ingest {
  readonly #keys: Keys;
  readonly #edge: string;
  readonly #backlogMax: number;
  readonly #lanes = new Map<PartitionId, Lane>();
  /** Lanes with something to send. */
  readonly #ready = new Set<Lane>();
  /** Answers to batches; one that failed is tried again. */
  readonly appends = countsOf(["appended", "busy", "failed"]);
  /** Called when work arrives while there was none. */
  onWork: () => void = () => {};

  constructor(keys: Keys, edge: string, backlogMax: number) {
    this.#keys = keys;
    this.#edge = edge;
    this.#backlogMax = backlogMax;
  }

  get hasWork(): boolean {
    return this.#ready.size > 0;
  }

  /** Commands whose fate is not known yet. */
  get waiting(): number {
    let waiting = 0;
    for (const { queue, flying } of this.#lanes.values()) {
      waiting += queue.length + (flying?.batch.length ?? 0);
    }
    return waiting;
  }

  /** Takes a command; the sender hears of it later, or of `busy` at once. */
  submit(logged: LoggedCommand, sender: Sender): void {
    const lane = this.#lane(this.#keys.partitionOf(logged.command.room));
    if (lane.queue.length >= INGEST_BOUNDS.queuedCommands) {
      sender.deferred(logged.command.k, "busy", RETRY_AFTER_MS.busy);
      return;
    }
    lane.queue.push({ logged, sender });
    this.#wake(lane);
  }

  /**
   * Takes up to FACTS_PER_ENTRY_MAX facts, which will stand in one entry, behind the commands that
   * it holds. The sender hears of it later, or of a full queue at once.
   */
  submitFacts(partition: PartitionId, facts: readonly Fact[], sender: FactSender): void {
    const lane = this.#lane(partition);
    if (countFacts(lane.groups) + facts.length > INGEST_BOUNDS.queuedFacts) {
      sender.refused();
      return;
    }
    lane.groups.push({ facts, sender });
    this.#wake(lane);
  }

  #wake(lane: Lane): void {
    const first = this.#ready.size === 0;
    this.#ready.add(lane);
    if (first) this.onWork();
  }

  #lane(partition: PartitionId): Lane {
    let lane = this.#lanes.get(partition);
    if (!lane) {
      lane = { partition, queue: [], groups: [], flying: null };
      this.#lanes.set(partition, lane);
    }
    return lane;
  }

  /**
   * One append for each partition that has something to send; `settle` takes the
   * answers in the same order. Nothing may be begun before the last was settled.
   */
  begin(): Departure {
    const lanes = [...this.#ready];
    for (const lane of lanes) lane.flying ??= this.#depart(lane);
    const calls = lanes.map(({ flying }) => (flying as Flight).call);
    const commands = lanes.reduce((sum, { flying }) => sum + (flying?.size ?? 0), 0);
    return { calls, commands, settle: (replies) => this.#settle(lanes, replies) };
  }

  #depart(lane: Lane): Flight {
    const batch = lane.queue.splice(0, batchSize(lane.queue));
    const groups = lane.groups.splice(0, groupsOfEntry(lane.groups));
    const facts = groups.flatMap((group) => group.facts);
    const body = packCommands(
      this.#edge,
      batch.map(({ logged }) => logged),
      facts,
    );
    const size = batch.length + facts.length;
    const { partition } = lane;
    const call = appendScript.call(
      [this.#keys.events(partition), this.#keys.log(partition), this.#keys.checkpoint(partition)],
      [size, this.#backlogMax, body as Buffer],
    );
    return { batch, groups, size, call, sinceMs: monotonicMs() };
  }

  /** Null: the link broke or fell silent, any of the batches may be in the log. */
  #settle(lanes: readonly Lane[], replies: readonly (Appended | Error)[] | null): void {
    lanes.forEach((lane, i) => {
      const { flying } = lane;
      if (!flying) return;
      const reply = replies?.[i];
      if (reply === undefined || reply instanceof Error) {
        this.appends.failed++;
        // The same bytes go again for the sake of the commands; a copy of a fact may come late.
        const doubtful = flying.groups.splice(0);
        const spentMs = monotonicMs() - flying.sinceMs;
        if (spentMs >= INGEST_BOUNDS.deadlineMs) this.#giveUp(lane, "unavailable");
        for (const { sender } of doubtful) sender.doubtful();
        return;
      }
      this.appends[reply.outcome]++;
      if (reply.outcome === "busy") {
        this.#giveUp(lane, "busy");
        return;
      }
      lane.flying = null;
      if (lane.queue.length + lane.groups.length === 0) this.#ready.delete(lane);
      for (const { logged, sender } of flying.batch) sender.accepted(logged.command.k);
      for (const { sender } of flying.groups) sender.appended();
    });
  }

  /** The whole lane, since what comes later must not overtake what is given up. */
  #giveUp(lane: Lane, code: "busy" | "unavailable"): void {
    const waiting = [...(lane.flying?.batch ?? []), ...lane.queue.splice(0)];
    const flown = lane.flying?.groups ?? [];
    const groups = lane.groups.splice(0);
    lane.flying = null;
    this.#ready.delete(lane);
    for (const { logged, sender } of waiting) {
      sender.deferred(logged.command.k, code, RETRY_AFTER_MS[code]);
    }
    for (const { sender } of flown) {
      if (code === "busy") sender.refused();
      else sender.doubtful();
    }
    for (const { sender } of groups) sender.refused();
  }

  /** Redis is known to be away: whoever waits is told at once. */
  giveUpAll(): void {
    for (const lane of this.#ready) this.#giveUp(lane, "unavailable");
  }
}

/** One round of appends under way. */
export interface Departure {
  readonly calls: readonly ScriptCall<Appended>[];
  /** How many commands and facts the calls carry. */
  readonly commands: number;
  readonly settle: (replies: readonly (Appended | Error)[] | null) => void;
}

/** How many of the waiting commands make up the next log entry. */
function batchSize(queue: readonly Waiting[]): number {
  let bytes = 0;
  let size = 0;
  for (const { logged } of queue) {
    bytes += roughBytes(logged);
    if (size > 0 && (size >= INGEST_BOUNDS.batchCommands || bytes > INGEST_BOUNDS.batchBytes))
      break;
    size++;
  }
  return size;
}

/** An upper estimate is not needed: the bound keeps entries from growing, not from a byte more. */
function roughBytes({ command }: LoggedCommand): number {
  return 100 + ("text" in command ? command.text.length : 0);
}

/** How many of the waiting groups fit into the next log entry. */
function groupsOfEntry(groups: readonly FactGroup[]): number {
  let facts = 0;
  const past = groups.findIndex((group) => (facts += group.facts.length) > FACTS_PER_ENTRY_MAX);
  return past < 0 ? groups.length : past;
}

function countFacts(groups: readonly FactGroup[]): number {
  return groups.reduce((sum, { facts }) => sum + facts.length, 0);
}
