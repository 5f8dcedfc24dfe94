/** One socket of a made-up user, spoken with by questions and answers: for what is not measured. */
import type { WebSocket } from "ws";

import { signToken } from "../../src/cli/token.ts";
import { decodeServerFrame, encodeClientFrame } from "../../src/protocol/codec.ts";
import type { ClientFrame, ServerFrame, ServerFrameOf } from "../../src/protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId } from "../../src/protocol/ids.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../../src/protocol/version.ts";
import { open } from "./opening.ts";
import type { EngineTarget } from "./plan.ts";

const TOKEN_LIFE_SEC = 3_600;

export async function greet(target: EngineTarget, user: string, address: string): Promise<Talk> {
  const { secret, audience } = target;
  const token = await signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SEC });
  const url = `${address.replace(/^http/, "ws")}/v1/socket`;
  const talk = new Talk(await open(url, [SUBPROTOCOL.binary]));
  const device = "bench" as DeviceId;
  talk.say({ type: "hello", version: PROTOCOL_VERSION, token, device, agent: "bench" });
  await talk.hear((frame) => frame.type === "welcome");
  return talk;
}

export class Talk {
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
