/**
 * Keeps the users' lists of rooms: an ordinary consumer of the group `lists` over
 * the outboxes of all partitions, beside as many others as there are workers.
 *
 *   XREADGROUP ──▶ change-list.lua, one a change ──▶ XACK, XDEL
 *       ▲
 *   XAUTOCLAIM: what somebody was given and did not finish
 *
 * It may die at any point: a change that was not acknowledged is given to another
 * after a while, and to take one twice changes nothing.
 */
import type { Lifecycle } from "../../ops/lifecycle.ts";
import type { Log } from "../../ops/log.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { pipeline, type Redis, type RedisArg } from "../../redis/connect.ts";
import { array, asInteger, asText, readEntries, type StreamEntry } from "../../redis/replies.ts";
import { runScripts, Script } from "../../redis/script.ts";
import type { BlockingReader } from "../../redis/streams-reader.ts";
import { LISTS_GROUP, type Keys } from "../../streams/keys.ts";
import { packListNews } from "../../streams/list-news.ts";
import { readMembershipChange, type MembershipChange } from "../../streams/outbox.ts";

const READ_COUNT = 200;
const BLOCK_MS = 1_000;
/** Before it waits again after its link was cut. */
const RETRY_MS = 50;
/** A change that its consumer has not finished by then is given to another. */
export const CLAIM_AFTER_MS = 10_000;
/** Between two looks for such changes. */
const CLAIM_EVERY_MS = 5_000;
/** A consumer without changes that was silent for so long is forgotten. */
const CONSUMER_GONE_MS = 3_600_000;
/** Longer than any change can wait to be given again. */
const LEFT_TTL_MS = 7 * 24 * 3_600_000;

/** What became of a change: see change-list.lua. */
const OUTCOMES = ["changed", "known", "unlisted"] as const;
type Outcome = (typeof OUTCOMES)[number];

const changeList = new Script<Outcome>({
  file: new URL("./change-list.lua", import.meta.url),
  keys: ["list", "left"],
  args: ["room", "seq", "role", "left_ttl_ms", "rooms_max", "invitations_max"],
  decode(reply) {
    const word = asText(reply);
    const outcome = OUTCOMES.find((each) => each === word);
    if (outcome === undefined) throw new Error(`a list answered ${word}`);
    return outcome;
  },
});

export class ListKeeper {
  readonly #redis: Redis;
  readonly #reader: BlockingReader;
  readonly #keys: Keys;
  readonly #consumer: string;
  readonly #claimAfterMs: number;
  readonly #log: Log;
  readonly tally = { changed: 0, known: 0, unlisted: 0, claimed: 0 };

  constructor(options: {
    redis: Redis;
    /** For this keeper alone. */
    reader: BlockingReader;
    keys: Keys;
    consumer: string;
    log: Log;
    claimAfterMs?: number;
  }) {
    this.#redis = options.redis;
    this.#reader = options.reader;
    this.#keys = options.keys;
    this.#consumer = options.consumer;
    this.#log = options.log;
    this.#claimAfterMs = options.claimAfterMs ?? CLAIM_AFTER_MS;
  }

  get #outboxes(): string[] {
    return [...this.#keys.all()].map((partition) => this.#keys.outbox(partition));
  }

  /** Ends when the lifecycle stops. Rejects when Redis is away: to be run again. */
  async run(lifecycle: Lifecycle): Promise<void> {
    await this.#createGroups();
    let claimInMs = 0;
    while (!lifecycle.stopping) {
      if (claimInMs <= 0) {
        await this.claim();
        claimInMs = CLAIM_EVERY_MS;
      }
      claimInMs -= BLOCK_MS;
      try {
        await this.take(BLOCK_MS);
      } catch (error) {
        // The lifecycle's pauses grow, and a link that was cut is back sooner.
        if (this.#reader.up) throw error;
        await lifecycle.sleep(RETRY_MS);
      }
    }
  }

  async #createGroups(): Promise<void> {
    const from = [LISTS_GROUP, "0", "MKSTREAM"];
    const commands = this.#outboxes.map((key) => ["XGROUP", "CREATE", key, ...from]);
    for (const reply of await pipeline(this.#redis, commands)) {
      if (reply instanceof Error && !reply.message.startsWith("BUSYGROUP")) throw reply;
    }
  }

  /** Takes what is new; waits for it up to `blockMs`. */
  async take(blockMs: number): Promise<void> {
    const from = { group: LISTS_GROUP, consumer: this.#consumer, keys: this.#outboxes };
    const streams = await this.#reader.readGroup(from, READ_COUNT, blockMs);
    for (const [key, entries] of streams) await this.#finish(key, entries);
  }

  /** Takes what others were given and did not finish, and forgets consumers that are gone. */
  async claim(): Promise<void> {
    const outboxes = this.#outboxes;
    const what = [LISTS_GROUP, this.#consumer, this.#claimAfterMs, "0-0", "COUNT", READ_COUNT];
    const claims = outboxes.map((key) => ["XAUTOCLAIM", key, ...what]);
    const replies = await pipeline(this.#redis, claims);
    for (const [i, reply] of replies.entries()) {
      const entries = readEntries(array(reply)[1]);
      this.tally.claimed += entries.length;
      await this.#finish(outboxes[i] as string, entries);
    }
    await this.#forgetConsumers();
  }

  async #finish(key: string, entries: readonly StreamEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const changes = entries.flatMap(({ id, fields }) => {
      const change = readMembershipChange(fields);
      if (change === null) this.#log.error({ outbox: key, id }, "an outbox entry cannot be read");
      return change ?? [];
    });
    const replies = await runScripts(
      this.#redis,
      changes.map((change) => this.#call(change)),
    );
    for (const reply of replies) {
      if (reply instanceof Error) throw reply;
      this.tally[reply]++;
    }
    const changed = changes.filter((_, i) => replies[i] === "changed");
    const ids = entries.map(({ id }) => id);
    const done: RedisArg[][] = [
      ...(changed.length > 0 ? [["PUBLISH", this.#keys.listNews(), packListNews(changed)]] : []),
      ["XACK", key, LISTS_GROUP, ...ids],
      ["XDEL", key, ...ids],
    ];
    for (const reply of await pipeline(this.#redis, done)) if (reply instanceof Error) throw reply;
  }

  #call({ user, room, seq, role }: MembershipChange): ReturnType<typeof changeList.call> {
    const keys = [this.#keys.list(user), this.#keys.listLeft(user)];
    const { roomsListed, invitationsListed } = LIMITS;
    const about = [room, seq, role ?? ""];
    return changeList.call(keys, [...about, LEFT_TTL_MS, roomsListed, invitationsListed]);
  }

  async #forgetConsumers(): Promise<void> {
    const outboxes = this.#outboxes;
    const replies = await pipeline(
      this.#redis,
      outboxes.map((key) => ["XINFO", "CONSUMERS", key, LISTS_GROUP]),
    );
    const gone = replies.flatMap((reply, i) =>
      array(reply)
        .map(readConsumer)
        .filter(({ pending, idleMs }) => pending === 0 && idleMs > CONSUMER_GONE_MS)
        .map(({ name }) => ["XGROUP", "DELCONSUMER", outboxes[i] as string, LISTS_GROUP, name]),
    );
    if (gone.length > 0) await pipeline(this.#redis, gone);
  }
}

function readConsumer(reply: unknown): { name: string; pending: number; idleMs: number } {
  const flat = array(reply);
  const field = (name: string): unknown => flat[flat.findIndex((one) => asText(one) === name) + 1];
  return {
    name: asText(field("name")),
    pending: asInteger(field("pending")),
    idleMs: asInteger(field("idle")),
  };
}
