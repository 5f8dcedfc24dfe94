/**
 * The socket port on `ws` and node:http: for platforms where uWebSockets.js has
 * no binary. Same behaviour (one contract suite), several times the CPU a
 * delivery, because every receiver's frame is written by JavaScript.
 */
import { STATUS_CODES, createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer, type ServerOptions, type WebSocket } from "ws";

import type { Encoded } from "../../protocol/codec.ts";
import type { Encoding } from "../../protocol/version.ts";
import { handleNodeRequest } from "./http-bridge-node.ts";
import { GuardedSocket, VANISHED, checkOptions, reportTo, type Report } from "./socket-guard.ts";
import type {
  CreateSocketServer,
  SocketHandlers,
  SocketServer,
  SocketServerOptions,
  UpgradeVerdict,
} from "./socket-port.ts";
import { judgeUpgrade, plainAddress, refuse } from "./upgrade.ts";
import { Topics, WsWire } from "./wire-ws.ts";

/** A peer that answers our close frame with nothing is dropped after this. */
const CLOSE_TIMEOUT_MS = 10_000;
/** Sweeps within the idle timeout: one marks a quiet peer, one pings it, one drops it. */
const SWEEPS_PER_IDLE_TIMEOUT = 3;
/** How long a client may take to send a request's head, and the whole request. */
const HTTP_TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 30_000 } as const;

export const createWsServer: CreateSocketServer = (handlers, options) =>
  new WsServer(handlers, options);

class WsServer implements SocketServer {
  readonly adapter = "ws";
  readonly #handlers: SocketHandlers;
  readonly #report: Report;
  readonly #idleTimeoutSec: number;
  readonly #http: Server;
  readonly #upgrader: WebSocketServer;
  readonly #sockets = new Map<WsWire, GuardedSocket>();
  readonly #topics = new Topics();
  readonly #accepted = new WeakMap<IncomingMessage, string>();
  #sweep: NodeJS.Timeout | null = null;
  #listening = false;

  constructor(handlers: SocketHandlers, options: SocketServerOptions) {
    checkOptions(options);
    this.#handlers = handlers;
    this.#report = reportTo(handlers);
    this.#idleTimeoutSec = options.idleTimeoutSec;
    const bridge = {
      handlers,
      report: this.#report,
      bodyBytesMax: options.httpBodyBytesMax,
      keepsAlive: () => this.#listening,
    };
    this.#http = createServer(HTTP_TIMEOUTS, (request, response) => {
      void handleNodeRequest(request, response, bridge);
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    // The type declarations do not know closeTimeout yet.
    const upgraderOptions: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      maxPayload: options.messageBytesMax,
      perMessageDeflate: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: (offered, request) => {
        const protocol = this.#accepted.get(request) ?? "";
        return offered.has(protocol) && protocol;
      },
    };
    this.#upgrader = new WebSocketServer(upgraderOptions);
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const refused = (error: Error): void => {
        reject(new Error(`cannot listen on ${host}:${port}: ${error.message}`, { cause: error }));
      };
      this.#http.once("error", refused);
      this.#http.listen(port, host, () => {
        this.#http.off("error", refused);
        this.#http.on("error", this.#report);
        this.#listening = true;
        const periodMs = (this.#idleTimeoutSec * 1_000) / SWEEPS_PER_IDLE_TIMEOUT;
        this.#sweep = setInterval(() => this.#dropSilent(), periodMs);
        resolve((this.#http.address() as AddressInfo).port);
      });
    });
  }

  publish(topic: string, data: Encoded): void {
    this.#topics.publish(topic, data);
  }

  stopListening(): void {
    if (!this.#listening) return;
    this.#listening = false;
    this.#http.close();
  }

  close(): Promise<void> {
    this.stopListening();
    if (this.#sweep !== null) clearInterval(this.#sweep);
    for (const socket of this.#sockets.values()) socket.terminate();
    // Those that we have closed, but whose peer has not answered yet.
    for (const ws of this.#upgrader.clients) ws.terminate();
    return new Promise((resolve) => {
      // Errors when it is closed already, which is what we want.
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    // Without a listener the reset of a peer would end the process.
    stream.on("error", () => stream.destroy());
    const remoteAddress = plainAddress(request.socket.remoteAddress ?? "");
    const verdict = this.#judge(request, remoteAddress);
    if (!verdict.accept) {
      writeRefusal(stream, verdict.status, verdict.message);
      return;
    }
    this.#accepted.set(request, verdict.protocol);
    this.#upgrader.handleUpgrade(request, stream, head, (ws) => {
      this.#open(ws, verdict.encoding, remoteAddress);
    });
  }

  #judge(request: IncomingMessage, remoteAddress: string): UpgradeVerdict {
    if (!this.#listening) return refuse(503, "the edge is closing");
    const { headers } = request;
    const head = {
      path: (request.url ?? "").split("?", 1)[0] ?? "",
      upgrade: headers.upgrade ?? "",
      version: headers["sec-websocket-version"] ?? "",
      origin: headers.origin ?? "",
      host: headers.host ?? "",
      protocols: headers["sec-websocket-protocol"] ?? "",
      remoteAddress,
    };
    return judgeUpgrade(head, this.#handlers, this.#report);
  }

  #open(ws: WebSocket, encoding: Encoding, remoteAddress: string): void {
    const wire = new WsWire(ws, { encoding, remoteAddress }, this.#topics, {
      drained: () => socket.drained(),
      overflowed: () => socket.terminate(),
    });
    const socket = new GuardedSocket(wire, this.#report, () => {
      this.#sockets.delete(wire);
      wire.unsubscribeAll();
    });
    this.#sockets.set(wire, socket);
    ws.on("message", (data: Buffer, isBinary) => {
      wire.heard();
      socket.received(isBinary ? data : data.toString());
    });
    ws.on("ping", () => {
      wire.heard();
      wire.checkBuffer();
    });
    ws.on("pong", () => wire.heard());
    ws.on("close", (code) => socket.gone(code));
    // A broken frame: `ws` answers it with a close frame of its own and ends the connection.
    ws.on("error", () => socket.gone(VANISHED));
    socket.opened((opened) => this.#handlers.open(opened));
  }

  #dropSilent(): void {
    for (const [wire, socket] of this.#sockets) if (!wire.answers()) socket.terminate();
  }
}

function writeRefusal(stream: Duplex, status: number, message: string): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "connection: close",
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(message)}`,
  ];
  stream.end(`${head.join("\r\n")}\r\n\r\n${message}`);
}
