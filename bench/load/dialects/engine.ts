/** Millrace itself, over its binary sub-protocol. */
import type { WebSocket } from "ws";

import { decodeServerFrame } from "../../../src/protocol/codec.ts";
import type { CommandNumber, RoomId } from "../../../src/protocol/ids.ts";
import type { Delivery, Dialect, Heard, Member, Outgoing } from "../dialect.ts";
import { EntriesReader, isEntriesFrame } from "../entries-frame.ts";
import { chunks, inTurns, seatsOf, type Seat } from "../opening.ts";
import type { EngineTarget, Plan } from "../plan.ts";
import { SendFrame } from "../send-frame.ts";
import { greet, type Talk } from "../talk.ts";

const QUIET_ROOMS_PER_SOCKET = 500;
const ROOMS_PER_RESUME = 100;
/** Number of the first message; 1 was to create or to join the room. */
const FIRST_K = 2;

/** Frames after which a message is not where it should be. */
const REFUSALS: ReadonlySet<string> = new Set(["deferred", "rejected", "error", "unsubscribed"]);

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
    return REFUSALS.has(type) ? "refused" : "nothing";
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
  const pages = await inTurns(seats, (seat) => talk(seat).follow([seat.room as RoomId]));
  await followQuiet(target, plan.quietRooms);
  return seats.map((seat) => {
    const nextSeq = (pages[seat.index]?.[0]?.head as number) + 1;
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
