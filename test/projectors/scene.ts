/** One partition of a deployment, driven by hand: what ingest and a projector do, step by step. */
import { createHash } from "node:crypto";

import * as ingest from "../../src/ingest/ingest.ts";
import { createLog } from "../../src/ops/log.ts";
import * as fold from "../../src/projectors/runtime/fold.ts";
import type { Batch } from "../../src/projectors/runtime/batch.ts";
import * as state from "../../src/projectors/runtime/partition-state.ts";
import * as scripts from "../../src/projectors/runtime/scripts.ts";
import type { Acquired, Applied, Grant } from "../../src/projectors/runtime/scripts.ts";
import type { Epoch } from "../../src/protocol/ids.ts";
import { connectForCommands, pipeline, type Redis } from "../../src/redis/connect.ts";
import type { Position } from "../../src/redis/position.ts";
import { readHash, readStreams, type StreamEntry } from "../../src/redis/replies.ts";
import { runScripts } from "../../src/redis/script.ts";
import { readCommand } from "../../src/redis/streams-reader.ts";
import { packCommands, unpackCommands, type LoggedCommand } from "../../src/streams/command-log.ts";
import { CORE_GROUP, Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import { TestRedis } from "../support/redis-server.ts";

export const SILENT = createLog({ level: "silent", format: "json", name: "test" });
export const BACKLOG_MAX = 1_000;
const HISTORY = 1_000;

/** What of the engine a scene drives: src as it is, or a changed copy. */
export interface Parts {
  readonly ingest: Pick<typeof ingest, "appendScript">;
  readonly fold: Pick<typeof fold, "Fold">;
  readonly state: Pick<typeof state, "PartitionState">;
  readonly scripts: Pick<typeof scripts, "acquireScript" | "applyCall">;
}

export class Scene {
  readonly server: TestRedis;
  readonly redis: Redis;
  readonly #parts: Parts;
  readonly keys = new Keys(1);
  readonly partition = 0 as PartitionId;

  private constructor(server: TestRedis, redis: Redis, parts: Parts) {
    this.server = server;
    this.redis = redis;
    this.#parts = parts;
  }

  static async start(): Promise<Scene> {
    const server = await TestRedis.start();
    const redis = await connectForCommands({ url: server.url, name: "scene", log: SILENT });
    return new Scene(server, redis, { ingest, fold, state, scripts });
  }

  /** The same scene with other parts of the engine. */
  with(parts: Parts): Scene {
    return new Scene(this.server, this.redis, parts);
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    await this.server.stop();
  }

  /** One log entry with these commands; returns its id. */
  async append(...commands: readonly LoggedCommand[]): Promise<Position> {
    const { keys, partition } = this;
    const body = packCommands("edge-1", commands) as Buffer;
    const appended = await this.#parts.ingest.appendScript.run(
      this.redis,
      [keys.events(partition), keys.log(partition), keys.checkpoint(partition)],
      [commands.length, BACKLOG_MAX, body],
    );
    if (appended.outcome !== "appended") throw new Error(appended.outcome);
    const [last] = await this.redis.xrevrange(keys.events(partition), "+", "-", "COUNT", 1);
    return last?.[0] as Position;
  }

  async tryAcquire(owner: string, ttlMs = 60_000, graceMs = 0): Promise<Acquired> {
    const { keys, partition } = this;
    return this.#parts.scripts.acquireScript.run(
      this.redis,
      [keys.events(partition), keys.lease(partition), keys.checkpoint(partition)],
      [owner, ttlMs, graceMs, CORE_GROUP],
    );
  }

  /** Also by force: whoever holds the lease is thought dead. */
  async acquire(owner: string): Promise<Grant> {
    await this.redis.hset(this.keys.lease(this.partition), "expires", 0);
    const acquired = await this.tryAcquire(owner);
    if (acquired.outcome !== "granted") throw new Error(`taken, ${acquired.leftMs} ms left`);
    return acquired;
  }

  async read(from: Position, count = 100): Promise<StreamEntry[]> {
    const events = this.keys.events(this.partition);
    const [reply] = await pipeline(this.redis, [readCommand(new Map([[events, from]]), count)]);
    return readStreams(reply).get(events) ?? [];
  }

  /** What an owner decides about the entries after its checkpoint, from the state as it is in Redis. */
  async decide(grant: Grant, count = 100, history = HISTORY): Promise<Batch> {
    const entries = await this.read(grant.checkpoint, count);
    const [first, last] = [entries[0], entries.at(-1)];
    if (!first || !last) throw new Error("nothing to decide");
    const content = entries.map(({ id, fields }) => ({
      id,
      ...unpackCommands(fields[1] as Buffer),
    }));
    const state = new this.#parts.state.PartitionState(this.keys, this.partition, 1 as Epoch);
    do {
      const { requests, fill } = state.missing(content.flatMap(({ commands }) => commands));
      fill(requests.length > 0 ? await pipeline(this.redis, requests) : []);
    } while (state.messages.incomplete);
    const batch = new this.#parts.fold.Fold(this.keys, this.partition, state, history);
    for (const { id: entry, edge, commands } of content) {
      commands.forEach((logged, index) => batch.command({ entry, index, edge }, logged, null));
    }
    const { length } = entries;
    return batch.finish({ from: grant.checkpoint, first: first.id, to: last.id, entries: length });
  }

  async apply(grant: Grant, batch: Batch, worker = "w1"): Promise<Applied> {
    const owner = { partition: this.partition, fence: grant.fence, worker };
    const [reply] = await runScripts(this.redis, [
      this.#parts.scripts.applyCall(this.keys, owner, batch),
    ]);
    if (reply === undefined || reply instanceof Error) throw reply ?? new Error("no reply");
    return reply;
  }

  /** Over every key and all that it holds, consumer groups included. */
  async digest(): Promise<string> {
    const names = (await this.redis.keys("*")).sort();
    const hash = createHash("sha1");
    for (const name of names) {
      // Nothing for a key that has expired meanwhile.
      hash.update(name).update((await this.redis.dumpBuffer(name)) ?? "");
    }
    return hash.digest("hex");
  }

  async checkpoint(): Promise<Record<string, string>> {
    return this.redis.hgetall(this.keys.checkpoint(this.partition));
  }

  /** XINFO GROUPS of the core group, by name. */
  async group(): Promise<Map<string, string>> {
    const groups = (await this.redis.xinfo(
      "GROUPS",
      this.keys.events(this.partition),
    )) as unknown[];
    const fields = (groups[0] ?? []) as unknown[];
    return readHash(fields.map((field) => field ?? "nil"));
  }
}
