/**
 * One node of the chat that most demos of Redis and WebSockets show: PUBLISH to
 * the room's channel, each node hears all channels and passes on to its own
 * sockets, the last thousand messages of a room are in a list.
 *
 * What is published while a node's subscriber is away is lost to all its
 * sockets, silently: nobody numbers the messages, so nobody can miss one.
 *
 * Argument: the unix socket of Redis.
 */
import type { AddressInfo } from "node:net";

import { Redis } from "ioredis";
import { WebSocketServer, type WebSocket } from "ws";

type Said =
  | { readonly type: "join"; readonly room: string; readonly user: string }
  | { readonly type: "message"; readonly text: string };

const HISTORY_MESSAGES = 1_000;
/** A client that joins is shown so many. */
const SHOWN_MESSAGES = 50;
const CHANNEL = "room:";

const options = { path: process.argv[2] as string };
const [publisher, subscriber] = [new Redis(options), new Redis(options)];
const members = new Map<string, Set<WebSocket>>();

subscriber.on("pmessage", (_pattern, channel, message) => {
  const room = channel.slice(CHANNEL.length);
  for (const socket of members.get(room) ?? []) socket.send(message);
});

function serve(socket: WebSocket): void {
  let member: { readonly room: string; readonly user: string } | null = null;
  socket.on("message", (data: Buffer) => {
    const said = JSON.parse(data.toString("utf8")) as Said;
    if (said.type === "join") {
      member = said;
      void join(socket, said.room);
    } else if (member !== null) {
      const { room, user } = member;
      say(room, JSON.stringify({ type: "message", room, user, text: said.text, at: Date.now() }));
    }
  });
  socket.on("close", () => {
    if (member !== null) members.get(member.room)?.delete(socket);
  });
}

async function join(socket: WebSocket, room: string): Promise<void> {
  const sockets = members.get(room) ?? new Set();
  members.set(room, sockets.add(socket));
  const messages = await publisher.lrange(`history:${room}`, 0, SHOWN_MESSAGES - 1);
  socket.send(`{"type":"history","messages":[${messages.join(",")}]}`);
}

function say(room: string, message: string): void {
  void publisher.publish(CHANNEL + room, message);
  void publisher.lpush(`history:${room}`, message);
  void publisher.ltrim(`history:${room}`, 0, HISTORY_MESSAGES - 1);
}

await subscriber.psubscribe(`${CHANNEL}*`);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", serve);
server.once("listening", () => {
  process.send?.({ address: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.once("disconnect", () => process.exit(0));
