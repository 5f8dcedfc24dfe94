/** One raw connection to an edge: frames in, frames out, and what it knows of the rooms it follows. */
import { WebSocket } from "ws";

import { decodeServerFrame, encodeClientFrame, type Encoded } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import {
  COMMANDS,
  type ClientCommand,
  type ClientFrame,
  type Entry,
  type ServerFrame,
  type ServerFrameOf,
} from "../../src/protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId } from "../../src/protocol/ids.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL, type Encoding } from "../../src/protocol/version.ts";
import { PATIENCE_MS } from "../support/patience.ts";

export interface PeerOptions {
  readonly address: string;
  readonly encoding: Encoding;
  readonly device: string;
  readonly origin: string;
}
/** A command without its number. */
export type Draft = {
  [T in ClientCommand["type"]]: Omit<Extract<ClientCommand, { type: T }>, "k" | "room" | "user"> & {
    readonly room?: string | null;
    readonly user?: string;
  };
}[ClientCommand["type"]];

export class Peer {
  readonly ws: WebSocket;
  readonly encoding: Encoding;
  readonly device: DeviceId;
  readonly frames: ServerFrame[] = [];
  /** Live entries and pages of each room, as far as they continue each other. */
  readonly rooms = new Map<string, Entry[]>();
  /** Every place where the stream of a room had a gap, a copy or a wrong order. */
  readonly violations: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  code: number | null = null;
  lastK = 0;
  readonly #handshake: Promise<string>;
  #waiters: (() => void)[] = [];

  constructor({ address, encoding = "binary", device = "device", origin }: Partial<PeerOptions>) {
    this.encoding = encoding;
    this.device = device as DeviceId;
    const url = `${String(address).replace("http", "ws")}/v1/socket`;
    this.ws = new WebSocket(url, [SUBPROTOCOL[encoding]], origin === undefined ? {} : { origin });
    this.ws.on("message", (data: Buffer, isBinary) => {
      this.#received(isBinary ? Uint8Array.from(data) : data.toString());
    });
    this.ws.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => {
        this.code = code;
        this.#wake();
        resolve({ code, reason: reason.toString() });
      });
    });
    this.#handshake = new Promise((resolve) => {
      this.ws.on("open", () => resolve("101"));
      this.ws.on("unexpected-response", (_request, response) => {
        response.resume();
        resolve(String(response.statusCode));
      });
      this.ws.on("close", () => resolve("closed"));
    });
  }

  /** `101`, or the status of the refusal. */
  handshake(): Promise<string> {
    return this.#handshake;
  }
  async opened(): Promise<void> {
    const outcome = await this.#handshake;
    if (outcome !== "101") throw new Error(`the handshake ended with ${outcome}`);
  }

  async hello(token: string): Promise<ServerFrameOf<"welcome">> {
    this.send({ type: "hello", version: PROTOCOL_VERSION, token, device: this.device, agent: "" });
    return this.next("welcome");
  }
  send(frame: ClientFrame): void {
    this.raw(encodeClientFrame(frame, this.encoding));
  }
  raw(data: Encoded): void {
    this.ws.send(data);
  }
  terminate(): void {
    this.ws.terminate();
  }
  /** Reads nothing more from the socket until `resume`. */
  pause(): void {
    this.ws.pause();
  }

  /** Sends a command under the next number, or under one that was used before. */
  command(draft: Draft, k = this.lastK + 1): CommandNumber {
    this.lastK = Math.max(this.lastK, k);
    const fields = { ...draft, k: k as CommandNumber };
    if (!("room" in fields) && "room" in COMMANDS[draft.type].fields) {
      throw new Error(`${draft.type} names no room`);
    }
    this.send(fields as unknown as ClientCommand);
    return k as CommandNumber;
  }
  /** Sends a command and waits for what becomes of it. */
  async run(draft: Draft, k?: number): Promise<CommandOutcome> {
    return this.outcome(this.command(draft, k));
  }
  /** The same, and sends it again for as long as it is put off. */
  async insist(
    draft: Draft,
    again?: CommandNumber,
  ): Promise<ServerFrameOf<"applied"> | ServerFrameOf<"rejected">> {
    let since = this.frames.length;
    for (let k = this.command(draft, again); ; this.command(draft, k)) {
      const outcome = await this.outcome(k, since);
      if (outcome.type !== "deferred") return outcome;
      since = this.frames.length;
      await new Promise((resolve) => setTimeout(resolve, Math.min(100, outcome.retryAfterMs)));
    }
  }
  /** The frame at or after index `since` that tells the fate of `k`, or the own entry that does. */
  outcome(k: CommandNumber, since = 0): Promise<CommandOutcome> {
    return this.until(`an outcome of ${k}`, () => {
      for (const frame of this.frames.slice(since)) {
        const told =
          frame.type === "applied" || frame.type === "rejected" || frame.type === "deferred";
        if (told && frame.k === k) return frame;
        // An entry of a page tells as much as one that comes live.
        if (frame.type !== "entries" && frame.type !== "resumed") continue;
        const own = frame.entries.find((entry) => entry.k === k && entry.device === this.device);
        if (own) return { type: "applied", k, room: frame.room, seq: own.seq, again: false };
      }
      return null;
    });
  }
  async say(room: string, text: string): Promise<CommandOutcome> {
    return this.run({ type: "send", room, text });
  }

  /** One `resume` of one room; the answer. Asks again when Redis could not be read. */
  async resume(
    room: string,
    cursor: string | null = null,
    limit = 200,
  ): Promise<ServerFrameOf<"resumed">> {
    const request = { room: room as RoomId, cursor: cursor as Cursor | null, limit };
    for (;;) {
      const since = this.frames.length;
      this.send({ type: "resume", rooms: [request] });
      const answer = await this.until(`resumed ${room}`, () => {
        for (const frame of this.frames.slice(since)) {
          if (frame.type === "resumed" && frame.room === room) return frame;
          if (frame.type === "unsubscribed" && frame.room === room) return frame;
        }
        return null;
      });
      if (answer.type === "resumed") return answer;
      if (answer.code !== "unavailable") throw new Error(`${room} ended with ${answer.code}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  /** Resumes from `cursor` until the room is live; what was missed on the way. */
  async follow(room: string, cursor: string | null = null, limit = 200): Promise<Entry[]> {
    const missed: Entry[] = [];
    let from = cursor;
    for (;;) {
      const page = await this.resume(room, from, limit);
      missed.push(...page.entries);
      if (page.status === "refused") throw new Error(`${room} is refused`);
      if (!page.more) return missed;
      from = missed.at(-1)?.cursor ?? from;
    }
  }
  seqs(room: string): number[] {
    return (this.rooms.get(room) ?? []).map(({ seq }) => seq);
  }
  texts(room: string): string[] {
    return (this.rooms.get(room) ?? []).flatMap(({ event }) =>
      event.type === "message.sent" ? [event.text] : [],
    );
  }
  async hasSeq(room: string, seq: number): Promise<void> {
    await this.until(
      `seq ${seq} of ${room}`,
      () => this.rooms.get(room)?.at(-1)?.seq === seq || null,
    );
  }

  /** The next frame of a type that came or comes at or after index `since`. */
  async next<T extends ServerFrame["type"]>(
    type: T,
    fits: (frame: ServerFrameOf<T>) => boolean = () => true,
    since = 0,
  ): Promise<ServerFrameOf<T>> {
    return this.until(type, () => {
      const found = this.frames
        .slice(since)
        .find((frame) => frame.type === type && fits(frame as ServerFrameOf<T>));
      return (found as ServerFrameOf<T> | undefined) ?? null;
    });
  }
  /** Looks again after every frame until there is something. */
  async until<T>(what: string, look: () => T | null): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = look();
      if (found !== null) return found;
      if (this.code !== null) throw new Error(`closed with ${this.code} while waiting: ${what}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`it did not come: ${what}`);
      await this.#change(left);
    }
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  #received(data: Encoded): void {
    const frame = decodeServerFrame(data);
    this.frames.push(frame);
    if (frame.type === "resumed") this.#page(frame);
    if (frame.type === "entries") this.#extend(frame.room, frame.entries);
    this.#wake();
  }
  #page({ room, status, entries }: ServerFrameOf<"resumed">): void {
    if (status === "refused") return;
    // A page that continues what is known is appended; any other starts the room anew.
    const known = this.rooms.get(room);
    const continues = status === "ok" && known?.at(-1)?.seq === (entries[0]?.seq ?? 0) - 1;
    if (!continues && entries.length > 0) this.rooms.set(room, []);
    if (!this.rooms.has(room)) this.rooms.set(room, []);
    this.#extend(room, entries);
  }
  #extend(room: RoomId, entries: readonly Entry[]): void {
    const known = this.rooms.get(room);
    if (!known) {
      this.violations.push(`entries of ${room}, which was never resumed`);
      return;
    }
    for (const entry of entries) {
      const last = known.at(-1)?.seq;
      if (last !== undefined && entry.seq !== last + 1) {
        this.violations.push(`${room}: seq ${entry.seq} after ${last}`);
      }
      known.push(entry);
    }
  }
}
export type CommandOutcome =
  | ServerFrameOf<"applied">
  | ServerFrameOf<"rejected">
  | ServerFrameOf<"deferred">;

/** A room of `owner` with further members; `owner` follows nothing by it. */
export async function createRoom(
  owner: Peer,
  room: string,
  members: readonly Peer[] = [],
  kind: "public" | "private" = "public",
): Promise<void> {
  await applied(owner.insist({ type: "create", room, kind, name: room }));
  for (const member of members) await applied(member.insist({ type: "join", room }));
}

export async function applied(outcome: Promise<CommandOutcome>): Promise<ServerFrameOf<"applied">> {
  const frame = await outcome;
  if (frame.type !== "applied") throw new Error(`not applied but ${frame.type} ${frame.code}`);
  return frame;
}
