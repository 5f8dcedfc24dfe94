/** Rooms and users to try things out with, made through the same SDK that applications use. */
import { WebSocket } from "ws";

import { ChatClient } from "../client/client.ts";
import { ClientError } from "../client/client-error.ts";
import type { SocketConstructor } from "../client/socket.ts";
import { signToken } from "./token.ts";

const FOUNDER = "ann";
const GUESTS = ["bob", "cem"] as const;
const ROOMS = [
  { room: "general", kind: "public", name: "General" },
  { room: "random", kind: "public", name: "Random" },
] as const;

const TOKEN_LIFE_SECONDS = 300;
/** Past it something is wrong with the engine, and a demo must not hold it up. */
const SEED_MS_MAX = 20_000;

export interface DemoOptions {
  readonly address: string;
  readonly secret: string;
  readonly audience: string;
}

/**
 * Makes the demo rooms that are not there and lets all demo users join them.
 * Rooms that are there are left alone: whoever left one stays out of it.
 * Returns the rooms it made.
 */
export async function seedDemo(options: DemoOptions): Promise<readonly string[]> {
  const clients: ChatClient[] = [];
  const clientOf = async (user: string): Promise<ChatClient> => {
    const { secret, audience, address } = options;
    const token = await signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SECONDS });
    const client = new ChatClient({
      urls: address,
      token,
      agent: "demo",
      WebSocket: WebSocket as unknown as SocketConstructor,
    });
    clients.push(client);
    return client;
  };
  // Closing the clients fails whatever they still wait for.
  const deadline = setTimeout(() => closeAll(clients), SEED_MS_MAX);
  try {
    return await seed(clientOf);
  } finally {
    clearTimeout(deadline);
    closeAll(clients);
  }
}

async function seed(clientOf: (user: string) => Promise<ChatClient>): Promise<readonly string[]> {
  const founder = await clientOf(FOUNDER);
  const there = new Set<string>((await founder.rooms()).map((listed) => listed.room));
  const missing = ROOMS.filter(({ room }) => !there.has(room));
  if (missing.length === 0) return [];
  await founder.connect();
  const made: string[] = [];
  for (const room of missing) if (await create(founder, room)) made.push(room.room);
  for (const user of made.length === 0 ? [] : GUESTS) {
    const guest = await clientOf(user);
    await guest.connect();
    for (const room of made) await guest.room(room).join();
  }
  return made;
}

/** False when the room is somebody's already. */
async function create(client: ChatClient, room: (typeof ROOMS)[number]): Promise<boolean> {
  try {
    await client.createRoom(room);
    return true;
  } catch (error) {
    const taken = error instanceof ClientError && /^(roomExists|forbidden)$/.test(error.code);
    if (taken) return false;
    throw error;
  }
}

function closeAll(clients: readonly ChatClient[]): void {
  for (const client of clients) client.close();
}
