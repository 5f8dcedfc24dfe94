/** Sockets of the generator, brought to where only messages are sent and received. */
import { once } from "node:events";

import { WebSocket } from "ws";

import { signToken } from "../../src/cli/token.ts";
import { decodeServerFrame, encodeClientFrame } from "../../src/protocol/codec.ts";
import type { ClientFrame, ServerFrame, ServerFrameOf } from "../../src/protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId } from "../../src/protocol/ids.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../../src/protocol/version.ts";
import type { Plan, Target } from "./plan.ts";

/** Set-up is not what is measured: gentle enough for an edge with a cold compiler. */
const AT_ONCE = 32;
const QUIET_ROOMS_PER_SOCKET = 500;
const ROOMS_PER_RESUME = 100;
const TOKEN_LIFE_SEC = 3_600;

export interface Member {
  readonly socket: WebSocket;
  readonly room: string;
  /** Number of the first command that is still free. */
  readonly firstK: number;
  /** Seq of the next entry; null where the peer gives none. */
  readonly nextSeq: number | null;
}

type EngineTarget = Target & { kind: "engine" };

export const roomName = (room: number): string => `r${String(room).padStart(6, "0")}`;

/** All members, room by room; quiet rooms are followed by sockets that nobody looks at. */
export async function connectAll(plan: Plan): Promise<Member[]> {
  const { target } = plan;
  if (target.kind === "floor") return connectFloor(plan);
  const indexes = Array.from({ length: plan.rooms * plan.membersPerRoom }, (_, i) => i);
  const place = (i: number): number => i % plan.membersPerRoom;
  const room = (i: number): RoomId => roomName(Math.floor(i / plan.membersPerRoom)) as RoomId;
  const talks = await inTurns(indexes, (i) =>
    greet(target, `u${i}`, place(i) + Math.floor(i / plan.membersPerRoom)),
  );
  const talk = (i: number): Talk => talks[i] as Talk;
  const k = 1 as CommandNumber;
  const owners = indexes.filter((i) => place(i) === 0);
  const others = indexes.filter((i) => place(i) !== 0);
  await inTurns(owners, (i) =>
    talk(i).command({ type: "create", k, room: room(i), kind: "public", name: room(i) }),
  );
  await inTurns(others, (i) => talk(i).command({ type: "join", k, room: room(i) }));
  const heads = await inTurns(indexes, (i) => talk(i).follow([room(i)]));
  await followQuiet(target, plan.quietRooms);
  return indexes.map((i) => {
    return {
      socket: talk(i).release(),
      room: room(i),
      firstK: 2,
      nextSeq: (heads[i] as number) + 1,
    };
  });
}

async function connectFloor(plan: Plan): Promise<Member[]> {
  const indexes = Array.from({ length: plan.rooms * plan.membersPerRoom }, (_, i) => i);
  return inTurns(indexes, async (i) => {
    const room = roomName(Math.floor(i / plan.membersPerRoom));
    const address = plan.target.addresses[0] as string;
    const socket = await open(`${address}/${room}`, []);
    return { socket, room, firstK: 1, nextSeq: null };
  });
}

async function followQuiet(target: EngineTarget, count: number): Promise<void> {
  const rooms = Array.from({ length: count }, (_, i) => `q${i}` as RoomId);
  const shares = chunks(rooms, QUIET_ROOMS_PER_SOCKET);
  for (const [i, share] of shares.entries()) {
    const talk = await greet(target, `quiet${i}`, i);
    let lastK = 0;
    await inTurns(share, (room) => {
      const k = ++lastK as CommandNumber;
      return talk.command({ type: "create", k, room, kind: "public", name: room });
    });
    for (const page of chunks(share, ROOMS_PER_RESUME)) await talk.follow(page);
    talk.release();
  }
}

async function greet(target: EngineTarget, user: string, turn: number): Promise<Talk> {
  const { secret, audience, addresses } = target;
  const token = await signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SEC });
  const address = addresses[turn % addresses.length] as string;
  const url = `${address.replace(/^http/, "ws")}/v1/socket`;
  const talk = new Talk(await open(url, [SUBPROTOCOL.binary]));
  const device = "bench" as DeviceId;
  talk.say({ type: "hello", version: PROTOCOL_VERSION, token, device, agent: "bench" });
  await talk.hear((frame) => frame.type === "welcome");
  return talk;
}

async function open(url: string, protocols: string[]): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

/** A conversation of questions and answers, for the set-up only. */
class Talk {
  readonly #socket: WebSocket;
  readonly #waiting = new Set<(frame: ServerFrame) => void>();
  readonly #onMessage = (data: Buffer): void => {
    const frame = decodeServerFrame(data);
    for (const wait of this.#waiting) wait(frame);
  };

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", this.#onMessage);
    socket.on("close", (code) => {
      throw new Error(`the engine closed a socket of the generator with ${code}`);
    });
  }

  say(frame: ClientFrame): void {
    this.#socket.send(encodeClientFrame(frame));
  }

  hear(wanted: (frame: ServerFrame) => boolean): Promise<ServerFrame> {
    return new Promise((resolve) => {
      const wait = (frame: ServerFrame): void => {
        if (!wanted(frame)) return;
        this.#waiting.delete(wait);
        resolve(frame);
      };
      this.#waiting.add(wait);
    });
  }

  async command(command: Extract<ClientFrame, { k: CommandNumber }>): Promise<void> {
    const outcome = this.hear(
      (frame) => "k" in frame && frame.k === command.k && frame.type !== "accepted",
    );
    this.say(command);
    const { type } = await outcome;
    if (type !== "applied") throw new Error(`${command.type} was ${type}`);
  }

  /** Returns the head of the first room. */
  async follow(rooms: readonly RoomId[]): Promise<number> {
    const pages = rooms.map((room) =>
      this.hear((frame) => frame.type === "resumed" && frame.room === room),
    );
    this.say({ type: "resume", rooms: rooms.map((room) => ({ room, cursor: null, limit: 1 })) });
    const [first] = (await Promise.all(pages)) as ServerFrameOf<"resumed">[];
    if (!first || first.status === "refused" || first.more) throw new Error("resume failed");
    return first.head;
  }

  release(): WebSocket {
    this.#socket.off("message", this.#onMessage);
    return this.#socket;
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** In order, some at once. */
async function inTurns<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const some of chunks(items, AT_ONCE)) results.push(...(await Promise.all(some.map(run))));
  return results;
}
