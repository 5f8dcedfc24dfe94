/**
 * `millrace start`: everything on one machine under one small supervisor.
 *
 * Starts bottom up (Redis, projectors, edges) and stops top down (edges,
 * projectors, Redis), so that whatever was accepted is still applied.
 */

import { childEnvironment, type Config } from "../config.ts";
import { monotonicMs } from "../ops/clock.ts";
import { withoutPassword, type Log } from "../ops/log.ts";
import { ensureAuthSecret } from "./auth-secret.ts";
import { seedDemo } from "./demo.ts";
import { KeepRunning, type Launched } from "./keep-running.ts";
import { Output } from "./output.ts";
import { startPrivateRedis } from "./private-redis.ts";
import { lockFolder, type FolderLock } from "./private-place.ts";
import type { RedisProcess } from "./redis-process.ts";
import { launchRole, type RoleProcess } from "./role-process.ts";
import type { Running } from "./roles.ts";
import { ScrapeTargets } from "./scrape-targets.ts";
import { welcome } from "./welcome.ts";

/** How long each layer may take to end before it is killed. */
const STOP_MS = { edges: 10_000, projectors: 10_000, redis: 30_000 } as const;

/** Rejects when it cannot be started, or when `signal` is raised before it runs; nothing is left then. */
export async function startEngine(config: Config, signal: AbortSignal): Promise<Running> {
  const engine = new Engine(config);
  const giveUp = (): void => void engine.stop();
  signal.addEventListener("abort", giveUp);
  try {
    await engine.start();
  } catch (error) {
    await engine.stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  return engine;
}

class Engine implements Running {
  readonly #config: Config;
  readonly #output: Output;
  readonly #log: Log;
  readonly #targets: ScrapeTargets;
  #lock: FolderLock | null = null;
  #redis: KeepRunning<RedisProcess> | null = null;
  #projectors: KeepRunning<RoleProcess>[] = [];
  #edges: KeepRunning<RoleProcess>[] = [];
  #address: string | null = null;
  #stopped: Promise<void> | null = null;

  constructor(config: Config) {
    this.#config = config;
    this.#output = new Output(config);
    this.#log = this.#output.log("start");
    const { dataDir, metricsPort: firstPort } = config;
    this.#targets = new ScrapeTargets({ dataDir, firstPort, log: this.#log });
  }

  get address(): string | null {
    return this.#address;
  }

  async start(): Promise<void> {
    const config = this.#config;
    // A second engine on the same Redis is fine; one in the same folder is a mistake.
    this.#lock = await lockFolder(config.dataDir);
    const secret =
      config.authJwksFile === null ? await ensureAuthSecret(config) : config.authSecret;
    const redisUrl = config.redisUrl ?? (await this.#startRedis());
    this.#log.info({ url: withoutPassword(redisUrl) }, "the store");
    const shared = { ...config, redisUrl, logFormat: "json" } as const;
    let ports = range(config.edges).map((i) => (config.port === 0 ? 0 : config.port + i));
    this.#projectors = range(config.projectors).map((i) =>
      this.#role("projector", numbered("projector", i, config.projectors), () => shared),
    );
    this.#edges = range(config.edges).map((i) =>
      this.#role("edge", numbered("edge", i, config.edges), () => ({
        ...shared,
        authSecret: secret,
        port: ports[i] ?? 0,
      })),
    );
    const roles = [...this.#projectors, ...this.#edges];
    const started = await Promise.all(roles.map((role) => role.start()));
    const addresses = started.flatMap(({ address }) => address ?? []);
    // Clients come back to the port they know, so a restarted edge takes the same one.
    ports = addresses.map((address) => Number(new URL(address).port));
    this.#address = addresses[0] ?? null;
    await this.#greet(addresses, secret);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#log.info("stopping: edges, projectors, redis");
    await stopAll(this.#edges, STOP_MS.edges);
    await stopAll(this.#projectors, STOP_MS.projectors);
    await this.#redis?.stop(STOP_MS.redis);
    if (this.#lock) await this.#targets.remove();
    await this.#lock?.release();
    this.#log.info("stopped");
  }

  /** Kills the roles that `stop` waits for. Redis is left to end in order: its data is at stake. */
  hurry(): void {
    for (const role of [...this.#edges, ...this.#projectors]) role.kill("SIGKILL");
  }

  async #startRedis(): Promise<string> {
    const { dataDir, ack } = this.#config;
    const log = this.#output.log("redis");
    this.#redis = new KeepRunning({
      name: "redis",
      log: this.#log,
      launch: (signal) => startPrivateRedis({ dataDir, ack, log, signal }),
    });
    return (await this.#redis.start()).url;
  }

  #role(
    role: "edge" | "projector",
    name: string,
    settings: () => Partial<Config>,
  ): KeepRunning<RoleProcess> {
    return new KeepRunning({
      name,
      log: this.#log,
      launch: async (signal) => {
        const metricsPort = this.#targets.portOf(name);
        const running = await launchRole({
          role,
          signal,
          entry: process.argv[1] ?? "",
          environment: childEnvironment({ ...settings(), metricsPort }),
          onLine: (line) => this.#output.line(name, line),
        });
        this.#targets.found(name, role, running.metricsTarget);
        return running;
      },
    });
  }

  async #greet(addresses: readonly string[], secret: string | null): Promise<void> {
    const demo = this.#config.demo && secret !== null;
    if (demo && addresses[0] !== undefined) await this.#seed(addresses[0], secret);
    const startedMs = Math.round(monotonicMs());
    this.#log.info({ addresses, startedMs }, "millrace runs");
    this.#output.block(welcome({ addresses, demo, startedMs }));
  }

  /** An engine without demo rooms is an engine still. */
  async #seed(address: string, secret: string): Promise<void> {
    try {
      const rooms = await seedDemo({ address, secret, audience: this.#config.authAudience });
      if (rooms.length > 0) this.#log.info({ rooms }, "demo rooms were made");
    } catch (error) {
      this.#log.warn({ err: error }, "the demo rooms could not be made");
    }
  }
}

async function stopAll(roles: readonly KeepRunning<Launched>[], deadlineMs: number): Promise<void> {
  await Promise.all(roles.map((role) => role.stop(deadlineMs)));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** `edge` when there is one of them, else `edge-1`, `edge-2`. */
function numbered(name: string, index: number, count: number): string {
  return count === 1 ? name : `${name}-${index + 1}`;
}
