/**
 * Who of this edge is there, in all partitions: counts the devices of each user
 * in each room, and sees to it that the log learns of the first that comes and the
 * last that has gone. What is said, and by which incarnation, is decided in
 * presence-partition.ts; here are the timers and the way to Redis.
 */
import type { Ingest } from "../ingest/ingest.ts";
import { monotonicMs } from "../ops/clock.ts";
import type { Log } from "../ops/log.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import { CLOCK } from "../redis/clock.ts";
import type { Redis } from "../redis/connect.ts";
import { asInteger } from "../redis/replies.ts";
import { runScripts, Script } from "../redis/script.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";
import { PartitionPresence, type LeaseAnswer, type PresenceTimes } from "./presence-partition.ts";

/** What changes within this time is said together. */
const GATHER_MS = 25;
/** Between two looks at leases and graces while somebody is there. */
const TICK_MS = 250;

const leaseScript = new Script<boolean>({
  file: new URL("./lease.lua", import.meta.url),
  library: CLOCK,
  keys: ["edges"],
  args: ["incarnation", "ttl", "isNew"],
  decode: (reply) => asInteger(reply) === 1,
});

export class Presence {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #ingest: Pick<Ingest, "submitFacts">;
  readonly #times: PresenceTimes;
  readonly #log: Log;
  readonly #nextName: () => string;
  readonly #partitions = new Map<PartitionId, PartitionPresence>();
  #gathering: NodeJS.Timeout | null = null;
  #ticking: NodeJS.Timeout | null = null;
  #stopped = false;

  /** `edge` is the incarnation of the process: a part of each name. */
  constructor(options: {
    redis: Redis;
    keys: Keys;
    ingest: Pick<Ingest, "submitFacts">;
    edge: string;
    times: PresenceTimes;
    log: Log;
  }) {
    this.#redis = options.redis;
    this.#keys = options.keys;
    this.#ingest = options.ingest;
    this.#times = options.times;
    this.#log = options.log;
    let last = 0;
    this.#nextName = () => `${options.edge}.${++last}`;
  }

  /** Users that are said to be there, once for each room. */
  get size(): number {
    let size = 0;
    for (const partition of this.#partitions.values()) size += partition.size;
    return size;
  }

  /** Times that a partition was told of a new incarnation, by why. */
  raised(): PartitionPresence["raised"] {
    const sum = { first: 0, gone: 0, doubtful: 0 };
    for (const { raised } of this.#partitions.values()) {
      sum.first += raised.first;
      sum.gone += raised.gone;
      sum.doubtful += raised.doubtful;
    }
    return sum;
  }

  enter(room: RoomId, user: UserId): void {
    this.#of(room).enter(room, user);
    this.#gather();
  }

  leave(room: RoomId, user: UserId): void {
    this.#of(room).leave(room, user, monotonicMs());
  }

  /** What the log holds of a user may not be what was said: it is said again. */
  doubt(room: RoomId, user: UserId): void {
    this.#of(room).doubt(room, user);
    this.#gather();
  }

  /** Nothing more is said; the leases run out, so that who comes back elsewhere was never gone. */
  stop(): void {
    this.#stopped = true;
    if (this.#gathering) clearTimeout(this.#gathering);
    if (this.#ticking) clearInterval(this.#ticking);
  }

  #of(room: RoomId): PartitionPresence {
    const id = this.#keys.partitionOf(room);
    let partition = this.#partitions.get(id);
    if (!partition) {
      partition = new PartitionPresence(this.#times, this.#nextName);
      this.#partitions.set(id, partition);
    }
    return partition;
  }

  #gather(): void {
    if (this.#stopped) return;
    this.#ticking ??= setInterval(() => this.#tick(), TICK_MS);
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      this.#advance();
    }, GATHER_MS);
  }

  #tick(): void {
    const nowMs = monotonicMs();
    for (const partition of this.#partitions.values()) partition.tick(nowMs);
    this.#advance();
    const all = [...this.#partitions.values()];
    if (all.some(({ state }) => state.name !== "silent") || this.#ticking === null) return;
    clearInterval(this.#ticking);
    this.#ticking = null;
  }

  #advance(): void {
    this.#say();
    this.#hold().catch((error: unknown) => {
      this.#log.debug({ err: error }, "leases of presence are not known to be held");
    });
  }

  /** Rejects when Redis is away; every partition has its answer then too. */
  async #hold(): Promise<void> {
    const nowMs = monotonicMs();
    const due = [...this.#partitions].flatMap(([id, partition]) => {
      const request = partition.leaseDue(nowMs);
      return request ? [{ id, partition, request }] : [];
    });
    const answer = (i: number, given: LeaseAnswer): void => {
      const { partition, request } = due[i] as (typeof due)[number];
      partition.leased(request, given, monotonicMs());
    };
    const calls = due.map(({ id, request: { incarnation, isNew } }) =>
      leaseScript.call([this.#keys.edges(id)], [incarnation, this.#times.leaseMs, isNew ? 1 : 0]),
    );
    try {
      const replies = await runScripts(this.#redis, calls);
      replies.forEach((reply, i) => {
        answer(i, reply instanceof Error ? "unknown" : reply ? "held" : "gone");
      });
    } catch (error) {
      due.forEach((_, i) => answer(i, "unknown"));
      throw error;
    }
    if (due.length > 0) this.#gather();
  }

  #say(): void {
    const nowMs = monotonicMs();
    for (const [id, partition] of this.#partitions) {
      const saying = partition.depart(nowMs);
      if (!saying) continue;
      const settle = (fate: Parameters<PartitionPresence["settled"]>[1]): void => {
        partition.settled(saying, fate, monotonicMs());
        this.#gather();
      };
      this.#ingest.submitFacts(id, saying.facts, {
        appended: () => settle("appended"),
        refused: () => settle("refused"),
        doubtful: () => settle("doubtful"),
      });
    }
  }
}
