/** Commands as an edge would log them, in few words. */
import type { CommandNumber, DeviceId, RoomId, UserId } from "../../src/protocol/ids.ts";
import type { Command, LoggedCommand } from "../../src/streams/command-log.ts";

type Body = Command extends infer Each
  ? Each extends unknown
    ? Omit<Each, "k" | "room">
    : never
  : never;

/** One device of one user, which counts its commands. */
export class Hand {
  readonly user: UserId;
  readonly #device: DeviceId;
  readonly #session: number;
  #k = 0;

  constructor(user: string, device = `${user}-phone`, session = 1) {
    this.user = user as UserId;
    this.#device = device as DeviceId;
    this.#session = session;
  }

  /** The next command of this device. */
  does(body: Body, room = "lounge"): LoggedCommand {
    const head = { k: ++this.#k as CommandNumber, room: room as RoomId };
    const command = { ...body, ...head } as Command;
    return { session: this.#session, user: this.user, device: this.#device, command };
  }

  creates(room = "lounge"): LoggedCommand {
    return this.does({ type: "create", kind: "public", name: room, members: [this.user] }, room);
  }

  says(text: string, room = "lounge"): LoggedCommand {
    return this.does({ type: "send", text }, room);
  }
}
