/**
 * Which partitions this worker owns. A lease is for liveness only: whoever
 * holds one that has passed on meanwhile is stopped by the fence inside APPLY.
 *
 *            acquire: free                      not preferred | stop
 *   vacant ──────────────────▶ held(partition) ──────────────────────▶ draining
 *     ▲                          │  ▲                                     │
 *     │   renew refused | fenced │  └─ renewed                            │
 *     └──────────────────────────┴─────────── released, nothing pending ──┘
 *
 * `#become` is the only writer of the states.
 */
import type { Log } from "../../ops/log.ts";
import type { Epoch } from "../../protocol/ids.ts";
import type { Redis } from "../../redis/connect.ts";
import { runScripts } from "../../redis/script.ts";
import { CORE_GROUP, type Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import { preferredOwners } from "./assignment.ts";
import { OwnedPartition } from "./owned-partition.ts";
import { PartitionState } from "./partition-state.ts";
import { acquireScript, beatScript, releaseScript, renewScript, type Grant } from "./scripts.ts";

export interface LeaseTimes {
  readonly ttlMs: number;
  readonly renewMs: number;
}

/** After a lease has run out, look again this much later: Redis's clock is not ours. */
const EXPIRY_MARGIN_MS = 20;

export class Ownership {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #epoch: Epoch;
  readonly #worker: string;
  readonly #times: LeaseTimes;
  readonly #log: Log;
  readonly #held = new Map<PartitionId, OwnedPartition>();
  /** Places of commands that failed here, one a partition, until the partition is taken again. */
  readonly #failed = new Map<PartitionId, string>();
  /** Leases granted to this worker, and leases it had to let go. */
  taken = 0;
  lost = 0;
  /** Called when the set of partitions to read has changed. */
  onChange: () => void = () => {};

  constructor(options: {
    redis: Redis;
    keys: Keys;
    epoch: Epoch;
    worker: string;
    times: LeaseTimes;
    log: Log;
  }) {
    this.#redis = options.redis;
    this.#keys = options.keys;
    this.#epoch = options.epoch;
    this.#worker = options.worker;
    this.#times = options.times;
    this.#log = options.log;
  }

  held(): OwnedPartition[] {
    return [...this.#held.values()];
  }

  holds(partition: OwnedPartition): boolean {
    return this.#held.get(partition.id) === partition;
  }

  /** One round of signs of life: renews, gives back, takes over. Returns when to come again. */
  async maintain(): Promise<number> {
    const ttl = this.#times.ttlMs;
    const workers = await beatScript.run(this.#redis, [this.#keys.workers()], [this.#worker, ttl]);
    const preferred = preferredOwners(this.#keys.partitions, workers);
    await this.#renew();
    for (const partition of this.held()) {
      if (preferred.get(partition.id) !== this.#worker) this.#drain(partition);
    }
    return this.#acquire(preferred);
  }

  async #renew(): Promise<void> {
    const held = this.held();
    const calls = held.map(({ id, fence }) =>
      renewScript.call(
        [this.#keys.lease(id), this.#keys.checkpoint(id)],
        [fence, this.#times.ttlMs],
      ),
    );
    const replies = await runScripts(this.#redis, calls);
    held.forEach((partition, i) => {
      if (replies[i] === false) this.lose(partition, "another worker took the lease");
    });
  }

  /** Takes every free lease that it is preferred for, and any that nobody took for a while. */
  async #acquire(preferred: ReadonlyMap<PartitionId, string>): Promise<number> {
    const wanted = [...this.#keys.all()].filter((id) => !this.#held.has(id));
    const graces = wanted.map((id) => (preferred.get(id) === this.#worker ? 0 : this.#times.ttlMs));
    const calls = wanted.map((id, i) => {
      const graceMs = graces[i] as number;
      return acquireScript.call(
        [this.#keys.events(id), this.#keys.lease(id), this.#keys.checkpoint(id)],
        [this.#worker, this.#times.ttlMs, graceMs, CORE_GROUP],
      );
    });
    const replies = await runScripts(this.#redis, calls);
    let nextMs = this.#times.renewMs;
    wanted.forEach((id, i) => {
      const reply = replies[i];
      if (reply instanceof Error) throw reply;
      if (reply?.outcome === "taken") {
        nextMs = Math.min(nextMs, lookAgainMs(reply.leftMs, graces[i] as number));
      }
      if (reply?.outcome === "granted") this.#become(id, reply);
    });
    return nextMs;
  }

  #become(id: PartitionId, grant: Grant | null): void {
    if (grant === null) {
      this.#held.delete(id);
    } else {
      this.taken++;
      const state = new PartitionState(this.#keys, id, this.#epoch);
      this.#held.set(id, new OwnedPartition(id, grant, state, this.#failed.get(id) ?? null));
      this.#failed.delete(id);
      this.#log.debug({ partition: id, fence: grant.fence, from: grant.checkpoint }, "lease taken");
    }
    this.onChange();
  }

  #drain(partition: OwnedPartition): void {
    partition.draining = true;
    this.onChange();
  }

  /**
   * The partition is no longer ours, or what we hold of it is in doubt: start over from Redis.
   * `failed` is the place of the command whose fault it was.
   */
  lose(partition: OwnedPartition, reason: string, failed: string | null = null): void {
    if (!this.holds(partition)) return;
    this.lost++;
    if (failed !== null) this.#failed.set(partition.id, failed);
    this.#log.warn({ partition: partition.id, fence: partition.fence, reason }, "lease lost");
    this.#become(partition.id, null);
  }

  /** Gives back what is draining and has nothing pending. */
  async release(): Promise<void> {
    const done = this.held().filter(({ draining, pending }) => draining && pending === null);
    if (done.length === 0) return;
    const calls = done.map(({ id, fence }) =>
      releaseScript.call([this.#keys.lease(id), this.#keys.checkpoint(id)], [fence]),
    );
    await runScripts(this.#redis, calls);
    for (const partition of done) if (this.holds(partition)) this.#become(partition.id, null);
  }

  /** Everything is to be given back, and the worker leaves the list of the living. */
  async leave(): Promise<void> {
    for (const partition of this.held()) partition.draining = true;
    await this.release();
    await this.#redis.zrem(this.#keys.workers(), this.#worker);
  }
}

/**
 * Until the end of a lease, `leftMs` less the grace: whoever held it has then
 * left the list of the living too, and the partition may be preferred to be ours.
 */
function lookAgainMs(leftMs: number, graceMs: number): number {
  return (leftMs > graceMs ? leftMs - graceMs : leftMs) + EXPIRY_MARGIN_MS;
}
