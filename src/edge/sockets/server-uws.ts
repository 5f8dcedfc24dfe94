/**
 * The socket port on uWebSockets.js, the only file that knows it.
 *
 * Three of its traits shape this file (wire-uws.ts has the fourth):
 *
 * 1. An exception in a callback ends the process, and so does a request that is
 *    neither answered nor given an abort handler: every callback is wrapped.
 * 2. A message past `maxBackpressure` is dropped. `closeOnBackpressureLimit`
 *    ends that connection, so that what is lost is never a silent gap.
 * 3. Where the binary does not load, the package falls back to an imitation in
 *    JavaScript without a word. So the binary is loaded here, never the package.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type * as UwsPackage from "uWebSockets.js";

import type { Encoded } from "../../protocol/codec.ts";
import type { Encoding } from "../../protocol/version.ts";
import { UwsHttpBridge, remoteAddressOf, statusLine } from "./http-bridge-uws.ts";
import {
  GuardedSocket,
  SOCKET_BUFFERED_BYTES_MAX,
  checkOptions,
  reportTo,
  type Report,
} from "./socket-guard.ts";
import type {
  CreateSocketServer,
  SocketHandlers,
  SocketServer,
  SocketServerOptions,
  UpgradeVerdict,
} from "./socket-port.ts";
import { judgeUpgrade, offeredProtocols, refuse, type UpgradeHead } from "./upgrade.ts";
import { UwsWire } from "./wire-uws.ts";

type Uws = typeof UwsPackage;
type App = UwsPackage.TemplatedApp;
type UwsSocket = UwsPackage.WebSocket<PerSocket>;
type ListenSocket = UwsPackage.us_listen_socket;

/** What the type declarations of the package leave out. */
interface UntypedApp {
  listen(host: string, port: number, options: number, bound: (socket: unknown) => void): void;
  /** Closes the listen socket and every connection. */
  close(): void;
}

/** Lives in uWebSockets.js, one for each socket. */
interface PerSocket {
  readonly encoding: Encoding;
  readonly remoteAddress: string;
  socket: GuardedSocket | null;
}

/** The default options of `listen`: SO_REUSEADDR and SO_REUSEPORT. */
const LIBUS_LISTEN_DEFAULT = 0;

const require = createRequire(import.meta.url);

/** Throws Error with the reason when the native binary does not load here. */
export function loadUws(): CreateSocketServer {
  const uws = require(binaryPath()) as Uws;
  return (handlers, options) => new UwsServer(uws, handlers, options);
}

function binaryPath(): string {
  const name = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  const root = dirname(require.resolve("uWebSockets.js"));
  // The author's own package keeps binaries beside its entry file, the one on npm elsewhere.
  const places = [join(root, name), join(root, "..", "binaries", name)];
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new Error(
    `uWebSockets.js has no binary for ${process.platform} ${process.arch} on Node ${process.version}`,
  );
}

/** `port`, or a free one for 0. Rejects when it is taken or the address is not one of this machine. */
function freePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => {
      reject(new Error(`cannot listen on ${host}:${port}: ${error.message}`, { cause: error }));
    });
    probe.listen(port, host, () => {
      const bound = (probe.address() as AddressInfo).port;
      probe.close(() => resolve(bound));
    });
  });
}

class UwsServer implements SocketServer {
  readonly adapter = "uws";
  readonly #uws: Uws;
  readonly #app: App;
  readonly #untyped: UntypedApp;
  readonly #handlers: SocketHandlers;
  readonly #report: Report;
  readonly #http: UwsHttpBridge;
  readonly #sockets = new Set<GuardedSocket>();
  #listening: ListenSocket | null = null;

  constructor(uws: Uws, handlers: SocketHandlers, options: SocketServerOptions) {
    checkOptions(options);
    this.#uws = uws;
    this.#handlers = handlers;
    this.#report = reportTo(handlers);
    this.#http = new UwsHttpBridge(handlers, this.#report, options.httpBodyBytesMax);
    this.#app = uws.App();
    this.#untyped = this.#app as unknown as UntypedApp;
    this.#app.ws<PerSocket>("/*", this.#behavior(options));
    this.#app.any("/*", (response, request) => this.#http.handle(response, request));
  }

  /**
   * A plain server takes the port first. uWebSockets.js alone would share it with
   * a process that listens there already; told to be exclusive, or to choose a
   * port itself, it leaves out SO_REUSEADDR, and an edge that was killed could
   * not come back for the minute that its connections stand in TIME_WAIT.
   */
  async listen(host: string, port: number): Promise<number> {
    const free = await freePort(host, port);
    return new Promise((resolve, reject) => {
      this.#untyped.listen(host, free, LIBUS_LISTEN_DEFAULT, (bound) => {
        if (bound === false) {
          reject(new Error(`cannot listen on ${host}:${free}`));
          return;
        }
        this.#listening = bound as ListenSocket;
        resolve(this.#uws.us_socket_local_port(bound as UwsPackage.us_socket));
      });
    });
  }

  publish(topic: string, data: Encoded): void {
    this.#app.publish(topic, data, typeof data !== "string");
  }

  stopListening(): void {
    if (this.#listening !== null) this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = null;
    this.#http.endKeepAlive();
  }

  close(): Promise<void> {
    this.stopListening();
    for (const socket of this.#sockets) socket.terminate();
    this.#http.abort();
    this.#untyped.close();
    return Promise.resolve();
  }

  #behavior(options: SocketServerOptions): UwsPackage.WebSocketBehavior<PerSocket> {
    return {
      maxPayloadLength: options.messageBytesMax,
      maxBackpressure: SOCKET_BUFFERED_BYTES_MAX,
      closeOnBackpressureLimit: 1,
      idleTimeout: options.idleTimeoutSec,
      sendPingsAutomatically: true,
      compression: this.#uws.DISABLED,
      upgrade: (response, request, context) => {
        const upgrade = (): void => this.#upgrade(response, request, context);
        if (!this.#safely(upgrade)) this.#safely(() => response.close());
      },
      open: (ws) => void this.#safely(() => this.#open(ws)),
      message: (ws, message, isBinary) => {
        this.#safely(() => {
          const data = isBinary ? new Uint8Array(message) : Buffer.from(message).toString();
          ws.getUserData().socket?.received(data);
        });
      },
      drain: (ws) => {
        this.#safely(() => {
          // Also called when only a part has drained.
          if (ws.getBufferedAmount() === 0) ws.getUserData().socket?.drained();
        });
      },
      close: (ws, code) => void this.#safely(() => ws.getUserData().socket?.gone(code)),
    };
  }

  #upgrade(
    response: UwsPackage.HttpResponse,
    request: UwsPackage.HttpRequest,
    context: UwsPackage.us_socket_context_t,
  ): void {
    const remoteAddress = remoteAddressOf(response);
    const head = readHead(request, remoteAddress);
    const verdict = this.#judge(head);
    if (!verdict.accept) {
      response.writeStatus(statusLine(verdict.status));
      response.writeHeader("content-type", "text/plain; charset=utf-8");
      response.end(verdict.message, true);
      return;
    }
    const { encoding, protocol } = verdict;
    const chosen = offeredProtocols(head.protocols).includes(protocol) ? protocol : "";
    const perSocket: PerSocket = { encoding, remoteAddress, socket: null };
    const key = request.getHeader("sec-websocket-key");
    const noExtensions = "";
    response.upgrade(perSocket, key, chosen, noExtensions, context);
  }

  /** Handlers of the edge are guarded below; this is for our own mistakes. */
  #safely(run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.#report(error);
      return false;
    }
  }

  #judge(head: UpgradeHead): UpgradeVerdict {
    if (this.#listening === null) return refuse(503, "the edge is closing");
    return judgeUpgrade(head, this.#handlers, this.#report);
  }

  #open(ws: UwsSocket): void {
    const perSocket = ws.getUserData();
    const wire = new UwsWire(ws, perSocket);
    const socket = new GuardedSocket(wire, this.#report, () => this.#sockets.delete(socket));
    perSocket.socket = socket;
    this.#sockets.add(socket);
    socket.opened((opened) => this.#handlers.open(opened));
  }
}

function readHead(request: UwsPackage.HttpRequest, remoteAddress: string): UpgradeHead {
  return {
    path: request.getUrl(),
    upgrade: request.getHeader("upgrade"),
    version: request.getHeader("sec-websocket-version"),
    origin: request.getHeader("origin"),
    host: request.getHeader("host"),
    protocols: request.getHeader("sec-websocket-protocol"),
    remoteAddress,
  };
}
