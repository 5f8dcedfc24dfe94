/** The long-running roles: settings in, a running part of the engine out. */
import { findAuthSecret } from "./auth-secret.ts";
import { findPrivateRedis } from "./private-redis.ts";
import { ConfigError, type Config } from "../config.ts";
import type { AuthConfig } from "../edge/auth.ts";
import { createLog, type Log } from "../ops/log.ts";
import type { Metrics } from "../ops/metrics.ts";
import { serveMetrics } from "../ops/metrics-server.ts";
import { ProcessTally } from "../ops/process-tally.ts";

/** Something that `main` stops on a signal. */
export interface Running {
  /** Where it can be reached; null when nobody connects to it. */
  readonly address: string | null;
  /** `host:port` where it answers scrapes, if it does. */
  readonly metricsTarget?: string | null;
  /** Finishes what is under way, then resolves. */
  stop(): Promise<void>;
  /** Ends what `stop` still waits for. */
  hurry?(): void;
}

export async function runEdge(config: Config): Promise<Running> {
  const { startEdge } = await import("../edge/edge.ts");
  const log = logOf(config, "edge");
  const edge = await startEdge({
    redisUrl: await redisUrlOf(config),
    host: config.host,
    port: config.port,
    transport: config.transport,
    auth: await authOf(config),
    allowedOrigins: config.allowedOrigins,
    partitions: config.partitions,
    ack: config.ack,
    beatMs: config.beatMs,
    directRoomsMax: config.directRoomsMax,
    backlogMax: config.backlogMax,
    log,
  });
  return withMetrics(config, log, edge);
}

export async function runProjector(config: Config): Promise<Running> {
  const { startProjector } = await import("../projectors/worker.ts");
  const log = logOf(config, "projector");
  const projector = await startProjector({
    redisUrl: await redisUrlOf(config),
    partitions: config.partitions,
    ack: config.ack,
    historyPerRoom: config.historyPerRoom,
    leaseTtlMs: config.leaseTtlMs,
    leaseRenewMs: config.leaseRenewMs,
    log,
  });
  return withMetrics(config, log, { address: null, ...projector });
}

interface Role {
  readonly address: string | null;
  readonly metrics: Metrics;
  stop(): Promise<void>;
}

/** The role, and beside it /metrics, which answers until the role has ended. */
async function withMetrics(config: Config, log: Log, role: Role): Promise<Running> {
  const { address, metrics } = role;
  const { metricsHost: host, metricsPort: port } = config;
  if (port === null) return { address, stop: () => role.stop() };
  const server = await serveMetrics({ metrics, host, port, log }).catch(async (error: unknown) => {
    await role.stop();
    throw error;
  });
  const tally = new ProcessTally();
  metrics.add((to) => tally.publish(to));
  tally.start();
  return {
    address,
    metricsTarget: server.target,
    async stop() {
      await role.stop();
      tally.stop();
      await server.close();
    },
  };
}

export function logOf(config: Config, name: string): Log {
  return createLog({ level: config.logLevel, format: config.logFormat, name });
}

/** REDIS_URL, else the private Redis that `start` runs from the same DATA_DIR. */
export async function redisUrlOf(config: Config): Promise<string> {
  const url = config.redisUrl ?? (await findPrivateRedis(config.dataDir));
  if (url !== null) return url;
  throw new ConfigError(
    `REDIS_URL is not set and no private Redis runs in ${config.dataDir}; set it, or run npm start first`,
  );
}

async function authOf(config: Config): Promise<AuthConfig> {
  const audience = config.authAudience;
  // The secret that lies in DATA_DIR serves demos: a configured key set replaces it.
  const secret = config.authJwksFile === null ? await findAuthSecret(config) : config.authSecret;
  if (secret === null && config.authJwksFile === null) {
    throw new ConfigError("no key to check tokens with: set AUTH_SECRET or AUTH_JWKS_FILE");
  }
  return {
    audience,
    ...(secret !== null && { secret: new TextEncoder().encode(secret) }),
    ...(config.authJwksFile !== null && { jwksFile: config.authJwksFile }),
  };
}
