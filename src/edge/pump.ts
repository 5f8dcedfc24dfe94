/**
 * The edge's loop between Redis and the sockets: appends what came in, reads
 * what is new, hands it out.
 *
 *   idle   XREAD BLOCK on a connection of its own; appends leave at once
 *   busy   rest, then one pipeline: all appends and one XREAD; again
 *
 * The pace decides which; see ops/pace.ts. A sweep once a second finds what a
 * lost bell hid, and whenever Redis was away every room is looked at again.
 */
import type { Departure, Ingest } from "../ingest/ingest.ts";
import { monotonicMs } from "../ops/clock.ts";
import type { Lifecycle } from "../ops/lifecycle.ts";
import type { Log } from "../ops/log.ts";
import { Pace, restOf } from "../ops/pace.ts";
import { pipeline, type Redis, type RedisArg } from "../redis/connect.ts";
import type { PlainLink } from "../redis/plain-link.ts";
import { readStreams, type StreamEntry } from "../redis/replies.ts";
import { finishScripts } from "../redis/script.ts";
import { readCommand, type BlockingReader } from "../redis/streams-reader.ts";
import type { PartitionId } from "../streams/partitions.ts";
import type { Bells } from "./bells.ts";
import type { EdgeTally } from "./edge-tally.ts";
import type { RoomReader } from "./room-reader.ts";
import type { RoomTail, RoomTails } from "./room-tails.ts";
import { offerConversations, type TailSource } from "./tail-source.ts";

const PACE = { busyAt: 400, minMs: 5, fullAt: 4_000, maxMs: 6 } as const;
const BLOCK_MS = 5_000;
/** Entries of one stream in one read. */
const READ_COUNT = 200;
/** Rooms of one read of their own. */
const DIRTY_AT_ONCE = 100;
const SWEEP_MS = 1_000;
const RETRY_MS = 100;
/** A link that is down for longer makes senders hear `unavailable` at once. */
const AWAY_MS = 1_000;
/** Edges look at their rooms again at different times after Redis came back. */
const RECOVERY_JITTER_MS = 250;
const RECOVERY_ROOMS_AT_ONCE = 100;

export interface PumpOptions {
  readonly redis: Redis;
  /** Appends and paced reads; a connection of its own, so that no page of history delays them. */
  readonly hot: PlainLink;
  readonly blocking: BlockingReader;
  readonly ingest: Ingest;
  readonly tails: RoomTails;
  readonly tally: EdgeTally;
  readonly bells: Bells;
  readonly reader: RoomReader;
  readonly sources: { readonly direct: TailSource; readonly bell: TailSource };
  readonly directRoomsMax: number;
  /** The room cannot be continued on this edge: its followers resume by themselves. */
  readonly onBroken: (tail: RoomTail) => void;
  /** Outcomes of these partitions may have been lost. */
  readonly onOutcomesLost: (partition: PartitionId | null) => void;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

export class Pump {
  readonly #o: PumpOptions;
  readonly #pace = new Pace(PACE, monotonicMs());
  #busy = false;
  #restMs = 0;
  /** When the last paced tick began. */
  #tickedMs = 0;
  #flying = false;
  #flushScheduled = false;
  #waking = false;
  #downSinceMs: number | null = null;
  #source: TailSource;

  constructor(options: PumpOptions) {
    this.#o = options;
    this.#source = options.sources.direct;
    options.ingest.onWork = () => this.#scheduleFlush();
    options.tails.onWanted = () => this.#wake();
    options.hot.onDown = () => {
      this.#downSinceMs ??= monotonicMs();
    };
    options.hot.onUp = () => this.#recover();
  }

  /** The rest before the last tick, and the rate that it follows. */
  get pace(): { readonly restMs: number; readonly perSecond: number } {
    return { restMs: this.#restMs, perSecond: this.#pace.perSecond };
  }

  get mode(): TailSource["name"] {
    return this.#source.name;
  }

  async start(): Promise<void> {
    await this.#o.bells.resolve();
    this.#o.lifecycle.run("tailer", () => this.#run());
    this.#o.lifecycle.run("sweep", () => this.#sweepLoop());
  }

  async #run(): Promise<void> {
    const { lifecycle } = this.#o;
    while (!lifecycle.stopping) {
      try {
        await this.#round();
      } catch (error) {
        this.#busy = false;
        // The lifecycle's pauses grow, and whoever follows a room would wait for one when the link is back.
        if (this.#o.hot.up && this.#o.blocking.up) throw error;
        await lifecycle.sleep(RETRY_MS);
      }
    }
  }

  async #round(): Promise<void> {
    this.#chooseSource();
    await this.#readDirty();
    this.#o.tally.ticks++;
    const nowMs = monotonicMs();
    const paceMs = this.#pace.paceMs(nowMs);
    this.#restMs = restOf(paceMs, nowMs - this.#tickedMs);
    this.#busy = paceMs > 0;
    if (this.#busy) {
      if (this.#restMs > 0) await this.#o.lifecycle.sleep(this.#restMs);
      this.#tickedMs = monotonicMs();
      await this.#tick();
    } else {
      if (this.#o.ingest.hasWork) this.#scheduleFlush();
      const positions = this.#source.positions();
      this.#take(await this.#o.blocking.read(positions, READ_COUNT, BLOCK_MS));
    }
  }

  #chooseSource(): void {
    const { sources, tails, directRoomsMax, log } = this.#o;
    const next = tails.size <= directRoomsMax ? sources.direct : sources.bell;
    if (next === this.#source) return;
    this.#source = next;
    log.info({ mode: next.name, rooms: tails.size }, "tailer changes its mode");
    // What the other source has not read yet is not known to this one.
    for (const tail of tails.all()) tails.markDirty(tail);
  }

  /** A blocking read does not know of a room that was opened since, nor that one has to be read. */
  #wake(): void {
    if (this.#busy || this.#waking) return;
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      this.#o.blocking.interrupt(this.#o.redis).catch((error: unknown) => {
        this.#o.log.debug({ err: error }, "the blocking read could not be interrupted");
      });
    });
  }

  #take(streams: ReadonlyMap<string, readonly StreamEntry[]>): void {
    this.#pace.note(this.#source.accept(streams));
  }

  /** One write and one read for everything that is due. */
  async #tick(): Promise<void> {
    const departure = this.#begin();
    const calls = departure?.calls ?? [];
    const commands: (readonly RedisArg[])[] = calls.map((call) => call.script.command(call, true));
    commands.push(readCommand(this.#source.positions(), READ_COUNT));
    try {
      const replies = await pipeline(this.#o.hot, commands);
      const streams = readStreams(replies.pop());
      await this.#settle(departure, replies);
      this.#take(streams);
    } catch (error) {
      this.#failed(departure);
      throw error;
    }
  }

  #scheduleFlush(): void {
    if (this.#busy || this.#flying || this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush().catch((error: unknown) => this.#o.log.warn({ err: error }, "append failed"));
    });
  }

  /** Appends at once, for as long as there is something and the loop is not ticking. */
  async #flush(): Promise<void> {
    while (!this.#busy && this.#o.ingest.hasWork && !this.#flying) {
      const departure = this.#begin();
      if (!departure) return;
      try {
        const commands = departure.calls.map((call) => call.script.command(call, true));
        await this.#settle(departure, await pipeline(this.#o.hot, commands));
      } catch (error) {
        this.#failed(departure);
        this.#o.log.debug({ err: error }, "append failed, it is tried again");
        await this.#o.lifecycle.sleep(RETRY_MS);
      }
    }
  }

  #begin(): Departure | null {
    const { ingest, hot } = this.#o;
    if (this.#flying || !ingest.hasWork) return null;
    const away = !hot.up && this.#downSinceMs !== null;
    if (away && monotonicMs() - (this.#downSinceMs ?? 0) > AWAY_MS) {
      ingest.giveUpAll();
      return null;
    }
    this.#flying = true;
    return ingest.begin();
  }

  async #settle(departure: Departure | null, replies: readonly unknown[]): Promise<void> {
    if (!departure) return;
    const decoded = await finishScripts(this.#o.hot, departure.calls, replies);
    this.#flying = false;
    this.#pace.note(departure.commands);
    departure.settle(decoded);
  }

  #failed(departure: Departure | null): void {
    if (!departure) return;
    this.#flying = false;
    departure.settle(null);
  }

  async #readDirty(): Promise<void> {
    const { tails, tally, redis } = this.#o;
    while (tails.hasDirty) {
      const rooms = tails.takeDirty(DIRTY_AT_ONCE);
      tally.roomReads += rooms.length;
      const positions = new Map(rooms.map((tail) => [tail.conversationKey, tail.position]));
      const before = new Map(rooms.map((tail) => [tail, tail.position]));
      let streams: Map<string, StreamEntry[]>;
      try {
        const [reply] = await pipeline(redis, [readCommand(positions, READ_COUNT)]);
        streams = readStreams(reply);
      } catch (error) {
        for (const tail of rooms) tails.markDirty(tail);
        throw error;
      }
      this.#pace.note(offerConversations(tails, rooms, streams));
      for (const [tail, position] of before) this.#checkProgress(tail, position, streams);
      tails.flush();
    }
  }

  /** A read that brought entries, none of which continues the chain: part of it is gone. */
  #checkProgress(
    tail: RoomTail,
    before: string,
    streams: ReadonlyMap<string, readonly StreamEntry[]>,
  ): void {
    if (this.#o.tails.get(tail.room) !== tail) return;
    const read = streams.get(tail.conversationKey)?.length ?? 0;
    if (read > 0 && tail.position === before) this.#o.onBroken(tail);
    else if (read >= READ_COUNT) this.#o.tails.markDirty(tail);
  }

  async #sweepLoop(): Promise<void> {
    const { lifecycle, bells, redis } = this.#o;
    while (!lifecycle.stopping) {
      await lifecycle.sleep(SWEEP_MS);
      if (lifecycle.stopping) return;
      const checkpoints = bells.sweepCommands();
      const read = readCommand(bells.positions(), READ_COUNT);
      const replies = await pipeline(redis, [...checkpoints, read]);
      const streams = readStreams(replies.pop());
      this.#take(streams);
      // A full answer may hide further bells: their absence proves nothing then.
      const full = [...streams.values()].some((entries) => entries.length >= READ_COUNT);
      if (!full) bells.checkSweep(replies);
      await this.#readDirty();
    }
  }

  /** Redis is back, perhaps another one, or with less than it had: nothing is taken for granted. */
  #recover(): void {
    this.#downSinceMs = null;
    this.#scheduleFlush();
    this.#o.lifecycle.run("recovery", async () => {
      await this.#o.lifecycle.sleep(Math.random() * RECOVERY_JITTER_MS);
      await this.#o.bells.rejoin();
      this.#o.onOutcomesLost(null);
      const tails = [...this.#o.tails.all()];
      for (let at = 0; at < tails.length; at += RECOVERY_ROOMS_AT_ONCE) {
        await Promise.all(tails.slice(at, at + RECOVERY_ROOMS_AT_ONCE).map((t) => this.#verify(t)));
      }
    });
  }

  async #verify(tail: RoomTail): Promise<void> {
    const { room, epoch, seq, position } = tail;
    const point = await this.#o.reader.resumePoint(room, { epoch, seq, id: position }, READ_COUNT);
    if (this.#o.tails.get(room) !== tail) return;
    if (point.status !== "ok") {
      this.#o.onBroken(tail);
      return;
    }
    for (const entry of point.entries) this.#o.tails.offer(room, entry);
    this.#o.tails.flush();
    if (point.entries.length >= READ_COUNT) this.#o.tails.markDirty(tail);
  }
}
