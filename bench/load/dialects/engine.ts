/** Millrace itself, over its binary sub-protocol. */
import type { WebSocket } from "ws";

import { signToken } from "../../../src/cli/token.ts";
import { decodeServerFrame, encodeClientFrame } from "../../../src/protocol/codec.ts";
import type { ClientFrame, ServerFrame, ServerFrameOf } from "../../../src/protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId } from "../../../src/protocol/ids.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../../../src/protocol/version.ts";
import type { Delivery, Dialect, Heard, Member, Outgoing } from "../dialect.ts";
import { EntriesReader, isEntriesFrame } from "../entries-frame.ts";
import { chunks, inTurns, open, seatsOf, type Seat } from "../opening.ts";
import type { EngineTarget, Plan } from "../plan.ts";
import { SendFrame } from "../send-frame.ts";

const QUIET_ROOMS_PER_SOCKET = 500;
const ROOMS_PER_RESUME = 100;
const TOKEN_LIFE_SEC = 3_600;
/** Number of the first message; 1 was to create or to join the room. */
const FIRST_K = 2;

export class EngineDialect implements Dialect {
  readonly #target: EngineTarget;
  readonly #reader = new EntriesReader();

  constructor(target: EngineTarget) {
    this.#target = target;
  }

  connect(plan: Plan): Promise<Member[]> {
    return connectAll(this.#target, plan);
  }

  outgoing(room: string, sender: number): Outgoing {
    const frame = new SendFrame(room, sender);
    return { binary: true, stamp: (n, atUs) => frame.stamp(FIRST_K + n, n, atUs) };
  }

  read(data: Buffer, _socket: WebSocket, each: (delivery: Delivery) => void): Heard {
    if (isEntriesFrame(data)) {
      this.#reader.read(data, each);
      return "messages";
    }
    const { type } = decodeServerFrame(data);
    return type === "beat" || type === "accepted" || type === "applied" ? "nothing" : "refused";
  }
}

/** Quiet rooms are followed by sockets that nobody looks at. */
async function connectAll(target: EngineTarget, plan: Plan): Promise<Member[]> {
  const seats = seatsOf(plan);
  const talks = await inTurns(seats, ({ index, address }) => greet(target, `u${index}`, address));
  const talk = ({ index }: Seat): Talk => talks[index] as Talk;
  const k = 1 as CommandNumber;
  await inTurns(
    seats.filter(({ place }) => place === 0),
    (seat) => {
      const room = seat.room as RoomId;
      return talk(seat).command({ type: "create", k, room, kind: "public", name: room });
    },
  );
  await inTurns(
    seats.filter(({ place }) => place !== 0),
    (seat) => talk(seat).command({ type: "join", k, room: seat.room as RoomId }),
  );
  const heads = await inTurns(seats, (seat) => talk(seat).follow([seat.room as RoomId]));
  await followQuiet(target, plan.quietRooms);
  return seats.map((seat) => {
    const nextSeq = (heads[seat.index] as number) + 1;
    return { socket: talk(seat).release(), room: seat.room, nextSeq };
  });
}

async function followQuiet(target: EngineTarget, count: number): Promise<void> {
  const rooms = Array.from({ length: count }, (_, i) => `q${i}` as RoomId);
  const shares = chunks(rooms, QUIET_ROOMS_PER_SOCKET);
  for (const [i, share] of shares.entries()) {
    const address = target.addresses[i % target.addresses.length] as string;
    const talk = await greet(target, `quiet${i}`, address);
    let lastK = 0;
    await inTurns(share, (room) => {
      const k = ++lastK as CommandNumber;
      return talk.command({ type: "create", k, room, kind: "public", name: room });
    });
    for (const page of chunks(share, ROOMS_PER_RESUME)) await talk.follow(page);
    talk.release();
  }
}

async function greet(target: EngineTarget, user: string, address: string): Promise<Talk> {
  const { secret, audience } = target;
  const token = await signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SEC });
  const url = `${address.replace(/^http/, "ws")}/v1/socket`;
  const talk = new Talk(await open(url, [SUBPROTOCOL.binary]));
  const device = "bench" as DeviceId;
  talk.say({ type: "hello", version: PROTOCOL_VERSION, token, device, agent: "bench" });
  await talk.hear((frame) => frame.type === "welcome");
  return talk;
}

/** A conversation of questions and answers, for the set-up only. */
class Talk {
  readonly #socket: WebSocket;
  readonly #waiting = new Set<(frame: ServerFrame) => void>();
  readonly #onMessage = (data: Buffer): void => {
    const frame = decodeServerFrame(data);
    for (const wait of this.#waiting) wait(frame);
  };
  readonly #onClose = (code: number): void => {
    throw new Error(`the engine closed a socket of the generator with ${code}`);
  };

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", this.#onMessage);
    socket.on("close", this.#onClose);
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
    this.#socket.off("message", this.#onMessage).off("close", this.#onClose);
    return this.#socket;
  }
}
