/** Chooses the adapter of the socket port. Never silently: both ways are logged. */
import type { Log } from "../../ops/log.ts";
import type { CreateSocketServer, SocketServer } from "./socket-port.ts";

export const TRANSPORTS = ["auto", "uws", "ws"] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface LoadedSocketServer {
  readonly create: CreateSocketServer;
  readonly adapter: SocketServer["adapter"];
  /** Why `auto` had to take the slower adapter; null otherwise. */
  readonly fallbackReason: string | null;
}

/**
 * `auto` takes uWebSockets.js where its native binary loads, else `ws`; `uws`
 * rejects with what to do where it does not load.
 */
export async function loadSocketServer(
  transport: Transport,
  log: Log,
): Promise<LoadedSocketServer> {
  if (transport === "ws") return { ...(await loadWs()), fallbackReason: null };
  try {
    const { loadUws } = await import("./server-uws.ts");
    return { create: loadUws(), adapter: "uws", fallbackReason: null };
  } catch (error) {
    const fallbackReason = reasonOf(error);
    if (transport === "uws") throw new Error(demandUnmet(fallbackReason), { cause: error });
    log.warn(
      { reason: fallbackReason },
      "uWebSockets.js does not load, sockets run on the slower ws adapter",
    );
    return { ...(await loadWs()), fallbackReason };
  }
}

async function loadWs(): Promise<{ create: CreateSocketServer; adapter: "ws" }> {
  const { createWsServer } = await import("./server-ws.ts");
  return { create: createWsServer, adapter: "ws" };
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // Errors of the module loader list paths on the lines below.
  return message.split("\n", 1)[0] ?? message;
}

function demandUnmet(reason: string): string {
  return (
    `the uws transport does not load: ${reason}. ` +
    "Use Node 18 or 20, or install the release of uNetworking/uWebSockets.js that supports this Node, " +
    "or choose the transport ws or auto."
  );
}
