/** The plain chat over Redis pub/sub, peers/pub-sub.ts: one JSON object a message. */
import type { WebSocket } from "ws";

import type { Delivery, Dialect, Heard, Member, Outgoing } from "../dialect.ts";
import { ask, inTurns, open, seatsOf } from "../opening.ts";
import type { Plan } from "../plan.ts";
import { readText, textOutgoing } from "../text-frame.ts";

const HISTORY = '{"type":"history"';

export class PubSubDialect implements Dialect {
  readonly #delivery: Delivery = { seq: null, sender: 0, n: 0, atUs: 0 };

  connect(plan: Plan): Promise<Member[]> {
    return inTurns(seatsOf(plan), async ({ index, address, room }) => {
      const socket = await open(address, []);
      await ask(socket, JSON.stringify({ type: "join", room, user: `u${index}` }), HISTORY);
      return { socket, room, nextSeq: null };
    });
  }

  outgoing(_room: string, sender: number): Outgoing {
    return textOutgoing(JSON.stringify({ type: "message", text: "" }), sender);
  }

  read(data: Buffer, _socket: WebSocket, each: (delivery: Delivery) => void): Heard {
    const end = readText(data, 0, this.#delivery);
    if (end === -1) throw new Error(`the pub/sub chat said ${data.toString("utf8")}`);
    each(this.#delivery);
    return "messages";
  }
}
