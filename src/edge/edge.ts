/** An edge process: sockets and HTTP on one port, Redis behind. */
import { randomBytes } from "node:crypto";
import { Ingest } from "../ingest/ingest.ts";
import { Lifecycle } from "../ops/lifecycle.ts";
import type { Log } from "../ops/log.ts";
import type { AckLevel } from "../protocol/frames.ts";
import { LIMITS } from "../protocol/limits.ts";
import { SUBPROTOCOL, type Encoding } from "../protocol/version.ts";
import { connectForCommands, type Redis } from "../redis/connect.ts";
import { checkRedis } from "../redis/requirements.ts";
import { BlockingReader } from "../redis/streams-reader.ts";
import { openDeployment } from "../streams/deployment.ts";
import { Keys } from "../streams/keys.ts";
import { Authenticator, type AuthConfig } from "./auth.ts";
import { Bells } from "./bells.ts";
import type { EdgeContext } from "./context.ts";
import { publishEntries } from "./fanout.ts";
import { createHttp, type Health } from "./http.ts";
import { Pump } from "./pump.ts";
import { RoomReader } from "./room-reader.ts";
import { RoomTails } from "./room-tails.ts";
import { loadSocketServer, type Transport } from "./server.ts";
import { Session } from "./session.ts";
import { SessionHub } from "./session-hub.ts";
import type { SocketServer, UpgradeRequest, UpgradeVerdict } from "./socket-port.ts";
import { BellSource, DirectSource } from "./tail-source.ts";

export interface EdgeOptions {
  readonly redisUrl: string;
  readonly host: string;
  /** 0 asks for a free one. */
  readonly port: number;
  readonly transport: Transport;
  readonly auth: AuthConfig;
  /** Exact origins of pages that may connect; pages of the edge's own origin always may. */
  readonly allowedOrigins: readonly string[];
  readonly partitions: number;
  readonly ack: AckLevel;
  readonly beatMs: number;
  readonly directRoomsMax: number;
  /** Commands of one partition that may wait for their projector. */
  readonly backlogMax: number;
  readonly log: Log;
}
export interface RunningEdge {
  /** `http://host:port`. */
  readonly address: string;
  readonly adapter: SocketServer["adapter"];
  readonly incarnation: string;
  /** Takes no more connections, asks every client to go elsewhere, then ends. */
  stop(): Promise<void>;
}

export const SOCKET_PATH = "/v1/socket";
/** The transport's own bound is wider than ours, so that a frame too large gets a code. */
const MESSAGE_BYTES_MAX = 4 * LIMITS.frameBytes;
const HTTP_BODY_BYTES_MAX = 65_536;
const IDLE_TIMEOUT_SEC = 60;
/** Time for the close frames to leave before connections are dropped. */
const DRAIN_MS = 1_000;

/** Rejects when Redis or the port cannot be had, or when a setting does not fit. */
export async function startEdge(options: EdgeOptions): Promise<RunningEdge> {
  const { redisUrl: url, log, ack, beatMs } = options;
  const edge = randomBytes(6).toString("base64url");
  const keys = new Keys(options.partitions);
  const redis = await connectForCommands({ url, name: `edge ${edge}`, log });
  const hot = await connectForCommands({ url, name: `edge hot ${edge}`, log });
  await checkRedis(redis, ack, log);
  await openDeployment(redis, keys);
  const blocking = await BlockingReader.connect({ url, name: `edge read ${edge}`, log });
  const authenticator = await Authenticator.create(options.auth, redis, keys);
  const loaded = await loadSocketServer(options.transport, log);

  const lifecycle = new Lifecycle(log);
  const hub = new SessionHub();
  const tails = new RoomTails(keys, {
    publish: (tail, payloads) => hub.published(publishEntries(server, tail, payloads)),
    left: (room, user) => hub.left(room, user),
  });
  hub.onRound = () => tails.round++;
  const ingest = new Ingest(keys, edge, options.backlogMax);
  const reader = new RoomReader(redis, keys);
  const context: EdgeContext = {
    edge,
    ack,
    beatMs,
    authenticator,
    ingest,
    reader,
    tails,
    hub,
    log,
  };
  const pump = createPump({ options, context, keys, redis, hot, blocking, lifecycle });
  const health = async (): Promise<Health> => {
    const ok = await redis.ping().then(
      () => true,
      () => false,
    );
    const { adapter } = loaded;
    return {
      ok,
      role: "edge",
      edge,
      ack,
      adapter,
      tailer: pump.mode,
      connections: hub.size,
      rooms: tails.size,
    };
  };
  const { allowedOrigins } = options;
  const http = createHttp({ authenticator, reader, allowedOrigins, health, log });
  let lastSession = 0;
  const server = loaded.create(
    {
      upgrade: (request) => admit(request, allowedOrigins),
      open(socket) {
        const session = new Session(++lastSession, context, socket);
        hub.add(session);
        return session;
      },
      http: async (request) => http.fetch(request),
      failed: (error) => log.error({ err: error }, "a handler failed"),
    },
    {
      messageBytesMax: MESSAGE_BYTES_MAX,
      httpBodyBytesMax: HTTP_BODY_BYTES_MAX,
      idleTimeoutSec: IDLE_TIMEOUT_SEC,
    },
  );

  await pump.start();
  hub.start(beatMs);
  const port = await server.listen(options.host, options.port);
  const address = `http://${options.host}:${port}`;
  log.info({ edge, address, adapter: loaded.adapter, ack }, "edge is listening");
  const parts = { server, hub, lifecycle, blocking, connections: [redis, hot] };
  return { address, adapter: loaded.adapter, incarnation: edge, stop: () => drain(parts) };
}

function createPump(parts: {
  options: EdgeOptions;
  context: EdgeContext;
  keys: Keys;
  redis: Redis;
  hot: Redis;
  blocking: BlockingReader;
  lifecycle: Lifecycle;
}): Pump {
  const { options, context, keys, redis, hot, blocking, lifecycle } = parts;
  const { edge, tails, hub, ingest, reader, log } = context;
  const onOutcomesLost = (partition: number | null): void => {
    for (const session of hub.all()) {
      session.outcomesLost((room) => partition === null || keys.partitionOf(room) === partition);
    }
  };
  const bells = new Bells(redis, keys, (partition) => {
    for (const tail of tails.all()) if (tail.partition === partition) tails.markDirty(tail);
    onOutcomesLost(partition);
  });
  const onOutcome = (outcome: Parameters<SessionHub["outcome"]>[0]): void => {
    if (outcome.edge === edge) hub.outcome(outcome);
  };
  return new Pump({
    redis,
    hot,
    blocking,
    ingest,
    tails,
    bells,
    reader,
    sources: {
      direct: new DirectSource(tails, bells, onOutcome),
      bell: new BellSource(tails, bells, onOutcome),
    },
    directRoomsMax: options.directRoomsMax,
    onBroken: (tail) => hub.interrupt(tail.room),
    onOutcomesLost,
    lifecycle,
    log,
  });
}

/** A browser always names the page's origin; programs that are no browsers need not. */
function admit(request: UpgradeRequest, allowedOrigins: readonly string[]): UpgradeVerdict {
  const { path, origin, host, protocols } = request;
  if (path !== SOCKET_PATH) {
    return { accept: false, status: 404, message: `sockets are at ${SOCKET_PATH}` };
  }
  const own = host !== null && (origin === `http://${host}` || origin === `https://${host}`);
  if (origin !== null && !own && !allowedOrigins.includes(origin)) {
    return { accept: false, status: 403, message: "this origin is not allowed" };
  }
  for (const [encoding, protocol] of Object.entries(SUBPROTOCOL)) {
    if (protocols.includes(protocol)) {
      return { accept: true, protocol, encoding: encoding as Encoding };
    }
  }
  const known = Object.values(SUBPROTOCOL).join(" or ");
  return { accept: false, status: 400, message: `ask for the sub-protocol ${known}` };
}

async function drain(parts: {
  server: SocketServer;
  hub: SessionHub;
  lifecycle: Lifecycle;
  blocking: BlockingReader;
  connections: readonly Redis[];
}): Promise<void> {
  const { server, hub, lifecycle, blocking, connections } = parts;
  server.stopListening();
  for (const session of hub.all()) session.close("draining");
  if (hub.size > 0) await lifecycle.sleep(DRAIN_MS);
  hub.stop();
  const stopping = lifecycle.stop();
  blocking.close();
  await stopping;
  await server.close();
  for (const connection of connections) connection.disconnect();
}
