/** The set-up of many sockets: who they are, where they go, and not all of them at once. */
import { once } from "node:events";

import { WebSocket } from "ws";

import type { Plan } from "./plan.ts";

/** Set-up is not what is measured: gentle enough for a server with a cold compiler. */
const AT_ONCE = 32;

/** One of the made-up users. */
export interface Seat {
  readonly index: number;
  readonly room: string;
  /** Place among the members of the room; 0 is the first. */
  readonly place: number;
  /** The members of a room are spread over all servers. */
  readonly address: string;
}

export function roomName(room: number): string {
  return `r${String(room).padStart(6, "0")}`;
}

/** Room by room, as the generator numbers its senders. */
export function seatsOf({ target, rooms, membersPerRoom }: Plan): Seat[] {
  const { addresses } = target;
  return Array.from({ length: rooms * membersPerRoom }, (_, index) => {
    const room = Math.floor(index / membersPerRoom);
    const place = index % membersPerRoom;
    const address = addresses[(place + room) % addresses.length] as string;
    return { index, room: roomName(room), place, address };
  });
}

export async function open(url: string, protocols: string[]): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

/** Says `question` and waits for the answer that starts with `prefix`; for text protocols. */
export function ask(socket: WebSocket, question: string, prefix: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      socket.off("message", onMessage);
      socket.off("close", onClose);
      act();
    };
    const onClose = (code: number): void =>
      settle(() => reject(new Error(`a server closed a socket of the generator with ${code}`)));
    const onMessage = (data: Buffer): void => {
      const text = data.toString("utf8");
      if (text.startsWith(prefix)) settle(() => resolve(text));
    };
    socket.on("message", onMessage);
    socket.on("close", onClose);
    socket.send(question);
  });
}

export function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** In order, some at once. */
export async function inTurns<T, R>(
  items: readonly T[],
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (const some of chunks(items, AT_ONCE)) results.push(...(await Promise.all(some.map(run))));
  return results;
}
