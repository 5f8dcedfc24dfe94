/**
 * Socket.IO, by its frames: Engine.IO 4 puts a digit before each (2 ping, 3 pong,
 * 4 message), and Socket.IO one more (0 connect, 2 event, 3 answer). The server's
 * first word, 0 open, needs no answer.
 */
import type { WebSocket } from "ws";

import type { Delivery, Dialect, Heard, Member, Outgoing } from "../dialect.ts";
import { ask, inTurns, open, seatsOf } from "../opening.ts";
import type { Plan } from "../plan.ts";
import { readText, textOutgoing } from "../text-frame.ts";

const PATH = "/socket.io/?EIO=4&transport=websocket";
const PING = "2".charCodeAt(0);
const PONG = "3";
const MESSAGE = "4".charCodeAt(0);
const EVENT = "2".charCodeAt(0);
const CONNECT = "40";
/** The number behind the digits asks for an answer. */
const JOIN_ID = 7;

export class SocketIoDialect implements Dialect {
  readonly #delivery: Delivery = { seq: null, sender: 0, n: 0, atUs: 0 };

  connect(plan: Plan): Promise<Member[]> {
    return inTurns(seatsOf(plan), async ({ address, room }) => {
      const socket = await open(`${address}${PATH}`, []);
      await ask(socket, CONNECT, CONNECT);
      await ask(socket, `42${JOIN_ID}${JSON.stringify(["join", room])}`, `43${JOIN_ID}`);
      return { socket, room, nextSeq: null };
    });
  }

  outgoing(room: string, sender: number): Outgoing {
    return textOutgoing(`42${JSON.stringify(["send", { room, text: "" }])}`, sender);
  }

  read(data: Buffer, socket: WebSocket, each: (delivery: Delivery) => void): Heard {
    if (data[0] === MESSAGE && data[1] === EVENT && readText(data, 2, this.#delivery) !== -1) {
      each(this.#delivery);
      return "messages";
    }
    if (data[0] !== PING) throw new Error(`Socket.IO said ${data.toString("utf8")}`);
    socket.send(PONG);
    return "nothing";
  }
}
