/**
 * The projector's loop: one tick for all partitions that it owns.
 *
 *   XREAD (all partitions) ─▶ load what is missing ─▶ fold ─▶ APPLY (one script a
 *   partition, all in one pipeline) ─▶ rest, by the pace ─▶ again
 *
 * With much to do the partitions take turns in groups: Redis applies one group while
 * the next is folded, and reads on meanwhile.
 *
 * Reading changes nothing in Redis, so a worker may die, pause or be a zombie at
 * any point before APPLY at no cost; APPLY is all or nothing.
 */
import { monotonicMs } from "../../ops/clock.ts";
import type { Lifecycle } from "../../ops/lifecycle.ts";
import type { Log } from "../../ops/log.ts";
import { Pace, restOf } from "../../ops/pace.ts";
import { pipeline } from "../../redis/connect.ts";
import type { PlainLink } from "../../redis/plain-link.ts";
import type { Position } from "../../redis/position.ts";
import { readStreams, type StreamEntry } from "../../redis/replies.ts";
import { runScripts } from "../../redis/script.ts";
import { readCommand, type BlockingReader } from "../../redis/streams-reader.ts";
import type { Keys } from "../../streams/keys.ts";
import type { Batch } from "./batch.ts";
import { Fold, FoldError, placeText, type Place } from "./fold.ts";
import { Flights } from "./flights.ts";
import type { OwnedPartition, ReadEntry } from "./owned-partition.ts";
import type { Ownership } from "./ownership.ts";
import { ProjectorTally } from "./projector-tally.ts";
import { applyCall, type Applied } from "./scripts.ts";

/** A little quicker than an edge, so that two rests rarely add up. */
const PACE = { busyAt: 400, minMs: 3, fullAt: 8_000, maxMs: 6 } as const;
const BLOCK_MS = 1_000;
/** Between two looks when no partition is owned, or none that may be read. */
const NOTHING_TO_READ_MS = 100;
/** Commands of one group of partitions: enough to share a round trip, and to be busy while it lasts. */
const GROUP_COMMANDS = 400;
/** Groups that Redis may be applying at a time; a link takes 16 such batches. */
const GROUPS_UNDER_WAY = 4;
/** Before a batch is tried again that Redis refused or did not answer, or a link that was cut. */
const RETRY_MS = 50;

export class Projector {
  readonly #redis: PlainLink;
  readonly #reader: BlockingReader;
  readonly #keys: Keys;
  readonly #worker: string;
  readonly #ownership: Ownership;
  readonly #historyPerRoom: number;
  readonly #lifecycle: Lifecycle;
  readonly #log: Log;
  readonly #pace = new Pace(PACE, monotonicMs());
  readonly tally = new ProjectorTally();

  constructor(options: {
    redis: PlainLink;
    reader: BlockingReader;
    keys: Keys;
    worker: string;
    ownership: Ownership;
    historyPerRoom: number;
    lifecycle: Lifecycle;
    log: Log;
  }) {
    this.#redis = options.redis;
    this.#reader = options.reader;
    this.#keys = options.keys;
    this.#worker = options.worker;
    this.#ownership = options.ownership;
    this.#historyPerRoom = options.historyPerRoom;
    this.#lifecycle = options.lifecycle;
    this.#log = options.log;
  }

  /** Commands a second, as the pace sees them. */
  get perSecond(): number {
    return this.#pace.perSecond;
  }

  /** Ends when the lifecycle stops, with nothing pending. */
  async run(): Promise<void> {
    while (!this.#lifecycle.stopping) {
      const sinceMs = monotonicMs();
      try {
        await this.tick(BLOCK_MS);
      } catch (error) {
        // The lifecycle's pauses grow, and a link that was cut is back sooner.
        if (this.#reader.up && this.#redis.up) throw error;
        await this.#lifecycle.sleep(RETRY_MS);
        continue;
      }
      const nowMs = monotonicMs();
      const restMs = restOf(this.#pace.paceMs(nowMs), nowMs - sinceMs);
      this.tally.restMs = restMs;
      const behind = this.#held(({ busy, hasMore }) => busy || hasMore).length > 0;
      if (restMs > 0 && !behind) await this.#lifecycle.sleep(restMs);
    }
    await this.#settlePending();
  }

  /** One round; waits up to `blockMs` for commands when there are none. */
  async tick(blockMs: number): Promise<void> {
    this.tally.ticks++;
    await this.#ownership.release();
    await this.#read(blockMs);
    const flights = new Flights(GROUPS_UNDER_WAY);
    try {
      await this.#advance(flights);
      if (this.#held(({ hasMore }) => hasMore).length > 0) await flights.add(this.#read(0));
    } finally {
      await flights.landed();
    }
  }

  #held(which: (partition: OwnedPartition) => boolean): OwnedPartition[] {
    return this.#ownership.held().filter(which);
  }

  async #advance(flights: Flights): Promise<void> {
    let group: OwnedPartition[] = [];
    let commands = 0;
    for (const partition of this.#held(({ busy }) => busy)) {
      if (partition.ready) commands += partition.prepare();
      group.push(partition);
      if (commands < GROUP_COMMANDS) continue;
      await this.#foldAll(group);
      await flights.add(this.#apply(group));
      [group, commands] = [[], 0];
    }
    await this.#foldAll(group);
    await flights.add(this.#apply(group));
  }

  /** What a group needs is loaded in one round trip. */
  async #foldAll(group: readonly OwnedPartition[]): Promise<void> {
    const ready = group.filter((partition) => partition.ready);
    await this.#load(ready);
    for (const partition of ready) {
      if (this.#ownership.holds(partition)) await this.#foldOrLose(partition);
    }
  }

  async #read(blockMs: number): Promise<void> {
    const held = this.#ownership.held();
    const wanting = held.filter((partition) => partition.wantsToRead);
    if (wanting.length === 0) {
      // Without this pause the tick would have nothing to wait for and starve the event loop.
      const idle = !held.some(({ busy }) => busy);
      if (idle) await this.#lifecycle.sleep(Math.min(blockMs, NOTHING_TO_READ_MS));
      return;
    }
    const byKey = new Map(wanting.map((partition) => [this.#keys.events(partition.id), partition]));
    const positions = new Map<string, Position>();
    for (const [key, partition] of byKey) positions.set(key, partition.readTo);
    const count = Math.min(...wanting.map(({ readCount }) => readCount));
    const idle = this.#pace.perSecond < PACE.busyAt && !held.some(({ busy }) => busy);
    const streams = await this.#readStreams(positions, count, idle ? blockMs : 0);
    for (const [key, partition] of byKey) partition.offer(streams.get(key) ?? [], count);
  }

  async #readStreams(
    positions: ReadonlyMap<string, Position>,
    count: number,
    blockMs: number,
  ): Promise<Map<string, StreamEntry[]>> {
    if (blockMs > 0) return this.#reader.read(positions, count, blockMs);
    const [reply] = await pipeline(this.#redis, [readCommand(positions, count)]);
    return readStreams(reply);
  }

  /** Everything that the prepared commands need and memory lacks: in one round trip, two for replies. */
  async #load(ready: readonly OwnedPartition[]): Promise<void> {
    let loading = ready;
    while (loading.length > 0) {
      const missing = loading.map((partition) => partition.missing());
      const requests = missing.flatMap((part) => part.requests);
      const replies = requests.length > 0 ? await pipeline(this.#redis, requests) : [];
      let at = 0;
      for (const part of missing) {
        part.fill(replies.slice(at, at + part.requests.length));
        at += part.requests.length;
      }
      loading = loading.filter(({ state }) => state.incomplete);
    }
  }

  /** A fold that was cut short has changed the state in memory: only Redis knows the truth then. */
  async #foldOrLose(partition: OwnedPartition): Promise<void> {
    try {
      await this.#fold(partition);
    } catch (error) {
      this.tally.foldFailures++;
      this.#log.error({ partition: partition.id, err: error }, "a batch could not be folded");
      const failed = error instanceof FoldError ? error.place : null;
      this.#ownership.lose(partition, "its state is in doubt", failed);
    }
  }

  async #fold(partition: OwnedPartition): Promise<void> {
    const entries = partition.prepared;
    const [first, last] = [entries[0], entries.at(-1)];
    if (!first || !last) return;
    const fold = new Fold(this.#keys, partition.id, partition.state, this.#historyPerRoom);
    for (const entry of entries) await this.#foldEntry(fold, partition, entry);
    const range = {
      from: partition.decidedTo,
      first: first.id,
      to: last.id,
      entries: entries.length,
    };
    const batch = fold.finish(range);
    partition.decided(batch);
    this.#pace.note(batch.commands);
    if (batch.deadLetters > 0) {
      this.#log.error(
        { partition: partition.id, batch: range },
        "commands were put aside as dead letters",
      );
    }
  }

  async #foldEntry(fold: Fold, partition: OwnedPartition, entry: ReadEntry): Promise<void> {
    if ("unreadable" in entry.content) {
      fold.deadEntry(entry.id, entry.content.unreadable, entry.bytes);
      return;
    }
    const { careful, poison } = partition;
    const { edge, commands, facts = [] } = entry.content;
    const reasonAt = (place: Place): string | null =>
      poison.size > 0 ? (poison.get(placeText(place)) ?? null) : null;
    for (const [index, logged] of commands.entries()) {
      const place: Place = { entry: entry.id, index, edge };
      if (careful) await this.#noteSuspect(partition, place);
      fold.command(place, logged, reasonAt(place));
    }
    for (const [i, fact] of facts.entries()) {
      const place: Place = { entry: entry.id, index: commands.length + i, edge };
      if (careful) await this.#noteSuspect(partition, place);
      fold.fact(place, fact, reasonAt(place));
    }
  }

  /** Leaves word in Redis of a command before it is decided, in case it kills this process. */
  async #noteSuspect({ id }: OwnedPartition, place: Place): Promise<void> {
    const note = ["HSET", this.#keys.lease(id), "suspect", placeText(place)];
    const [reply] = await pipeline(this.#redis, [note]);
    if (reply instanceof Error) throw reply;
  }

  async #apply(group: readonly OwnedPartition[]): Promise<void> {
    const partitions = group.filter(({ pending }) => pending !== null);
    if (partitions.length === 0) return;
    const batches = partitions.map(({ pending }) => pending as Batch);
    const calls = partitions.map(({ id, fence }, i) =>
      applyCall(this.#keys, { partition: id, fence, worker: this.#worker }, batches[i] as Batch),
    );
    const sinceMs = monotonicMs();
    const replies = await runScripts(this.#redis, calls);
    this.tally.applySeconds.note((monotonicMs() - sinceMs) / 1_000);
    partitions.forEach((partition, i) => {
      this.#settle(partition, batches[i] as Batch, replies[i] as Applied | Error);
    });
    const [stuck] = partitions.filter(({ pending }) => pending !== null);
    if (stuck) await this.#lifecycle.sleep(RETRY_MS);
  }

  #settle(partition: OwnedPartition, batch: Batch, reply: Applied | Error): void {
    if (partition.pending !== batch || !this.#ownership.holds(partition)) return;
    const about = { partition: partition.id, from: batch.from, to: batch.to };
    if (reply instanceof Error) {
      this.tally.applies.refused++;
      this.#log.error({ ...about, err: reply }, "Redis refused a batch, it is tried again");
      return;
    }
    this.tally.applies[reply.outcome]++;
    switch (reply.outcome) {
      case "applied":
      case "already":
        partition.confirm(batch);
        this.tally.confirmed(batch);
        return;
      case "fenced":
      case "stale":
        this.#ownership.lose(partition, reply.outcome);
        return;
      case "diverged":
        this.#log.warn(
          { ...about, got: reply.got },
          "the group was not where it should be, set back",
        );
        // Again, although the group stands at the checkpoint now: then it is the log that differs
        // from what was read, as after a failover that lost its end.
        if (partition.diverged) this.#ownership.lose(partition, "the log has changed");
        partition.diverged = true;
        return;
      case "truncated":
        partition.halt();
        this.#log.fatal(
          { ...about, why: reply.why },
          "the log was cut before it was projected: this partition stands still until it is repaired",
        );
    }
  }

  /** On the way out: what was decided is applied, unless Redis is away. */
  async #settlePending(): Promise<void> {
    await this.#apply(this.#ownership.held());
  }
}
