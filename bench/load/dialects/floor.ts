/** The floor passes on what it gets, so the generator's own frames come back. */
import type { WebSocket } from "ws";

import type { Delivery, Dialect, Heard, Member, Outgoing } from "../dialect.ts";
import { inTurns, open, seatsOf } from "../opening.ts";
import type { Plan } from "../plan.ts";
import { readStamp, SendFrame, textStart } from "../send-frame.ts";

export class FloorDialect implements Dialect {
  readonly #delivery: Delivery = { seq: null, sender: 0, n: 0, atUs: 0 };

  connect(plan: Plan): Promise<Member[]> {
    return inTurns(seatsOf(plan), async ({ address, room }) => {
      return { socket: await open(`${address}/${room}`, []), room, nextSeq: null };
    });
  }

  outgoing(room: string, sender: number): Outgoing {
    const frame = new SendFrame(room, sender);
    return { binary: true, stamp: (n, atUs) => frame.stamp(n + 1, n, atUs) };
  }

  read(data: Buffer, _socket: WebSocket, each: (delivery: Delivery) => void): Heard {
    readStamp(data, textStart(data), this.#delivery);
    each(this.#delivery);
    return "messages";
  }
}
