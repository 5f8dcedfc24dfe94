/**
 * What stands between users and the log, without sockets: edges that append
 * through a real Ingest, and devices that talk over them as the SDK does: they
 * keep a command until its outcome, send it again when in doubt, in order.
 */
import type { Ingest, Sender } from "../../src/ingest/ingest.ts";
import type { CommandNumber, DeviceId, RoomId, UserId } from "../../src/protocol/ids.ts";
import { connectForCommands, pipeline, type Redis } from "../../src/redis/connect.ts";
import { ORIGIN, type Position } from "../../src/redis/position.ts";
import { readStreams } from "../../src/redis/replies.ts";
import { runScripts } from "../../src/redis/script.ts";
import { readCommand } from "../../src/redis/streams-reader.ts";
import { readBell, type Outcome } from "../../src/streams/bell.ts";
import type { Command, LoggedCommand } from "../../src/streams/command-log.ts";
import type { Keys } from "../../src/streams/keys.ts";
import type { Chance } from "./chance.ts";
import { nameOf } from "./reference.ts";
import { SILENT } from "./scene.ts";

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** After a failed round of appends. */
const RETRY_MS = 20;

/** One edge's half of ingest: appends what its Ingest has, round by round. */
export class StormEdge {
  readonly id: string;
  readonly ingest: Ingest;
  readonly #redis: Redis;
  #dead = false;

  private constructor(id: string, ingest: Ingest, redis: Redis) {
    this.id = id;
    this.ingest = ingest;
    this.#redis = redis;
  }

  static async start(id: string, ingest: Ingest, url: string): Promise<StormEdge> {
    const edge = new StormEdge(
      id,
      ingest,
      await connectForCommands({ url, name: id, log: SILENT }),
    );
    void edge.#run();
    return edge;
  }

  async #run(): Promise<void> {
    while (!this.#dead) {
      if (!this.ingest.hasWork) {
        await pause(1);
        continue;
      }
      const { calls, settle } = this.ingest.begin();
      try {
        settle(await runScripts(this.#redis, calls));
      } catch {
        settle(null); // a broken line: nothing is known of any of them
        await pause(RETRY_MS);
      }
    }
  }

  /** Takes everything that it has not appended with it. */
  kill(): void {
    this.#dead = true;
    this.#redis.disconnect();
  }
}

export interface Cast {
  readonly users: readonly string[];
  readonly rooms: readonly string[];
}

/** Commands without an outcome that a device has at most. */
const UNDER_WAY_MAX = 8;
/** How far back it sends what is long done. */
const OLD_COMMANDS = 60;

export class Talker {
  /** Commands that some edge has accepted, by name. */
  readonly accepted = new Set<string>();
  readonly session: number;
  readonly #user: UserId;
  readonly #device: DeviceId;
  readonly #chance: Chance;
  readonly #cast: Cast;
  readonly #waiting: LoggedCommand[] = [];
  readonly #old: LoggedCommand[] = [];
  #k = 0;
  #room: RoomId;
  #edge: StormEdge;
  /** Counts changes of edge and deferrals: only the newest sender may hold this device up. */
  #turn = 0;
  /** Between a deferral and the resend: nothing newer may go out. */
  #held = false;

  constructor(session: number, user: string, edge: StormEdge, cast: Cast, chance: Chance) {
    this.session = session;
    this.#user = user as UserId;
    this.#device = `${user}-${session}` as DeviceId;
    this.#edge = edge;
    this.#cast = cast;
    this.#chance = chance;
    this.#room = chance.pick(cast.rooms) as RoomId;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
  get edge(): StormEdge {
    return this.#edge;
  }

  /** Sends the next command, if it may. */
  talk(): void {
    if (this.#held || this.#waiting.length >= UNDER_WAY_MAX) return;
    const command = { k: ++this.#k as CommandNumber, ...this.#body() } as Command;
    const { session } = this;
    const logged = { session, user: this.#user, device: this.#device, command };
    this.#waiting.push(logged);
    this.#submit(logged);
  }

  #body(): object {
    const { users, rooms } = this.#cast;
    // People mostly stay where they are: that is where order shows.
    if (this.#chance.often(0.3)) this.#room = this.#chance.pick(rooms) as RoomId;
    const room = this.#room;
    const draw = this.#chance.next();
    const name = this.#chance.pick(["Red", "Green", "Blue"]);
    if (this.#k <= 2 || draw < 0.05) {
      const kind = this.#chance.pick(["public", "public", "private"] as const);
      return { type: "create", room, kind, name, members: [this.#user] };
    }
    if (draw < 0.15) return { type: "join", room };
    if (draw < 0.2) return { type: "leave", room };
    if (draw < 0.27) return { type: "invite", room, user: this.#chance.pick(users) };
    if (draw < 0.3) return { type: "rename", room, name };
    return { type: "send", room, text: `${this.#user} ${this.#k}` };
  }

  #submit(logged: LoggedCommand): void {
    const turn = this.#turn;
    const sender: Sender = {
      accepted: () => void this.accepted.add(nameOf(logged)),
      deferred: () => {
        if (turn !== this.#turn) return;
        this.#turn++;
        this.#held = true;
        setTimeout(() => this.resend(), this.#chance.between(5, 40));
      },
    };
    this.#edge.ingest.submit(logged, sender);
  }

  /**
   * Everything without an outcome again, in order, as an SDK does on a new connection. Every other
   * device trusts what it was told, and does not send again what was accepted.
   */
  resend(edge = this.#edge): void {
    this.#edge = edge;
    this.#turn++;
    this.#held = false;
    const turn = this.#turn;
    for (const logged of this.#waiting) {
      if (turn !== this.#turn) return; // deferred on the spot
      if (this.session % 2 === 0 && this.accepted.has(nameOf(logged))) continue;
      this.#submit(logged);
    }
  }

  /** A copy of something done long ago turns up, from a network that kept it. */
  echo(): void {
    const logged = this.#old.length > 0 ? this.#chance.pick(this.#old) : undefined;
    if (logged) this.#edge.ingest.submit(logged, { accepted: () => {}, deferred: () => {} });
  }

  settle({ k }: Outcome): void {
    const index = this.#waiting.findIndex(({ command }) => command.k === k);
    if (index < 0) return;
    this.#old.push(...this.#waiting.splice(index, 1));
    if (this.#old.length > OLD_COMMANDS) this.#old.shift();
  }
}

/** Brings outcomes home: reads the bells of all partitions over a line of its own. */
export class BellReader {
  readonly #redis: Redis;
  readonly #positions = new Map<string, Position>();

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis;
    for (const partition of keys.all()) this.#positions.set(keys.bell(partition), ORIGIN);
  }

  async outcomes(): Promise<Outcome[]> {
    const [reply] = await pipeline(this.#redis, [readCommand(this.#positions, 500)]);
    const found: Outcome[] = [];
    for (const [key, entries] of readStreams(reply)) {
      for (const { id, fields } of entries) {
        this.#positions.set(key, id);
        found.push(...readBell(fields).outcomes);
      }
    }
    return found;
  }
}
