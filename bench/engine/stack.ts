/** The engine under test: a Redis of its own and roles from dist, each a process, as users run them. */
import { resolve } from "node:path";

import { launchRole, type RoleProcess } from "../../src/cli/role-process.ts";
import { childEnvironment, readConfig, type Config } from "../../src/config.ts";
import type { Redis } from "../../src/redis/connect.ts";
import type { EngineTarget } from "../load/plan.ts";
import { startPrivateRedis, type PrivateRedis } from "./private-redis.ts";
import type { Watched } from "./process-usage.ts";

export const PARTITIONS = 16;
/** Run from the root of the repository, as `npm run bench` does. */
const ENTRY = resolve("dist/main.js");
const AUDIENCE = "bench";
const SECRET = "only-for-benchmarks-only-for-benchmarks";
const STOP_MS = 20_000;

export interface StackOptions {
  readonly edges: number;
  readonly projectors: number;
  readonly settings?: Partial<Config>;
  readonly say: (text: string) => void;
}

/** `await using stack = …` is not in Node 20: callers end it with `stop` in a `finally`. */
export class Stack {
  readonly #server: PrivateRedis;
  readonly #edges: RoleProcess[] = [];
  readonly #projectors: RoleProcess[] = [];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #say: (text: string) => void;

  private constructor(parts: {
    server: PrivateRedis;
    environment: NodeJS.ProcessEnv;
    say: (text: string) => void;
  }) {
    this.#server = parts.server;
    this.#environment = parts.environment;
    this.#say = parts.say;
  }

  static async start(options: StackOptions): Promise<Stack> {
    const { edges, projectors, settings, say } = options;
    const server = await startPrivateRedis("disk");
    const environment = childEnvironment({
      ...readConfig("edge", {}, {}),
      redisUrl: server.url,
      port: 0,
      metricsPort: 0,
      partitions: PARTITIONS,
      ack: "disk",
      transport: "uws",
      authSecret: SECRET,
      authAudience: AUDIENCE,
      logLevel: "warn",
      logFormat: "json",
      ...settings,
    });
    const stack = new Stack({ server, environment, say });
    try {
      for (let i = 0; i < edges; i++) await stack.addEdge();
      for (let i = 0; i < projectors; i++) await stack.addProjector();
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  /** For questions about the server and, before a run, for filling the log. */
  get redis(): Redis {
    return this.#server.redis;
  }
  get redisUrl(): string {
    return this.#server.url;
  }

  get target(): EngineTarget {
    const addresses = this.#edges.map(({ address }) => address as string);
    return { kind: "engine", addresses, secret: SECRET, audience: AUDIENCE };
  }

  /** `host:port` of every role's /metrics, by the names in `watched`. */
  get scraped(): readonly { readonly name: string; readonly target: string }[] {
    const named = (
      name: string,
      roles: readonly RoleProcess[],
    ): { name: string; target: string }[] =>
      roles.map(({ metricsTarget }, i) => ({
        name: `${name} ${i + 1}`,
        target: metricsTarget as string,
      }));
    return [...named("edge", this.#edges), ...named("projector", this.#projectors)];
  }

  get watched(): readonly Watched[] {
    return [
      { name: "redis", pid: this.#server.pid },
      ...this.#edges.map(({ pid }, i) => ({ name: `edge ${i + 1}`, pid })),
      ...this.#projectors.map(({ pid }, i) => ({ name: `projector ${i + 1}`, pid })),
    ];
  }

  async addEdge(): Promise<void> {
    this.#edges.push(await this.#launch("edge"));
  }
  async addProjector(): Promise<void> {
    this.#projectors.push(await this.#launch("projector"));
  }

  /** Pids, the oldest first. */
  get projectors(): readonly number[] {
    return this.#projectors.map(({ pid }) => pid);
  }

  /** With SIGKILL; returns when it is gone. */
  async killProjector(pid: number): Promise<void> {
    const at = this.#projectors.findIndex((projector) => projector.pid === pid);
    const [projector] = this.#projectors.splice(at, 1);
    projector?.kill("SIGKILL");
    await projector?.exited;
  }

  /** In good order. */
  async stopProjectors(): Promise<void> {
    await Promise.all(this.#projectors.splice(0).map((projector) => projector.stop(STOP_MS)));
  }

  #launch(role: "edge" | "projector"): Promise<RoleProcess> {
    const environment = this.#environment;
    const onLine = (line: string): void => this.#say(`${role}: ${line}`);
    const { signal } = new AbortController();
    return launchRole({ role, entry: ENTRY, environment, onLine, signal });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#edges.map((edge) => edge.stop(STOP_MS)));
    await this.stopProjectors();
    await this.#server.stop();
  }
}
