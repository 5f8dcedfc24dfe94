/** An edge process: sockets and HTTP on one port, Redis behind. */
import { randomBytes } from "node:crypto";
import { Ingest } from "../ingest/ingest.ts";
import { Lifecycle } from "../ops/lifecycle.ts";
import type { Log } from "../ops/log.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { AckLevel } from "../protocol/frames.ts";
import type { Redis } from "../redis/connect.ts";
import { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";
import { Authenticator, type AuthConfig } from "./auth.ts";
import { Bells } from "./bells.ts";
import type { EdgeContext } from "./context.ts";
import { edgeMetrics } from "./edge-metrics.ts";
import { EdgeTally } from "./edge-tally.ts";
import { publishEntries } from "./fanout.ts";
import { createFront } from "./front.ts";
import { createHttp, type Health } from "./http.ts";
import { openLinks, type Links } from "./links.ts";
import { People } from "./people.ts";
import type { PresenceTimes } from "./presence-partition.ts";
import { Pump } from "./pump.ts";
import { MessageReader } from "./message-reader.ts";
import { RoomList } from "./room-list.ts";
import { RoomReader } from "./room-reader.ts";
import { RoomTails } from "./room-tails.ts";
import { loadSocketServer, type Transport } from "./sockets/server.ts";
import { SessionHub } from "./session-hub.ts";
import type { SocketServer } from "./sockets/socket-port.ts";
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
  readonly presenceTimes?: PresenceTimes;
  readonly log: Log;
}
export interface RunningEdge {
  /** `http://host:port`. */
  readonly address: string;
  readonly adapter: SocketServer["adapter"];
  readonly incarnation: string;
  readonly metrics: Metrics;
  /** Takes no more connections, asks every client to go elsewhere, then ends. */
  stop(): Promise<void>;
}

/** Time for the close frames to leave before connections are dropped. */
const DRAIN_MS = 1_000;

/** Rejects when Redis or the port cannot be had, or when a setting does not fit. */
export async function startEdge(options: EdgeOptions): Promise<RunningEdge> {
  const { redisUrl: url, log, ack, beatMs, allowedOrigins } = options;
  const edge = randomBytes(6).toString("base64url");
  const keys = new Keys(options.partitions);
  const links = await openLinks({ url, edge, ack, keys, log });
  const lifecycle = new Lifecycle(log);
  const hub = new SessionHub();
  try {
    const { redis } = links;
    const authenticator = await Authenticator.create(options.auth, redis, keys);
    const { create, adapter } = await loadSocketServer(options.transport, log);
    const tally = new EdgeTally();
    const tails = new RoomTails(keys, {
      publish: (tail, payloads) => hub.published(publishEntries(server, tail, payloads, tally)),
      left(room, user) {
        hub.left(room, user);
        people.left(room, user);
      },
    });
    hub.onRound = () => tails.round++;
    const ingest = new Ingest(keys, edge, options.backlogMax);
    const reader = new RoomReader(redis, keys);
    const rooms = new RoomList(redis, keys);
    const own = { edge, keys, links, tally, log };
    const people: People = new People({
      ...own,
      ingest,
      devices: hub,
      connections: () => hub.all(),
      rooms,
      publish: (topic, data) => server.publish(topic, data),
      times: options.presenceTimes,
    });
    const live = { tails, people };
    const shared = { edge, ack, beatMs, authenticator, ingest, reader, ...live, tally, log };
    const pump = createPump({ options, context: shared, hub, keys, links, lifecycle });
    const health = () => reportHealth(redis, { edge, ack, adapter, pump, hub, tails });
    const messages = new MessageReader(reader, keys);
    const readers = { reader, messages, rooms };
    const http = createHttp({ authenticator, ...readers, allowedOrigins, health, log });
    const handle = async (request: Request): Promise<Response> => http.fetch(request);
    const server = createFront(create, shared, hub, handle, allowedOrigins);
    await pump.start();
    hub.start(beatMs);
    const port = await server.listen(options.host, options.port);
    const address = `http://${options.host}:${port}`;
    log.info({ edge, address, adapter, ack }, "edge is listening");
    const stop = (): Promise<void> => drain({ server, hub, people, lifecycle, links });
    const metrics = edgeMetrics({ ...shared, hub, pump, links, keys, adapter });
    return { address, adapter, incarnation: edge, metrics, stop };
  } catch (error) {
    hub.stop();
    const stopping = lifecycle.stop();
    links.close();
    await stopping;
    throw error;
  }
}

async function reportHealth(
  redis: Redis,
  parts: Pick<EdgeContext, "edge" | "ack" | "tails"> & {
    hub: SessionHub;
    adapter: SocketServer["adapter"];
    pump: Pump;
  },
): Promise<Health> {
  const ok = await redis.ping().then(
    () => true,
    () => false,
  );
  const { edge, ack, adapter, pump, hub, tails } = parts;
  const counts = { connections: hub.size, rooms: tails.size };
  return { ok, role: "edge", edge, ack, adapter, tailer: pump.mode, ...counts };
}

function createPump(parts: {
  options: EdgeOptions;
  context: EdgeContext;
  hub: SessionHub;
  keys: Keys;
  links: Links;
  lifecycle: Lifecycle;
}): Pump {
  const { options, context, hub, keys, links, lifecycle } = parts;
  const { redis, hot, blocking } = links;
  const { edge, tails, people, tally, ingest, reader, log } = context;
  const onOutcomesLost = (partition: PartitionId | null): void => {
    people.missed(partition);
    for (const session of hub.all()) {
      session.outcomesLost((room) => partition === null || keys.partitionOf(room) === partition);
    }
  };
  const bells = new Bells(redis, keys, (partition) => {
    tally.bellsMissed++;
    for (const tail of tails.all()) if (tail.partition === partition) tails.markDirty(tail);
    onOutcomesLost(partition);
  });
  bells.onBell = (bell) => people.hear(bell);
  const onOutcome = (outcome: Parameters<SessionHub["outcome"]>[0]): void => {
    if (outcome.edge === edge) hub.outcome(outcome);
  };
  return new Pump({
    redis,
    hot,
    blocking,
    ingest,
    tails,
    tally,
    bells,
    reader,
    sources: {
      direct: new DirectSource(tails, bells, onOutcome),
      bell: new BellSource(tails, bells, onOutcome),
    },
    directRoomsMax: options.directRoomsMax,
    onBroken(tail) {
      tally.roomsBroken++;
      hub.interrupt(tail.room);
    },
    onOutcomesLost,
    lifecycle,
    log,
  });
}

async function drain(parts: {
  server: SocketServer;
  hub: SessionHub;
  people: People;
  lifecycle: Lifecycle;
  links: Links;
}): Promise<void> {
  const { server, hub, people, lifecycle, links } = parts;
  server.stopListening();
  for (const session of hub.all()) session.close("draining");
  if (hub.size > 0) await lifecycle.sleep(DRAIN_MS);
  hub.stop();
  people.stop();
  const stopping = lifecycle.stop();
  links.blocking.close();
  await stopping;
  await server.close();
  links.close();
}
