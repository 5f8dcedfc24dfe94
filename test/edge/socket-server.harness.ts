/** A socket server on a free port, whose edge side only records, and clients of it. */
import { createConnection, createServer, type AddressInfo } from "node:net";
import { afterEach } from "vitest";
import { WebSocket, type ClientOptions } from "ws";

import type {
  Connection,
  CreateSocketServer,
  Socket,
  SocketHandlers,
  SocketServer,
  SocketServerOptions,
} from "../../src/edge/sockets/socket-port.ts";
import type { Encoded } from "../../src/protocol/codec.ts";
import { PATIENCE_MS } from "../support/patience.ts";

export const OPTIONS: SocketServerOptions = {
  messageBytesMax: 16_384,
  httpBodyBytesMax: 1_000,
  idleTimeoutSec: 30,
};

/** The edge's side of one connection. */
export class Recorder implements Connection {
  readonly socket: Socket;
  readonly messages: Encoded[] = [];
  readonly closes: number[] = [];
  drains = 0;
  onMessage: (data: Encoded) => void = () => undefined;
  onDrained: () => void = () => undefined;
  onClosed: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
  }
  message(data: Encoded): void {
    // Bytes are valid during the call only.
    this.messages.push(typeof data === "string" ? data : Uint8Array.from(data));
    this.onMessage(data);
  }
  drained(): void {
    this.drains += 1;
    this.onDrained();
  }
  closed(code: number): void {
    this.closes.push(code);
    this.onClosed();
  }
}

export class Rig {
  readonly server: SocketServer;
  readonly recorders: Recorder[] = [];
  readonly failures: unknown[] = [];
  readonly #clients: Client[] = [];
  port = 0;

  constructor(
    create: CreateSocketServer,
    handlers: Partial<SocketHandlers> = {},
    options: Partial<SocketServerOptions> = {},
  ) {
    const recording: SocketHandlers = {
      upgrade: () => ({ accept: true, protocol: "", encoding: "binary" }),
      open: (socket) => this.record(socket),
      http: () => Promise.resolve(new Response("hello")),
      failed: (error) => void this.failures.push(error),
    };
    this.server = create({ ...recording, ...handlers }, { ...OPTIONS, ...options });
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }
  record(socket: Socket): Recorder {
    const recorder = new Recorder(socket);
    this.recorders.push(recorder);
    return recorder;
  }
  async listen(port: number): Promise<void> {
    this.port = await this.server.listen("127.0.0.1", port);
  }
  /** An open client and its recorder. */
  async connect(options: ClientOptions = {}): Promise<{ client: Client; recorder: Recorder }> {
    const before = this.recorders.length;
    const client = this.client("/socket", [], options);
    await client.opened();
    await until(() => this.recorders.length > before);
    return { client, recorder: this.recorders[before] as Recorder };
  }
  client(path: string, protocols: string[] = [], options: ClientOptions = {}): Client {
    const client = new Client(new WebSocket(`ws://${this.address}${path}`, protocols, options));
    this.#clients.push(client);
    return client;
  }
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://${this.address}${path}`, init);
  }
  async stop(): Promise<void> {
    for (const client of this.#clients) client.ws.terminate();
    await this.server.close();
  }
}

export class Client {
  readonly ws: WebSocket;
  readonly received: Encoded[] = [];
  /** "101" or the status and body of the refusal. */
  readonly #handshake: Promise<string>;
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on("message", (data: Buffer, isBinary) => {
      this.received.push(isBinary ? Uint8Array.from(data) : data.toString());
    });
    ws.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.#handshake = new Promise((resolve) => {
      ws.on("open", () => resolve("101"));
      ws.on("unexpected-response", (_request, response) => {
        let body = "";
        response.on("data", (chunk) => (body += String(chunk)));
        response.on("end", () => resolve(`${response.statusCode} ${body}`));
      });
      ws.on("close", () => resolve("closed"));
    });
  }

  handshake(): Promise<string> {
    return this.#handshake;
  }
  async opened(): Promise<void> {
    const outcome = await this.handshake();
    if (outcome !== "101") throw new Error(`the handshake ended with: ${outcome}`);
  }
  async receives(count: number): Promise<Encoded[]> {
    await until(() => this.received.length >= count);
    return this.received;
  }
}

export type Start = (
  handlers?: Partial<SocketHandlers>,
  options?: Partial<SocketServerOptions>,
) => Promise<Rig>;

/** Rigs of one suite; each is stopped after its test. */
export function rigs(create: CreateSocketServer): Start {
  const started: Rig[] = [];
  afterEach(async () => {
    for (const rig of started.splice(0)) await rig.stop();
  });
  return async (handlers, options) => {
    const rig = new Rig(create, handlers, options);
    started.push(rig);
    await rig.listen(0);
    return rig;
  };
}

/**
 * Everything the server writes to one connection until it closes it. A list of
 * requests is sent one by one, each after something of the answer before it.
 */
export function raw(port: number, requests: string | readonly string[]): Promise<string> {
  const waiting = [requests].flat();
  return new Promise((resolve) => {
    let answer = "";
    const next = (): void => void connection.write(waiting.shift() ?? "");
    const connection = createConnection(port, "127.0.0.1", next);
    connection.on("data", (chunk) => {
      answer += chunk.toString();
      next();
    });
    // A reset tells as much as an end: what counts is what was answered before.
    connection.on("error", () => connection.destroy());
    connection.on("close", () => resolve(answer));
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`still not so: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Time for what must not happen to happen: every packet on loopback has arrived by then. */
export function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
