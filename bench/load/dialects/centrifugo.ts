/**
 * Centrifugo's JSON protocol: commands with an id, replies with the same id,
 * pushes without, several of them in one WebSocket message as lines of text.
 */
import type { WebSocket } from "ws";

import type { Delivery, Dialect, Heard, Member, Outgoing } from "../dialect.ts";
import { ask, inTurns, open, seatsOf } from "../opening.ts";
import type { Plan } from "../plan.ts";
import { readText, textOutgoing } from "../text-frame.ts";

const PATH = "/connection/websocket";
const PING = "{}";
const PUSH = '{"push":';
/** All messages have one id: replies come in order, and only errors are looked at. */
const PUBLISH_ID = 3;
const NEW_LINE = 10;
const OFFSET_KEY = Buffer.from('"offset":');

export class CentrifugoDialect implements Dialect {
  readonly #delivery: Delivery = { seq: null, sender: 0, n: 0, atUs: 0 };

  connect(plan: Plan): Promise<Member[]> {
    return inTurns(seatsOf(plan), async ({ address, room }) => {
      const socket = await open(`${address}${PATH}`, []);
      await ask(socket, JSON.stringify({ id: 1, connect: {} }), '{"id":1,"connect":');
      const subscribe = JSON.stringify({ id: 2, subscribe: { channel: room } });
      const reply = await ask(socket, subscribe, '{"id":2,"subscribe":');
      const { subscribe: position } = JSON.parse(reply) as { subscribe: { offset?: number } };
      return { socket, room, nextSeq: (position.offset ?? 0) + 1 };
    });
  }

  outgoing(room: string, sender: number): Outgoing {
    const publish = { channel: room, data: { text: "" } };
    return textOutgoing(JSON.stringify({ id: PUBLISH_ID, publish }), sender);
  }

  read(data: Buffer, socket: WebSocket, each: (delivery: Delivery) => void): Heard {
    let heard: Heard = "nothing";
    for (let from = 0; from < data.length;) {
      const newLine = data.indexOf(NEW_LINE, from);
      const end = newLine === -1 ? data.length : newLine;
      const of = this.#line(data.subarray(from, end), socket, each);
      if (of !== "nothing" && heard !== "refused") heard = of;
      from = end + 1;
    }
    return heard;
  }

  #line(line: Buffer, socket: WebSocket, each: (delivery: Delivery) => void): Heard {
    if (line.toString("latin1", 0, PUSH.length) === PUSH) {
      const textEnd = readText(line, PUSH.length, this.#delivery);
      const offsetAt = line.lastIndexOf(OFFSET_KEY);
      if (textEnd === -1 || offsetAt === -1) throw unknown(line);
      // Behind the last digit a number ends by itself.
      this.#delivery.seq = Number.parseInt(
        line.toString("latin1", offsetAt + OFFSET_KEY.length),
        10,
      );
      each(this.#delivery);
      return "messages";
    }
    const text = line.toString("utf8");
    if (text === PING) socket.send(PING);
    else if (text.includes('"error":')) return "refused";
    else if (!text.startsWith(`{"id":${PUBLISH_ID}`)) throw unknown(line);
    return "nothing";
  }
}

function unknown(line: Buffer): Error {
  return new Error(`Centrifugo said ${line.toString("utf8")}`);
}
