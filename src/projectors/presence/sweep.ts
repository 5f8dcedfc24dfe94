/**
 * The end of edges, as the owner of a partition sees to it. A lease that ended
 * becomes `edgeDown` in the log, and then, from the log's own state, `attendance`
 * takes out whom that incarnation had in, some at a time, until nobody is left:
 *
 *   lease ended ──▶ edgeDown ──▶ attendance ──▶ … ──▶ nobody in: unknown
 *
 * What is to be said next follows from Redis alone, and saying it twice does no
 * harm; so an owner may die anywhere, and the next one goes on.
 */
import type { RoomId, UserId } from "../../protocol/ids.ts";
import { pipeline, type Redis, type RedisArg } from "../../redis/connect.ts";
import { comparePositions, ORIGIN, type Position } from "../../redis/position.ts";
import { array, asInteger, asText, readHash } from "../../redis/replies.ts";
import { CLOCK } from "../../redis/clock.ts";
import { runScripts, Script, type ScriptCall } from "../../redis/script.ts";
import { readIncarnation } from "../../domain/presence.ts";
import {
  FACT_USERS_MAX,
  FACTS_PER_ENTRY_MAX,
  packCommands,
  type Fact,
  type FactOf,
} from "../../streams/command-log.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import type { OwnedPartition } from "../runtime/owned-partition.ts";
import type { Ownership } from "../runtime/ownership.ts";

export const SWEEP = {
  /** Between two looks at the leases. */
  everyMs: 1_000,
  /** Between two steps while somebody is still to be taken out. */
  busyMs: 20,
  /** Users taken out of one partition in one step. */
  usersAtOnce: 1_000,
} as const;
/** In the place of an edge in the log; no edge is called so. */
const AUTHOR = "sweep";

type Swept =
  | { readonly outcome: "appended"; readonly id: Position }
  | { readonly outcome: "fenced" | "alive" };

const sweepScript = new Script<Swept>({
  file: new URL("./sweep.lua", import.meta.url),
  library: CLOCK,
  keys: ["events", "log", "checkpoint", "edges"],
  args: ["fence", "incarnation", "facts", "batch"],
  decode(reply) {
    const [appended, detail] = array(reply);
    const text = asText(detail);
    if (asInteger(appended) === 1) return { outcome: "appended", id: text as Position };
    if (text === "fenced" || text === "alive") return { outcome: text };
    throw new Error(`sweep.lua answered ${text}`);
  },
});

interface Found {
  readonly partition: OwnedPartition;
  /** Their leases ended, and the log does not say so yet. */
  readonly lapsed: readonly string[];
  /** Ended by the log, with somebody in still. */
  readonly ended: readonly string[];
}
interface Step {
  readonly partition: OwnedPartition;
  readonly call: ScriptCall<Swept>;
  /** Ends an incarnation, as opposed to taking out whom one had in. */
  readonly ends: boolean;
}

export class PresenceSweep {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #ownership: Pick<Ownership, "held">;
  /** Up to where each partition has to be applied before what Redis tells of it is true again. */
  readonly #saidTo = new WeakMap<OwnedPartition, Position>();
  /** Incarnations whose end was put into the log. */
  ended = 0;

  constructor(redis: Redis, keys: Keys, ownership: Pick<Ownership, "held">) {
    this.#redis = redis;
    this.#keys = keys;
    this.#ownership = ownership;
  }

  /** One step for every partition that is owned; returns when to come again, in milliseconds. */
  async look(): Promise<number> {
    const held = this.#ownership.held();
    const ready = held.filter((partition) => !partition.halted && this.#isApplied(partition));
    const waiting = held.some((partition) => !this.#isApplied(partition));
    const found = await this.#find(ready);
    const steps = found.flatMap((each) => this.#endings(each));
    for (const each of found) steps.push(...(await this.#clearances(each)));
    await this.#say(steps);
    return steps.length > 0 || waiting ? SWEEP.busyMs : SWEEP.everyMs;
  }

  #isApplied(partition: OwnedPartition): boolean {
    const saidTo = this.#saidTo.get(partition) ?? ORIGIN;
    return comparePositions(partition.decidedTo, saidTo) >= 0;
  }

  async #find(partitions: readonly OwnedPartition[]): Promise<Found[]> {
    if (partitions.length === 0) return [];
    const [time, ...replies] = await pipeline(this.#redis, [
      ["TIME"],
      ...partitions.flatMap(({ id }): RedisArg[][] => [
        ["ZRANGE", this.#keys.edges(id), 0, -1, "WITHSCORES"],
        ["HGETALL", this.#keys.live(id)],
      ]),
    ]);
    const [seconds, micros] = array(time);
    const nowMs = asInteger(seconds) * 1_000 + Math.floor(asInteger(micros) / 1_000);
    return partitions.map((partition, i) => {
      const leases = readHash(replies[2 * i]);
      const live = [...readHash(replies[2 * i + 1])].map(
        ([name, value]) => [name, readIncarnation(value)] as const,
      );
      const over = [...leases].filter(([, ends]) => Number(ends) <= nowMs).map(([name]) => name);
      // One that the log knows holds a lease before it says a word; without one it is at its end.
      const bare = live.filter(([name, { state }]) => state === "up" && !leases.has(name));
      const ended = live.filter(([, { state }]) => state === "ended");
      return {
        partition,
        lapsed: [...over, ...bare.map(([name]) => name)],
        ended: ended.map(([name]) => name),
      };
    });
  }

  #endings({ partition, lapsed }: Found): Step[] {
    return lapsed.map((edge) => this.#step(partition, edge, [{ type: "edgeDown", edge }]));
  }

  /** The next ones to be taken out, in as many entries as it takes. */
  async #clearances({ partition, ended }: Found): Promise<Step[]> {
    const [edge] = ended;
    if (edge === undefined) return [];
    const key = this.#keys.attends(partition.id, edge);
    // By chance, because a plain scan would begin with the same ones after each of its steps.
    const [reply] = await pipeline(this.#redis, [["SRANDMEMBER", key, SWEEP.usersAtOnce]]);
    const facts = clearance(edge, array(reply).map(asText));
    const steps: Step[] = [];
    for (let at = 0; at < facts.length; at += FACTS_PER_ENTRY_MAX) {
      steps.push(this.#step(partition, edge, facts.slice(at, at + FACTS_PER_ENTRY_MAX)));
    }
    return steps;
  }

  #step(partition: OwnedPartition, edge: string, facts: readonly Fact[]): Step {
    const { id, fence } = partition;
    const batch = packCommands(AUTHOR, [], facts) as Buffer;
    const call = sweepScript.call(this.#keysOf(id), [fence, edge, facts.length, batch]);
    return { partition, call, ends: facts[0]?.type === "edgeDown" };
  }

  #keysOf(id: PartitionId): string[] {
    const [events, log] = [this.#keys.events(id), this.#keys.log(id)];
    return [events, log, this.#keys.checkpoint(id), this.#keys.edges(id)];
  }

  async #say(steps: readonly Step[]): Promise<void> {
    const replies = await runScripts(
      this.#redis,
      steps.map(({ call }) => call),
    );
    steps.forEach(({ partition, ends }, i) => {
      const reply = replies[i];
      if (reply instanceof Error) throw reply;
      if (reply?.outcome !== "appended") return;
      this.#saidTo.set(partition, reply.id);
      if (ends) this.ended++;
    });
  }
}

/** `members` are `room user`; of one room as many to a fact as fit. */
export function clearance(edge: string, members: readonly string[]): FactOf<"attendance">[] {
  const byRoom = new Map<RoomId, UserId[]>();
  for (const member of members) {
    const space = member.indexOf(" ");
    const room = member.slice(0, space) as RoomId;
    const users = byRoom.get(room);
    const user = member.slice(space + 1) as UserId;
    if (users) users.push(user);
    else byRoom.set(room, [user]);
  }
  return [...byRoom].flatMap(([room, users]) => {
    const facts: FactOf<"attendance">[] = [];
    for (let at = 0; at < users.length; at += FACT_USERS_MAX) {
      const left = users.slice(at, at + FACT_USERS_MAX);
      facts.push({ type: "attendance", edge, room, entered: [], left });
    }
    return facts;
  });
}
