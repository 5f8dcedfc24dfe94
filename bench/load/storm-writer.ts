/** Writes what the others miss: one socket that owns some rooms, with a window of commands. */
import type { WebSocket } from "ws";

import { decodeServerFrame } from "../../src/protocol/codec.ts";
import type { CommandNumber, RoomId } from "../../src/protocol/ids.ts";
import type { EngineTarget } from "./plan.ts";
import { SendFrame } from "./send-frame.ts";
import { greet } from "./talk.ts";

/** Half of what an edge takes from one connection, so that it never puts one off. */
const IN_FLIGHT_MAX = 32;

export class StormWriter {
  readonly #socket: WebSocket;
  readonly #frames: readonly SendFrame[];
  #k: number;
  /** Messages in each room so far. */
  #written = 0;

  private constructor(socket: WebSocket, frames: readonly SendFrame[], k: number) {
    this.#socket = socket;
    this.#frames = frames;
    this.#k = k;
  }

  /** Creates the rooms. It does not follow them, so every command has an outcome of its own. */
  static async start(
    target: EngineTarget,
    index: number,
    rooms: readonly string[],
  ): Promise<StormWriter> {
    const address = target.addresses[index % target.addresses.length] as string;
    const talk = await greet(target, `writer${index}`, address);
    let lastK = 0;
    for (const name of rooms) {
      const [k, room] = [++lastK as CommandNumber, name as RoomId];
      await talk.command({ type: "create", k, room, kind: "public", name });
    }
    const frames = rooms.map((room) => new SendFrame(room, index));
    return new StormWriter(talk.release(), frames, lastK);
  }

  /** `count` more messages in each room. Resolves when all are in effect. */
  write(count: number): Promise<void> {
    const total = count * this.#frames.length;
    let [sent, applied] = [0, 0];
    const sendNext = (): void => {
      const n = this.#written + Math.floor(sent / this.#frames.length);
      const frame = this.#frames[sent % this.#frames.length] as SendFrame;
      this.#socket.send(frame.stamp(++this.#k, n, 0));
      sent++;
    };
    return new Promise((resolve, reject) => {
      const onMessage = (data: Buffer): void => {
        const { type } = decodeServerFrame(data);
        if (type === "beat" || type === "accepted") return;
        if (type !== "applied") {
          reject(new Error(`a message that was to be missed was ${type}`));
          return;
        }
        applied++;
        if (sent < total) sendNext();
        if (applied < total) return;
        this.#socket.off("message", onMessage);
        this.#written += count;
        resolve();
      };
      this.#socket.on("message", onMessage);
      while (sent < Math.min(total, IN_FLIGHT_MAX)) sendNext();
    });
  }
}
