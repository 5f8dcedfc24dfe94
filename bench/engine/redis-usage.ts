/** What Redis says of itself. */
import type { Redis } from "../../src/redis/connect.ts";

export interface RedisUsage {
  readonly usedBytes: number;
  readonly commands: ReadonlyMap<string, CommandUse>;
}
export interface CommandUse {
  readonly calls: number;
  readonly us: number;
}

export async function redisUsage(redis: Redis): Promise<RedisUsage> {
  const memory = await redis.info("memory");
  const stats = await redis.info("commandstats");
  const commands = new Map<string, CommandUse>();
  for (const [, name, calls, us] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
    commands.set(name as string, { calls: Number(calls), us: Number(us) });
  }
  return { usedBytes: Number(/^used_memory:(\d+)/m.exec(memory)?.[1]), commands };
}

/** Calls and microseconds of each command between two looks, for each of `messages`. */
export function commandsPerMessage(
  before: RedisUsage,
  after: RedisUsage,
  messages: number,
): Record<string, CommandUse> {
  const used: Record<string, CommandUse> = {};
  for (const [name, { calls, us }] of after.commands) {
    const earlier = before.commands.get(name) ?? { calls: 0, us: 0 };
    const spent = { calls: calls - earlier.calls, us: us - earlier.us };
    if (spent.calls === 0) continue;
    used[name] = { calls: round(spent.calls / messages), us: round(spent.us / messages) };
  }
  return used;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
