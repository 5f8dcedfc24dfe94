/** A small deployment for tests that run whole projectors over a log. */
import { createLog, type Log } from "../../src/ops/log.ts";
import type { ProjectorOptions } from "../../src/projectors/worker.ts";
import { connectForCommands, type Redis } from "../../src/redis/connect.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { packCommands, type LoggedCommand } from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import { TestRedis } from "../support/redis-server.ts";
import { SILENT } from "./scene.ts";
import { pause } from "./talkers.ts";
import { Verification, type Violation } from "./verify.ts";

export const LEASE = { leaseTtlMs: 600, leaseRenewMs: 150 } as const;

export class Deployment {
  readonly server: TestRedis;
  readonly redis: Redis;
  readonly keys: Keys;
  /** Lines of `log`, as JSON. */
  readonly lines: string[] = [];
  readonly log: Log;

  private constructor(server: TestRedis, redis: Redis, partitions: number) {
    this.server = server;
    this.redis = redis;
    this.keys = new Keys(partitions);
    const destination = { write: (line: string) => void this.lines.push(line) };
    this.log = createLog({ level: "debug", format: "json", name: "test", destination });
  }

  static async start(partitions: number): Promise<Deployment> {
    const server = await TestRedis.start();
    const redis = await connectForCommands({ url: server.url, name: "test", log: SILENT });
    return new Deployment(server, redis, partitions);
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    await this.server.stop();
  }

  async clear(): Promise<void> {
    await this.redis.flushall();
    this.lines.length = 0;
  }

  /** Without a log, so that a process of its own may get them too. */
  get bareOptions(): Omit<ProjectorOptions, "log"> {
    const { partitions } = this.keys;
    const redisUrl = this.server.url;
    return { redisUrl, partitions, ack: "memory", historyPerRoom: 1_000, ...LEASE };
  }
  get options(): ProjectorOptions {
    return { ...this.bareOptions, log: this.log };
  }

  partitionOf(room: string): PartitionId {
    return this.keys.partitionOf(room as RoomId);
  }

  /** One log entry in the partition of the first command's room; raw bytes where given. */
  async write(...commands: readonly LoggedCommand[]): Promise<string> {
    const room = commands[0]?.command.room as RoomId;
    return this.writeRaw(this.keys.partitionOf(room), packCommands("edge-1", commands) as Buffer);
  }

  async writeRaw(partition: PartitionId, bytes: Buffer): Promise<string> {
    return (await this.redis.xadd(this.keys.events(partition), "*", "b", bytes)) as string;
  }

  async atTail(partition: PartitionId): Promise<boolean> {
    const [last] = await this.redis.xrevrange(this.keys.events(partition), "+", "-", "COUNT", 1);
    const at = await this.redis.hget(this.keys.checkpoint(partition), "id");
    return last === undefined || at === last[0];
  }

  /** Resolves when every partition is folded to its tail. */
  async folded(): Promise<void> {
    for (const partition of this.keys.all()) {
      while (!(await this.atTail(partition))) await pause(5);
    }
  }

  async verify(): Promise<readonly Violation[]> {
    return new Verification(this.redis, this.keys).run(new Set());
  }

  /** Texts of a room's messages, in order. */
  async texts(room: string): Promise<string[]> {
    const partition = this.partitionOf(room);
    const key = this.keys.conversation(partition, room as RoomId);
    const entries = await this.redis.xrangeBuffer(key, "-", "+");
    return entries.flatMap(([, fields]) => {
      const { event } = decodeEntry(fields[5] as Buffer);
      return event.type === "message.sent" ? [event.text] : [];
    });
  }

  /** Owner of each partition whose lease has not run out; null where nobody is. */
  async owners(): Promise<(string | null)[]> {
    const [seconds, micros] = await this.redis.time();
    const now = Number(seconds) * 1_000 + Number(micros) / 1_000;
    const owners: (string | null)[] = [];
    for (const partition of this.keys.all()) {
      const [owner, expires] = await this.redis.hmget(
        this.keys.lease(partition),
        "owner",
        "expires",
      );
      owners.push(owner && Number(expires) > now ? owner : null);
    }
    return owners;
  }

  async deadLetters(partition: PartitionId): Promise<Record<string, string>[]> {
    const letters = await this.redis.xrange(this.keys.dead(partition), "-", "+");
    return letters.map(([, fields]) => {
      const pairs = fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? ""]] : []));
      return Object.fromEntries(pairs) as Record<string, string>;
    });
  }
}
