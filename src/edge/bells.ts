/**
 * The bell streams of all partitions, as one edge hears them: where it stands in
 * each, and whether the chain of batches is whole. A bell is a hint that can be
 * lost (trimmed, deleted); the loss is found by the chain, or by the sweep that
 * compares it with the checkpoint.
 */
import { pipeline, type Redis } from "../redis/connect.ts";
import { comparePositions, ORIGIN, type Position } from "../redis/position.ts";
import { asTextOrNull, readEntries, type StreamEntry } from "../redis/replies.ts";
import { readBell, type Bell } from "../streams/bell.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";

interface Heard {
  readonly partition: PartitionId;
  readonly key: string;
  /** Where the next read begins. */
  position: Position;
  /** End of the newest batch that was heard of. */
  appliedTo: Position;
}

export class Bells {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #byKey = new Map<string, Heard>();
  /** Called for every bell, in the order of its partition. */
  onBell: (bell: Bell) => void = () => {};
  /** Called when bells of a partition were missed: everything there is to be looked at. */
  readonly #onLoss: (partition: PartitionId) => void;

  constructor(redis: Redis, keys: Keys, onLoss: (partition: PartitionId) => void) {
    this.#redis = redis;
    this.#keys = keys;
    this.#onLoss = onLoss;
    for (const partition of keys.all()) {
      const key = keys.bell(partition);
      this.#byKey.set(key, { partition, key, position: ORIGIN, appliedTo: ORIGIN });
    }
  }

  /** Places every stream at its present end: what is older is found by reading the rooms. */
  async resolve(): Promise<void> {
    await this.#place(() => true);
  }

  /**
   * After the link was away: goes on where it was, so that no outcome is passed
   * over, but for streams that are shorter now than what was heard of them.
   */
  async rejoin(): Promise<void> {
    await this.#place((heard, newest) => comparePositions(newest, heard.position) < 0);
  }

  async #place(moves: (heard: Heard, newest: Position) => boolean): Promise<void> {
    const all = [...this.#byKey.values()];
    const replies = await pipeline(
      this.#redis,
      all.flatMap(({ key, partition }) => [
        ["HGET", this.#keys.checkpoint(partition), "id"],
        ["XREVRANGE", key, "+", "-", "COUNT", 1],
      ]),
    );
    all.forEach((heard, i) => {
      const [newest] = readEntries(replies[2 * i + 1]);
      const end = newest?.id ?? ORIGIN;
      if (!moves(heard, end)) return;
      heard.position = end;
      const checkpoint = (asTextOrNull(replies[2 * i]) ?? ORIGIN) as Position;
      heard.appliedTo = newest ? readBell(newest.fields).to : checkpoint;
    });
  }

  positions(): Map<string, Position> {
    const positions = new Map<string, Position>();
    for (const [key, { position }] of this.#byKey) positions.set(key, position);
    return positions;
  }

  /** Bells not heard before, in order; `streams` may repeat what another read brought. */
  *take(streams: ReadonlyMap<string, readonly StreamEntry[]>): Generator<Bell> {
    for (const [key, entries] of streams) {
      const heard = this.#byKey.get(key);
      if (!heard) continue;
      for (const { id, fields } of entries) {
        if (comparePositions(id, heard.position) <= 0) continue;
        heard.position = id;
        const bell = readBell(fields);
        const missed =
          bell.from !== heard.appliedTo && comparePositions(bell.from, heard.appliedTo) > 0;
        heard.appliedTo = bell.to;
        this.onBell(bell);
        yield bell;
        if (missed) this.#onLoss(heard.partition);
      }
    }
  }

  /** Commands that tell how far each partition has been applied; read them before the bells. */
  sweepCommands(): (readonly string[])[] {
    return [...this.#byKey.values()].map(({ partition }) => [
      "HGET",
      this.#keys.checkpoint(partition),
      "id",
    ]);
  }

  /** `replies` to `sweepCommands`, once the bells read after them were taken. */
  checkSweep(replies: readonly unknown[]): void {
    [...this.#byKey.values()].forEach((heard, i) => {
      const checkpoint = (asTextOrNull(replies[i]) ?? ORIGIN) as Position;
      if (comparePositions(checkpoint, heard.appliedTo) <= 0) return;
      heard.appliedTo = checkpoint;
      this.#onLoss(heard.partition);
    });
  }
}
