/**
 * A protocol peer that does what a test tells it to: it answers `hello`, and
 * everything else is scripted. It keeps no chat state of its own.
 */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { decodeClientFrame, encodeServerFrame } from "../../src/protocol/codec.ts";
import { formatCursor } from "../../src/protocol/cursor.ts";
import type {
  ClientFrame,
  ClientFrameOf,
  Entry,
  ServerFrame,
  ServerFrameOf,
} from "../../src/protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { SUBPROTOCOL } from "../../src/protocol/version.ts";

const PATIENCE_MS = 5_000;

/** One connection of the client under test. */
export class Peer {
  readonly #socket: WebSocket;
  /** Everything received and not asked for yet. */
  readonly inbox: ClientFrame[] = [];
  #wakeUp: (() => void) | null = null;
  closed = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      this.inbox.push(decodeClientFrame(data));
      this.#wakeUp?.();
    });
    socket.on("close", () => {
      this.closed = true;
      this.#wakeUp?.();
    });
  }

  /** The next frame, which has to be of this type. */
  async next<T extends ClientFrame["type"]>(type: T): Promise<ClientFrameOf<T>> {
    await this.#until(() => this.inbox.length > 0);
    const frame = this.inbox.shift() as ClientFrame;
    if (frame.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(frame)}`);
    return frame as ClientFrameOf<T>;
  }

  whenClosed(): Promise<void> {
    return this.#until(() => this.closed);
  }

  async #until(done: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!done()) {
      if (Date.now() > deadline) throw new Error("the client sent nothing");
      await new Promise<void>((resolve) => {
        this.#wakeUp = resolve;
        setTimeout(resolve, 50);
      });
    }
  }

  send(frame: ServerFrame): void {
    this.#socket.send(encodeServerFrame(frame));
  }
  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }
  close(code: number, reason = ""): void {
    this.#socket.close(code, reason);
  }
  terminate(): void {
    this.#socket.terminate();
  }
  welcome(fields: Partial<ServerFrameOf<"welcome">> = {}): void {
    this.send({
      type: "welcome",
      version: 1,
      edge: "edge-1",
      user: "ann" as UserId,
      ack: "memory",
      beatMs: 10_000,
      ...fields,
    });
  }
  /** A page, by default the last of a room that is followed live from here. */
  resumed(entries: readonly Entry[], fields: Partial<ServerFrameOf<"resumed">> = {}): void {
    const head = entries.at(-1)?.seq ?? (0 as Seq);
    const page = { room: ROOM, status: "ok", epoch: 1 as Epoch, head, more: false } as const;
    this.send({ type: "resumed", ...page, entries, ...fields });
  }
  entries(...entries: Entry[]): void {
    this.send({ type: "entries", room: ROOM, entries });
  }
}

export class ScriptedServer {
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #waiting: ((peer: Peer) => void)[] = [];
  readonly #unseen: Peer[] = [];
  connections = 0;

  private constructor(http: Server) {
    this.#http = http;
    this.#sockets = new WebSocketServer({
      server: http,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL.binary) ? SUBPROTOCOL.binary : false),
    });
    this.#sockets.on("connection", (socket) => {
      this.connections += 1;
      const peer = new Peer(socket);
      const next = this.#waiting.shift();
      if (next) next(peer);
      else this.#unseen.push(peer);
    });
  }

  static async start(onRequest?: RequestListener): Promise<ScriptedServer> {
    const http = createServer(onRequest);
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return new ScriptedServer(http);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** The next connection. */
  async peer(): Promise<Peer> {
    return this.#unseen.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }
  /** The next connection, greeted. */
  async welcomed(fields: Partial<ServerFrameOf<"welcome">> = {}): Promise<Peer> {
    const peer = await this.peer();
    await peer.next("hello");
    peer.welcome(fields);
    return peer;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

export const ROOM = "general" as RoomId;

/** The entry with this seq of a room where Bob talks. */
export function entryAt(seq: number, fields: Partial<Entry> = {}): Entry {
  return {
    seq: seq as Seq,
    cursor: formatCursor(1 as Epoch, seq as Seq, 1_700_000_000_000 + seq, 0),
    at: 1_700_000_000_000 + seq,
    by: "bob" as UserId,
    device: "bobs-device" as Entry["device"],
    k: seq as Entry["k"],
    event: { type: "message.sent", text: `message ${seq}` },
    ...fields,
  };
}

export function entriesFrom(first: number, last: number): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => entryAt(first + i));
}
