/**
 * One node of a chat on Socket.IO, as its documentation has it: the Redis
 * streams adapter, which passes every broadcast on through one stream that all
 * nodes read. Beside it what a chat has to add itself: the last messages of each
 * room, in a stream of about a thousand. Both writes leave together, and nobody
 * waits for the history: quicker, and what was shown may not have been kept.
 *
 * Argument: the unix socket of Redis. WebSockets only; no acknowledgements, no
 * connection state recovery, no check of who may write where.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

interface Said {
  readonly room: string;
  readonly text: string;
}
interface Shown extends Said {
  readonly by: string;
  readonly at: number;
}
type Incoming = {
  join: (room: string, done: () => void) => void;
  send: (said: Said) => void;
};
type Outgoing = { message: (shown: Shown) => void };

const HISTORY_MESSAGES = 1_000;

// The adapter takes XREAD's reply as pairs, which is how RESP2 gives it.
const redis = new Redis({ path: process.argv[2] as string, protocol: 2 });
const http = createServer();
const io = new Server<Incoming, Outgoing>(http, {
  transports: ["websocket"],
  adapter: createAdapter(redis),
});

io.on("connection", (socket) => {
  socket.on("join", (room, done) => {
    void Promise.resolve(socket.join(room)).then(done);
  });
  socket.on("send", ({ room, text }) => {
    const shown = { room, text, by: socket.id, at: Date.now() };
    const key = `history:${room}`;
    void redis.xadd(key, "MAXLEN", "~", HISTORY_MESSAGES, "*", "message", JSON.stringify(shown));
    io.to(room).emit("message", shown);
  });
});

http.listen(0, "127.0.0.1", () => {
  process.send?.({ address: `ws://127.0.0.1:${(http.address() as AddressInfo).port}` });
});
process.once("disconnect", () => process.exit(0));
