/** One socket of a made-up user, spoken with by questions and answers: for what is not measured. */
import type { WebSocket } from "ws";

import { signToken } from "../../src/cli/token.ts";
import { decodeServerFrame, encodeClientFrame } from "../../src/protocol/codec.ts";
import type {
  ClientFrame,
  ClientFrameOf,
  ServerFrame,
  ServerFrameOf,
} from "../../src/protocol/frames.ts";
import type { CommandNumber, DeviceId, RoomId } from "../../src/protocol/ids.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../../src/protocol/version.ts";
import { open } from "./opening.ts";
import type { EngineTarget } from "./plan.ts";

const TOKEN_LIFE_SEC = 3_600;

export async function greet(target: EngineTarget, user: string, address: string): Promise<Talk> {
  return introduce(address, await helloOf(target, user));
}

export async function helloOf(
  { secret, audience }: EngineTarget,
  user: string,
): Promise<ClientFrameOf<"hello">> {
  const token = await signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SEC });
  const device = "bench" as DeviceId;
  return { type: "hello", version: PROTOCOL_VERSION, token, device, agent: "bench" };
}

/** Resolves when the engine has said welcome. */
export async function introduce(address: string, hello: ClientFrameOf<"hello">): Promise<Talk> {
  const talk = new Talk(await open(socketUrl(address), [SUBPROTOCOL.binary]));
  const welcome = talk.hear((frame) => frame.type === "welcome");
  talk.say(hello);
  await welcome;
  return talk;
}

export function socketUrl(address: string): string {
  return `${address.replace(/^http/, "ws")}/v1/socket`;
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

  /** The newest page of each room, which is followed from there on. */
  async follow(rooms: readonly RoomId[]): Promise<ServerFrameOf<"resumed">[]> {
    const answers = rooms.map((room) =>
      this.hear((frame) => frame.type === "resumed" && frame.room === room),
    );
    this.say({ type: "resume", rooms: rooms.map((room) => ({ room, cursor: null, limit: 1 })) });
    const pages = (await Promise.all(answers)) as ServerFrameOf<"resumed">[];
    if (pages.some(({ status, more }) => status === "refused" || more)) {
      throw new Error("resume failed");
    }
    return pages;
  }

  release(): WebSocket {
    this.#socket.off("message", this.#onMessage).off("close", this.#onClose);
    return this.#socket;
  }
}
