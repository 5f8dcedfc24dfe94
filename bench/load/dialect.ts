/** What the generator has to know of a server: how its own protocol says three things. */
import type { WebSocket } from "ws";

import type { Plan } from "./plan.ts";
import type { Stamp } from "./send-frame.ts";

export interface Member {
  readonly socket: WebSocket;
  readonly room: string;
  /** Seq of the next message; null where the server gives none. */
  readonly nextSeq: number | null;
}

export interface Delivery extends Stamp {
  /** Place of the message in its room; null where the server gives none. */
  seq: number | null;
}

/** A message to send: a template of which only digits change. */
export interface Outgoing {
  /** Whether it is a binary WebSocket message. */
  readonly binary: boolean;
  /** The sender's message number `n`, counted from 0; the bytes are valid until the next call. */
  stamp(n: number, atUs: number): Buffer;
}

/** `refused`: the server has put off or refused something that was sent. */
export type Heard = "messages" | "nothing" | "refused";

export interface Dialect {
  /** All members, room by room, brought to where only messages are sent and received. */
  connect(plan: Plan): Promise<Member[]>;
  outgoing(room: string, sender: number): Outgoing;
  /**
   * Reads one WebSocket message and hands out the chat messages in it, always the same object.
   * Answers pings on `socket`. Throws on a shape that it does not know, because a delivery that
   * is not understood would count as lost.
   */
  read(data: Buffer, socket: WebSocket, each: (delivery: Delivery) => void): Heard;
}
