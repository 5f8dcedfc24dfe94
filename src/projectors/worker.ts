/** A projector process: connects, takes its share of the partitions, folds until stopped. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { Lifecycle } from "../ops/lifecycle.ts";
import type { Log } from "../ops/log.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { AckLevel } from "../protocol/frames.ts";
import { connectForCommands, type ConnectOptions, type Redis } from "../redis/connect.ts";
import { PlainLink } from "../redis/plain-link.ts";
import { checkRedis } from "../redis/requirements.ts";
import { BlockingReader } from "../redis/streams-reader.ts";
import { openDeployment } from "../streams/deployment.ts";
import { Keys } from "../streams/keys.ts";
import { ListKeeper } from "./lists/list-keeper.ts";
import { PresenceSweep } from "./presence/sweep.ts";
import { projectorMetrics } from "./projector-metrics.ts";
import { Ownership } from "./runtime/ownership.ts";
import { Projector } from "./runtime/projector.ts";

export interface ProjectorOptions {
  readonly redisUrl: string;
  readonly partitions: number;
  readonly ack: AckLevel;
  /** Entries of a room's history that stay in Redis. */
  readonly historyPerRoom: number;
  readonly leaseTtlMs: number;
  readonly leaseRenewMs: number;
  readonly log: Log;
  /** Prefix of every key; a rebuild folds into a namespace of its own. */
  readonly namespace?: string;
}

export interface RunningProjector {
  readonly worker: string;
  readonly metrics: Metrics;
  /** Gives every partition back in good order. */
  stop(): Promise<void>;
}

/** Rejects when Redis cannot be reached, is not fit, or holds another layout; nothing stays open then. */
export async function startProjector(options: ProjectorOptions): Promise<RunningProjector> {
  const links = new Links(options);
  try {
    return await start(options, links);
  } catch (error) {
    links.close();
    throw error;
  }
}

/** The connections of one worker, closed together. */
class Links {
  readonly worker = `${hostname()}.${process.pid}.${randomBytes(4).toString("hex")}`;
  readonly #options: ProjectorOptions;
  readonly #closers: (() => void)[] = [];

  constructor(options: ProjectorOptions) {
    this.#options = options;
  }

  async commands(purpose: string): Promise<Redis> {
    const redis = await connectForCommands(this.#named(purpose));
    this.#closers.push(() => redis.disconnect());
    return redis;
  }

  async reader(purpose: string): Promise<BlockingReader> {
    const reader = await BlockingReader.connect(this.#named(purpose));
    this.#closers.push(() => reader.close());
    return reader;
  }

  #named(purpose: string): ConnectOptions {
    const { redisUrl: url, log } = this.#options;
    return { url, name: `${purpose} ${this.worker}`, log };
  }

  close(): void {
    for (const close of this.#closers) close();
  }
}

async function start(options: ProjectorOptions, links: Links): Promise<RunningProjector> {
  const { historyPerRoom, log } = options;
  const { worker } = links;
  const keys = new Keys(options.partitions, options.namespace);
  const leases = await links.commands("leases");
  await checkRedis(leases, options.ack, log);
  const { epoch } = await openDeployment(leases, keys);
  const redis = await PlainLink.over(await links.commands("projector"), log);
  const reader = await links.reader("projector read");
  const outboxes = {
    redis: await links.commands("lists"),
    reader: await links.reader("lists read"),
  };

  const lifecycle = new Lifecycle(log);
  const times = { ttlMs: options.leaseTtlMs, renewMs: options.leaseRenewMs };
  const ownership = new Ownership({ redis: leases, keys, epoch, worker, times, log });
  ownership.onChange = () => {
    reader.interrupt(leases).catch((error: unknown) => log.debug({ err: error }, "no interrupt"));
  };
  const parts = { redis, reader, keys, worker, ownership, historyPerRoom, lifecycle, log };
  const projector = new Projector(parts);
  await ownership.maintain();
  lifecycle.run("leases", async () => {
    while (!lifecycle.stopping) await lifecycle.sleep(await ownership.maintain());
  });
  lifecycle.run("projector", () => projector.run());
  const sweep = new PresenceSweep(leases, keys, ownership);
  // A rebuild folds what is in the log and adds nothing to it.
  if (options.namespace === undefined) {
    lifecycle.run("presence sweep", async () => {
      while (!lifecycle.stopping) await lifecycle.sleep(await sweep.look());
    });
  }
  const lists = new ListKeeper({ ...outboxes, keys, consumer: worker, log });
  lifecycle.run("lists", () => lists.run(lifecycle));
  log.info({ worker, partitions: ownership.held().length }, "projector is running");

  const metrics = projectorMetrics({
    projector,
    ownership,
    sweep,
    lists,
    redis,
    leases,
    reader,
    outboxes,
    log,
  });
  return {
    worker,
    metrics,
    async stop() {
      const stopping = lifecycle.stop();
      await Promise.all(
        [reader, outboxes.reader].map((one) => one.interrupt(leases).catch(() => one.close())),
      );
      await stopping;
      await ownership.leave().catch((error: unknown) => {
        log.warn({ err: error }, "leases could not be given back, they run out by themselves");
      });
      links.close();
    },
  };
}
