/** A whole engine in this process (redis-server, projector, edges) and raw peers of it. */
import { afterAll } from "vitest";

import { signToken } from "../../src/cli/token.ts";
import { startEdge, type EdgeOptions, type RunningEdge } from "../../src/edge/edge.ts";
import { createLog } from "../../src/ops/log.ts";
import { startProjector, type RunningProjector } from "../../src/projectors/worker.ts";
import type { RoomId, UserId } from "../../src/protocol/ids.ts";
import { connectForCommands, type Redis } from "../../src/redis/connect.ts";
import { Keys } from "../../src/streams/keys.ts";
import { TestRedis, type TestRedisOptions } from "../support/redis-server.ts";
import { Peer, type PeerOptions } from "./peer.ts";

export const SECRET = "a secret of the tests, 32 bytes or more";
export const AUDIENCE = "millrace";
/** One partition of its own for what must not be disturbed is enough. */
export const PARTITIONS = 4;
export const silent = createLog({ level: "silent", format: "json", name: "test" });

export interface EngineOptions extends TestRedisOptions {
  readonly partitions?: number;
  readonly historyPerRoom?: number;
  /** False: nobody folds until `startProjector`. */
  readonly projector?: boolean;
}

export class Engine {
  readonly redis: TestRedis;
  /** A connection of the test's own. */
  readonly admin: Redis;
  readonly keys: Keys;
  readonly #historyPerRoom: number;
  readonly #edges: RunningEdge[] = [];
  readonly #peers: Peer[] = [];
  #projector: RunningProjector | null = null;

  private constructor(redis: TestRedis, admin: Redis, options: EngineOptions) {
    this.redis = redis;
    this.admin = admin;
    this.keys = new Keys(options.partitions ?? PARTITIONS);
    this.#historyPerRoom = options.historyPerRoom ?? 10_000;
  }

  static async start(options: EngineOptions = {}): Promise<Engine> {
    const redis = await TestRedis.start(options);
    const admin = await connectForCommands({ url: redis.url, name: "test", log: silent });
    const engine = new Engine(redis, admin, options);
    if (options.projector ?? true) await engine.startProjector();
    return engine;
  }

  async startProjector(log = silent): Promise<void> {
    this.#projector = await startProjector({
      redisUrl: this.redis.url,
      partitions: this.keys.partitions,
      ack: "memory",
      historyPerRoom: this.#historyPerRoom,
      leaseTtlMs: 6_000,
      leaseRenewMs: 2_000,
      log,
    });
  }
  async stopProjector(): Promise<void> {
    await this.#projector?.stop();
    this.#projector = null;
  }

  /** `start` may be that of a changed copy of the edge. */
  async edge(options: Partial<EdgeOptions> = {}, start = startEdge): Promise<RunningEdge> {
    const edge = await start({
      redisUrl: this.redis.url,
      host: "127.0.0.1",
      port: 0,
      transport: "ws",
      auth: { secret: new TextEncoder().encode(SECRET), audience: AUDIENCE },
      allowedOrigins: [],
      partitions: this.keys.partitions,
      ack: "memory",
      beatMs: 60_000,
      directRoomsMax: 64,
      backlogMax: 10_000,
      log: silent,
      ...options,
    });
    this.#edges.push(edge);
    return edge;
  }

  /** Connected, nothing said. */
  async open(edge: RunningEdge, options: Partial<PeerOptions> = {}): Promise<Peer> {
    const peer = new Peer({ address: edge.address, ...options });
    this.#peers.push(peer);
    await peer.opened();
    return peer;
  }
  /** Connected and welcome. */
  async peer(edge: RunningEdge, user: string, options: Partial<PeerOptions> = {}): Promise<Peer> {
    const peer = await this.open(edge, { device: `device-of-${user}`, ...options });
    await peer.hello(await token(user));
    return peer;
  }

  async http(edge: RunningEdge, user: string | null, path: string): Promise<Response> {
    const headers = user === null ? {} : { authorization: `Bearer ${await token(user)}` };
    return fetch(`${edge.address}${path}`, { headers });
  }

  conversation(room: string): string {
    return this.keys.conversation(this.keys.partitionOf(room as RoomId), room as RoomId);
  }
  members(room: string): string {
    return this.keys.members(this.keys.partitionOf(room as RoomId), room as RoomId);
  }
  bells(): string[] {
    return [...this.keys.all()].map((partition) => this.keys.bell(partition));
  }

  async stop(): Promise<void> {
    for (const peer of this.#peers) peer.terminate();
    // What a test has broken may not answer: the links are cut below in any case.
    await Promise.all(this.#edges.map((edge) => edge.stop()));
    await this.stopProjector();
    this.admin.disconnect();
    await this.redis.stop();
  }
}

/** An engine for all tests of a file; call it in `beforeAll`. */
export function engineOfFile(): (options?: EngineOptions) => Promise<Engine> {
  const started: Engine[] = [];
  afterAll(async () => {
    for (const engine of started) await engine.stop();
  });
  return async (options) => {
    const engine = await Engine.start(options);
    started.push(engine);
    return engine;
  };
}

export function token(user: string, lifeSeconds = 3_600): Promise<string> {
  return signToken({ user: user as UserId, secret: SECRET, audience: AUDIENCE, lifeSeconds });
}
