/** `millrace status`: what every partition's stream, group and owner are doing, for people. */
import type { Config } from "../config.ts";
import { createLog, withoutPassword } from "../ops/log.ts";
import { connectForCommands, pipeline, type Redis } from "../redis/connect.ts";
import { array, asText, asTextOrNull, readEntries, readHash } from "../redis/replies.ts";
import { CORE_GROUP, Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";
import { redisUrlOf } from "./roles.ts";

interface Consumer {
  readonly name: string;
  readonly pending: number;
  readonly idleMs: number;
}
export interface PartitionStatus {
  readonly partition: number;
  readonly entries: number;
  readonly commands: number;
  /** Commands in the log that are not decided yet, and how long the oldest of them waits. */
  readonly lag: number;
  readonly lagMs: number;
  readonly checkpoint: string;
  /** Last position that the consumer group handed out; null before the first owner. */
  readonly delivered: string | null;
  readonly owner: string;
  readonly leaseLeftMs: number;
  readonly dead: number;
  readonly consumers: readonly Consumer[];
}
export interface EngineStatus {
  readonly redis: string;
  readonly epoch: string;
  readonly workers: readonly string[];
  readonly partitions: readonly PartitionStatus[];
}

/** The report as text. Rejects when there is no Redis to ask. */
export async function status(config: Config): Promise<string> {
  const url = await redisUrlOf(config);
  const log = createLog({ level: "silent", format: "json", name: "status" });
  const redis = await connectForCommands({ url, name: "status", log });
  try {
    const found = await readStatus(redis, withoutPassword(url));
    return found ? statusText(found) : "this Redis holds no Millrace yet";
  } finally {
    redis.disconnect();
  }
}

/** Null when no engine has used this Redis. */
export async function readStatus(redis: Redis, name: string): Promise<EngineStatus | null> {
  const cfg = new Keys(1).config();
  const [partitions, epoch] = await redis.hmget(cfg, "partitions", "epoch");
  if (typeof partitions !== "string") return null;
  const keys = new Keys(Number(partitions));
  const nowMs = await serverTime(redis);
  const workers = await redis.zrangebyscore(keys.workers(), nowMs, "+inf");
  const all: PartitionStatus[] = [];
  for (const partition of keys.all()) all.push(await readPartition(redis, keys, partition, nowMs));
  return { redis: name, epoch: epoch ?? "?", workers, partitions: all };
}

async function readPartition(
  redis: Redis,
  keys: Keys,
  partition: PartitionId,
  nowMs: number,
): Promise<PartitionStatus> {
  const events = keys.events(partition);
  const [length, log, ck, lease, dead, groups, consumers] = await pipeline(redis, [
    ["XLEN", events],
    ["HGETALL", keys.log(partition)],
    ["HGETALL", keys.checkpoint(partition)],
    ["HGETALL", keys.lease(partition)],
    ["XLEN", keys.dead(partition)],
    ["XINFO", "GROUPS", events],
    ["XINFO", "CONSUMERS", events, CORE_GROUP],
  ]);
  const checkpoint = readHash(ck);
  const owned = readHash(lease);
  const commands = Number(readHash(log).get("commands") ?? 0);
  const id = checkpoint.get("id") ?? "0-0";
  // XINFO's own lag is wrong once entries were trimmed, so the oldest undecided entry is asked for.
  const [next] = readEntries(await redis.xrangeBuffer(events, `(${id}`, "+", "COUNT", 1));
  const core = maps(groups).find((group) => group.get("name") === CORE_GROUP);
  return {
    partition,
    entries: Number(length),
    commands,
    lag: Math.max(0, commands - Number(checkpoint.get("commands") ?? 0)),
    lagMs: next ? Math.max(0, nowMs - Number.parseInt(next.id, 10)) : 0,
    checkpoint: id,
    delivered: core?.get("last-delivered-id") ?? null,
    owner: owned.get("owner") ?? "",
    leaseLeftMs: Math.max(0, Number(owned.get("expires") ?? 0) - nowMs),
    dead: Number(dead),
    consumers: maps(consumers).map((consumer) => ({
      name: consumer.get("name") ?? "?",
      pending: Number(consumer.get("pending")),
      idleMs: Number(consumer.get("idle")),
    })),
  };
}

/** XINFO's list of flat maps; nothing for a stream or group that is not there yet. */
function maps(reply: unknown): Map<string, string>[] {
  if (reply instanceof Error) return [];
  return array(reply).map((item) => {
    const flat = array(item);
    const map = new Map<string, string>();
    for (let i = 0; i + 1 < flat.length; i += 2) {
      map.set(asText(flat[i]), asTextOrNull(flat[i + 1]) ?? "");
    }
    return map;
  });
}

async function serverTime(redis: Redis): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

const HEAD = [
  "p",
  "entries",
  "commands",
  "lag",
  "waits",
  "checkpoint",
  "group at",
  "owner",
  "lease",
  "dead",
];
const LEFT_ALIGNED = new Set(["checkpoint", "group at", "owner", "consumer"]);

export function statusText(status: EngineStatus): string {
  const { partitions, workers } = status;
  const rows = partitions.map((p) => [
    String(p.partition),
    String(p.entries),
    String(p.commands),
    String(p.lag),
    duration(p.lagMs),
    p.checkpoint,
    p.delivered === p.checkpoint ? "same" : (p.delivered ?? "no group"),
    p.owner === "" ? "none" : p.owner,
    leaseText(p),
    String(p.dead),
  ]);
  const sum = (of: (p: PartitionStatus) => number): number =>
    partitions.reduce((n, p) => n + of(p), 0);
  return [
    `redis    ${status.redis}   epoch ${status.epoch}`,
    `workers  ${workers.length === 0 ? "none alive" : workers.join(", ")}`,
    `totals   ${sum((p) => p.commands)} commands, lag ${sum((p) => p.lag)}, dead letters ${sum((p) => p.dead)}`,
    "",
    table(HEAD, rows),
    "",
    `consumers of the group ${CORE_GROUP}`,
    table(["p", "consumer", "pending", "idle"], partitions.flatMap(consumerRows)),
  ].join("\n");
}

function consumerRows({ partition, consumers }: PartitionStatus): string[][] {
  return consumers.map(({ name, pending, idleMs }) => [
    String(partition),
    name,
    String(pending),
    duration(idleMs),
  ]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => {
          const width = widths[i] ?? 0;
          return LEFT_ALIGNED.has(head[i] ?? "") ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function leaseText({ owner, leaseLeftMs }: PartitionStatus): string {
  if (owner === "") return "–";
  return leaseLeftMs === 0 ? "over" : duration(leaseLeftMs);
}

function duration(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}
