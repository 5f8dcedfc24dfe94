/** A client and its scripted server, fresh for each test. */
import { afterEach, beforeEach } from "vitest";
import { WebSocket } from "ws";
import { ChatClient, type ClientEvents, type ClientOptions } from "../../src/client/index.ts";
import { entriesFrom, ROOM, ScriptedServer, type Peer } from "./scripted-server.ts";

export let server: ScriptedServer;
const clients: ChatClient[] = [];

beforeEach(async () => {
  server = await ScriptedServer.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

/** A client without jitter, so that retries come at once. */
export function newClient(options: Partial<ClientOptions> = {}): ChatClient {
  const client = new ChatClient({
    urls: server.url,
    token: "token",
    WebSocket,
    random: () => 0,
    ...options,
  });
  clients.push(client);
  return client;
}

export function seqs(client: ChatClient): number[] {
  const shown: number[] = [];
  client.on("entry", ({ entry }) => shown.push(entry.seq));
  return shown;
}

export async function event<E extends keyof ClientEvents>(
  client: ChatClient,
  name: E,
  wanted: (value: ClientEvents[E]) => boolean = () => true,
): Promise<ClientEvents[E]> {
  return new Promise((resolve) => {
    const off = client.on(name, (value) => {
      if (!wanted(value)) return;
      off();
      resolve(value);
    });
  });
}

/** A client that follows the room live up to `seq`. */
export async function following(
  seq: number,
  options: Partial<ClientOptions> = {},
): Promise<{ client: ChatClient; peer: Peer; shown: number[] }> {
  const client = newClient(options);
  const shown = seqs(client);
  void client.connect();
  const peer = await server.welcomed();
  const live = client.room(ROOM).follow();
  await peer.next("resume");
  peer.resumed(entriesFrom(1, seq), { status: "snapshot" });
  await live;
  return { client, peer, shown };
}
