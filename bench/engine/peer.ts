/** What the engine is measured beside: a Redis of its own and some nodes, each a process. */
import type { Redis } from "../../src/redis/connect.ts";
import type { PeerKind, Target } from "../load/plan.ts";
import { startCentrifugo } from "./centrifugo.ts";
import { startNodeServer, type NodeServer } from "./node-server.ts";
import { startPrivateRedis, type PrivateRedis } from "./private-redis.ts";
import type { Watched } from "./process-usage.ts";

/** Which one; Centrifugo needs its binary. */
export type PeerChoice =
  | { readonly kind: Exclude<PeerKind, "centrifugo"> }
  | { readonly kind: "centrifugo"; readonly binary: string };

export interface Peer {
  readonly target: Target;
  readonly watched: readonly Watched[];
  readonly redis: Redis;
  stop(): Promise<void>;
}

export async function startPeer(choice: PeerChoice, count: number): Promise<Peer> {
  // As people run them, and to their advantage: none of them says when a message is on the disk.
  const server = await startPrivateRedis("memory");
  const nodes: NodeServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    await server.stop();
  };
  try {
    for (let i = 0; i < count; i++) nodes.push(await startNode(choice, server, i));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    target: { kind: choice.kind, addresses: nodes.map(({ address }) => address) },
    watched: [
      { name: "redis", pid: server.pid },
      ...nodes.map(({ pid }, i) => ({ name: `node ${i + 1}`, pid })),
    ],
    redis: server.redis,
    stop,
  };
}

function startNode(choice: PeerChoice, redis: PrivateRedis, index: number): Promise<NodeServer> {
  if (choice.kind === "centrifugo") return startCentrifugo(choice.binary, redis, index);
  return startNodeServer(choice.kind, [redis.socket]);
}
