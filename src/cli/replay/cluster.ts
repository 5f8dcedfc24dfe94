/**
 * An engine of the replay's own: a private Redis in a temporary folder, edges
 * and projectors as processes, all gone afterwards. On demand it kills (-9)
 * edges and projectors all along and starts them again.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { childEnvironment, type Config } from "../../config.ts";
import { Lifecycle } from "../../ops/lifecycle.ts";
import type { Log } from "../../ops/log.ts";
import { startPrivateRedis } from "../private-redis.ts";
import type { RedisProcess } from "../redis-process.ts";
import { launchRole, type RoleProcess } from "../role-process.ts";
import { pick, type Random } from "./random.ts";
import { RoleWords } from "./role-words.ts";

/** Pause between two kills. */
const KILL_PAUSE_MS = { min: 1_000, max: 3_000 } as const;
/** Starts of a role in a row that may fail. */
const STARTS_MAX = 5;
const START_PAUSE_MS = 250;
const STOP_MS = { roles: 10_000, redis: 30_000 } as const;

export interface ClusterOptions {
  readonly config: Config;
  /** Entries of the largest room. */
  readonly historyPerRoom: number;
  readonly log: Log;
  /** Calls off the start. */
  readonly signal: AbortSignal;
}

interface Member {
  readonly role: "edge" | "projector";
  readonly name: string;
  /** 0 until an edge has got one; it keeps that. */
  port: number;
  process: RoleProcess | null;
  kills: number;
}

export interface Kills {
  readonly total: number;
  /** How many of them hit while messages were on their way. */
  readonly inFlight: number;
  readonly byName: readonly (readonly [name: string, kills: number])[];
}

export class Cluster {
  readonly secret = randomBytes(32).toString("base64url");
  readonly words = new RoleWords();
  readonly #options: ClusterOptions;
  readonly #killing: Lifecycle;
  readonly #members: Member[];
  readonly #returning = new Set<Promise<void>>();
  #dir: string | null = null;
  #redis: RedisProcess | null = null;
  #redisUrl: string | null;
  #stopping = false;
  #killsInFlight = 0;

  constructor(options: ClusterOptions) {
    const { config, log } = options;
    this.#options = options;
    this.#killing = new Lifecycle(log);
    this.#redisUrl = config.redisUrl;
    this.#members = [...members("projector", config.projectors), ...members("edge", config.edges)];
  }

  /** `http://host:port` of every edge. */
  get addresses(): string[] {
    const edges = this.#members.filter(({ role }) => role === "edge");
    return edges.map(({ port }) => `http://127.0.0.1:${port}`);
  }

  get kills(): Kills {
    const byName = this.#members.map(({ name, kills }) => [name, kills] as const);
    const total = byName.reduce((sum, [, kills]) => sum + kills, 0);
    return { total, inFlight: this.#killsInFlight, byName };
  }

  async start(): Promise<void> {
    const { config, log, signal } = this.#options;
    if (this.#redisUrl === null) {
      this.#dir = await mkdtemp(join(tmpdir(), "millrace-replay-"));
      const { ack } = config;
      this.#redis = await startPrivateRedis({ dataDir: this.#dir, ack, log, signal });
      this.#redisUrl = this.#redis.url;
    }
    await Promise.all(this.#members.map((member) => this.#launch(member)));
  }

  /** Kills at random moments until `stopKilling`. */
  startKilling(random: Random, inFlight: () => number): void {
    const { min, max } = KILL_PAUSE_MS;
    this.#killing.run("killer", async () => {
      for (;;) {
        await this.#killing.sleep(min + random() * (max - min));
        if (this.#killing.stopping) return;
        const alive = this.#members.filter(({ process }) => process !== null);
        if (alive.length === 0) continue;
        if (inFlight() > 0) this.#killsInFlight++;
        this.#kill(pick(random, alive));
      }
    });
  }

  /** Resolves when everything runs again. */
  async stopKilling(): Promise<void> {
    await this.#killing.stop();
    while (this.#returning.size > 0) await Promise.all(this.#returning);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.stopKilling();
    for (const role of ["edge", "projector"] as const) {
      const running = this.#members.filter((member) => member.role === role);
      await Promise.all(running.map(async ({ process }) => process?.stop(STOP_MS.roles)));
    }
    await this.#redis?.stop(STOP_MS.redis);
    if (this.#dir !== null) await rm(this.#dir, { recursive: true, force: true });
  }

  #kill(member: Member): void {
    member.kills++;
    member.process?.kill("SIGKILL");
    // Its end starts it again; until then it is not there to be killed.
    member.process = null;
  }

  async #launch(member: Member): Promise<void> {
    const process = await this.#start(member);
    if (process.address !== null) member.port = Number(new URL(process.address).port);
    member.process = process;
    const returning = process.exited.then(async (reason) => {
      if (this.#stopping) return;
      if (member.process === process) this.words.trouble(`${member.name}: ${reason}`);
      member.process = null;
      await this.#comeBack(member);
    });
    void returning;
  }

  #comeBack(member: Member): Promise<void> {
    const returning = this.#launch(member)
      .catch((error: unknown) => {
        if (!this.#stopping) this.words.trouble(`${member.name} is gone: ${String(error)}`);
      })
      .finally(() => this.#returning.delete(returning));
    this.#returning.add(returning);
    return returning;
  }

  async #start({ role, name, port }: Member): Promise<RoleProcess> {
    const { config, historyPerRoom, signal } = this.#options;
    const settings: Partial<Config> = {
      ...config,
      host: "127.0.0.1",
      port,
      redisUrl: this.#redisUrl,
      authSecret: this.secret,
      historyPerRoom,
      metricsPort: null,
      logLevel: "warn",
      logFormat: "json",
    };
    for (let attempt = 1; ; attempt++) {
      try {
        return await launchRole({
          role,
          entry: process.argv[1] ?? "",
          environment: childEnvironment(settings),
          onLine: (line) => this.words.line(name, line),
          signal,
        });
      } catch (error) {
        if (attempt >= STARTS_MAX || this.#stopping || signal.aborted) throw error;
        this.words.trouble(`${name} did not start: ${String(error)}`);
        await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
      }
    }
  }
}

function members(role: Member["role"], count: number): Member[] {
  return Array.from({ length: count }, (_, i) => ({
    role,
    name: count === 1 ? role : `${role}-${i + 1}`,
    port: 0,
    process: null,
    kills: 0,
  }));
}
