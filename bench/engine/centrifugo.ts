/** One node of Centrifugo 6, from a binary that was given. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import type { NodeServer } from "./node-server.ts";
import type { PrivateRedis } from "./private-redis.ts";

const HISTORY_SIZE = 1_000;
const READY_MS_MAX = 15_000;
const READY_POLL_MS = 50;

export async function startCentrifugo(
  binary: string,
  redis: PrivateRedis,
  index: number,
): Promise<NodeServer> {
  const port = await freePort();
  const file = join(redis.dir, `centrifugo-${index}.json`);
  await writeFile(file, JSON.stringify(configuration(port, redis.socket)));
  const child = spawn(binary, ["--config", file], { stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (chunk) => (words = (words + String(chunk)).slice(-2_000)));
  let ended: string | null = null;
  child.once("error", (error) => (ended = error.message));
  child.once("exit", (code, signal) => (ended = `ended with ${signal ?? code}`));
  const leaveNothing = (): void => void child.kill("SIGKILL");
  process.once("exit", leaveNothing);
  const deadline = performance.now() + READY_MS_MAX;
  while (!(await isHealthy(port))) {
    if (ended !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${binary} did not come up: ${ended ?? "no answer"}\n${words}`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  return {
    address: `ws://127.0.0.1:${port}`,
    pid: child.pid as number,
    async stop() {
      process.off("exit", leaveNothing);
      if (ended !== null) return;
      const gone = once(child, "exit");
      // In order it would wait for its clients to leave.
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** What makes it comparable: history, and clients that notice when they have missed something. */
function configuration(port: number, socket: string): object {
  return {
    http_server: { address: "127.0.0.1", port: String(port) },
    health: { enabled: true },
    log: { level: "error" },
    engine: { type: "redis", redis: { address: `unix://${socket}` } },
    client: { allow_anonymous_connect_without_token: true, allowed_origins: ["*"] },
    channel: {
      without_namespace: {
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        history_size: HISTORY_SIZE,
        history_ttl: "1h",
        force_recovery: true,
        force_positioning: true,
      },
    },
    usage_stats: { disabled: true },
  };
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health`)).ok;
  } catch {
    return false;
  }
}

/** It cannot be asked which port it has taken, so it is told one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
