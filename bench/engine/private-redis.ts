/** A redis-server for one measurement, with a folder that is gone afterwards. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findRedisBinary, startRedisProcess } from "../../src/cli/redis-process.ts";
import { createLog } from "../../src/ops/log.ts";
import type { AckLevel } from "../../src/protocol/frames.ts";
import { connectForCommands, type Redis } from "../../src/redis/connect.ts";

const STOP_MS = 20_000;

export interface PrivateRedis {
  readonly url: string;
  /** Unix socket on which it listens. */
  readonly socket: string;
  /** Removed at the end: others may put files there. */
  readonly dir: string;
  readonly pid: number;
  /** For questions about the server and, before a run, for filling the log. */
  readonly redis: Redis;
  stop(): Promise<void>;
}

/** `disk`: appendfsync always, `memory`: everysec. */
export async function startPrivateRedis(ack: AckLevel): Promise<PrivateRedis> {
  const binary = await findRedisBinary();
  if (binary === null) throw new Error("there is no redis-server to run");
  const dir = await mkdtemp(join(tmpdir(), "millrace-bench-"));
  const socket = join(dir, "redis.sock");
  const server = await startRedisProcess({ binary, dir, socket, ack });
  const log = createLog({ level: "warn", format: "pretty", name: "bench" });
  const redis = await connectForCommands({ url: server.url, name: "bench", log });
  // Other processes of a measurement end by themselves when this one is gone; it would stay.
  const leaveNothing = (): void => {
    server.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  };
  process.once("exit", leaveNothing);
  return {
    url: server.url,
    socket,
    dir,
    pid: server.pid,
    redis,
    async stop() {
      redis.disconnect();
      await server.stop(STOP_MS);
      process.off("exit", leaveNothing);
      leaveNothing();
    },
  };
}
