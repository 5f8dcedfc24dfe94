/** What a log means for presence, written a second time in the plainest words. */
import type { Redis } from "../../src/redis/connect.ts";
import { positionMs, type Position } from "../../src/redis/position.ts";
import { unpackCommands, type Fact, type LogEntry } from "../../src/streams/command-log.ts";
import type { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";

/** Presence keys of one partition: sorted text of each. */
export type PresenceKeys = Record<string, readonly string[]>;

class Reference {
  readonly #members = new Map<string, Set<string>>();
  readonly #up = new Set<string>();
  readonly #down = new Set<string>();
  /** `room user` to the incarnations that say so, in their order. */
  readonly #there = new Map<string, string[]>();
  readonly #away = new Map<string, number>();

  take(id: string, { commands, facts = [] }: LogEntry): void {
    const atMs = positionMs(id as Position);
    for (const { user, command } of commands) {
      const members = this.#members.get(command.room) ?? new Set();
      this.#members.set(command.room, members);
      if (command.type === "create") for (const member of command.members) members.add(member);
      if (command.type === "join") members.add(user);
      if (command.type === "leave" && members.delete(user)) {
        this.#there.delete(`${command.room} ${user}`);
        this.#away.delete(`${command.room} ${user}`);
      }
      this.#clear();
    }
    for (const fact of facts) {
      this.#fact(fact, atMs);
      this.#clear();
    }
  }

  #fact(fact: Fact, atMs: number): void {
    if (fact.type === "edgeUp" && !this.#down.has(fact.edge)) this.#up.add(fact.edge);
    if (fact.type === "edgeDown" && this.#up.delete(fact.edge)) this.#down.add(fact.edge);
    if (fact.type !== "attendance") return;
    const { edge, room } = fact;
    for (const user of this.#up.has(edge) ? fact.entered : []) {
      const by = this.#there.get(`${room} ${user}`) ?? [];
      if (!this.#members.get(room)?.has(user) || by.includes(edge)) continue;
      this.#there.set(`${room} ${user}`, [...by, edge]);
      this.#away.delete(`${room} ${user}`);
    }
    for (const user of fact.left) {
      const by = this.#there.get(`${room} ${user}`);
      if (!by?.includes(edge)) continue;
      const rest = by.filter((other) => other !== edge);
      this.#there.set(`${room} ${user}`, rest);
      if (rest.length > 0) continue;
      this.#there.delete(`${room} ${user}`);
      this.#away.set(`${room} ${user}`, atMs);
    }
  }

  /** An incarnation at its end is forgotten as soon as nobody is in by it. */
  #clear(): void {
    for (const edge of this.#down) if (this.#of(edge).length === 0) this.#down.delete(edge);
  }

  #of(edge: string): string[] {
    return [...this.#there].filter(([, by]) => by.includes(edge)).map(([pair]) => pair);
  }

  keys(): PresenceKeys {
    const keys: Record<string, string[]> = {};
    const add = (key: string, line: string): void => void (keys[key] ??= []).push(line);
    for (const [sign, edges] of [
      ["+", this.#up],
      ["-", this.#down],
    ] as const) {
      for (const edge of edges) {
        const pairs = this.#of(edge);
        add("live", `${edge} = ${sign}${pairs.length}`);
        for (const pair of pairs) add(`attends:${edge}`, pair);
      }
    }
    const pairs = [
      ...[...this.#there].map(([pair, by]) => [pair, `+ ${by.join(" ")}`] as const),
      ...[...this.#away].map(([pair, atMs]) => [pair, `- ${atMs}`] as const),
    ];
    for (const [pair, where] of pairs) {
      const space = pair.indexOf(" ");
      add(`presence:${pair.slice(0, space)}`, `${pair.slice(space + 1)} = ${where}`);
    }
    for (const lines of Object.values(keys)) lines.sort();
    return keys;
  }
}

export async function expectedPresence(
  redis: Redis,
  keys: Keys,
  partition: PartitionId,
): Promise<PresenceKeys> {
  const reference = new Reference();
  const log = await redis.xrangeBuffer(keys.events(partition), "-", "+");
  for (const [id, fields] of log) {
    reference.take(id.toString(), unpackCommands(fields[1] as Buffer));
  }
  return reference.keys();
}

export async function foundPresence(
  redis: Redis,
  keys: Keys,
  partition: PartitionId,
): Promise<PresenceKeys> {
  const prefix = keys.events(partition).slice(0, -"events".length);
  const found: Record<string, string[]> = {};
  for (const key of await redis.keys(`${prefix}*`)) {
    const name = key.slice(prefix.length);
    if (name.startsWith("attends:")) found[name] = (await redis.smembers(key)).sort();
    if (name !== "live" && !name.startsWith("presence:")) continue;
    const lines = Object.entries(await redis.hgetall(key)).map((pair) => pair.join(" = "));
    found[name] = lines.sort();
  }
  return found;
}
