/**
 * The floor: what WebSockets and fan-out alone cost on this machine. One bare
 * uWebSockets.js process; a message goes to everybody in the sender's room as
 * it came. No identity, no history, no order across servers, nothing kept.
 */
import { createRequire } from "node:module";
import type * as UwsPackage from "uWebSockets.js";

interface PerSocket {
  readonly room: string;
}

const uws = createRequire(import.meta.url)("uWebSockets.js") as typeof UwsPackage;
const MESSAGE_BYTES_MAX = 65_536;
const BACKPRESSURE_BYTES_MAX = 16_777_216;

// Where its binary does not load, the package falls back to an imitation in JavaScript.
if (uws.SSLApp === undefined) throw new Error("uWebSockets.js has no binary for this platform");

const app = uws.App();
app.ws<PerSocket>("/*", {
  maxPayloadLength: MESSAGE_BYTES_MAX,
  maxBackpressure: BACKPRESSURE_BYTES_MAX,
  compression: uws.DISABLED,
  upgrade(response, request, context) {
    response.upgrade(
      { room: request.getUrl() },
      request.getHeader("sec-websocket-key"),
      "",
      "",
      context,
    );
  },
  open: (ws) => void ws.subscribe(ws.getUserData().room),
  message: (ws, message, isBinary) => void app.publish(ws.getUserData().room, message, isBinary),
});
app.listen("127.0.0.1", 0, (bound) => {
  if (!bound) throw new Error("the floor cannot listen");
  process.send?.({ address: `ws://127.0.0.1:${uws.us_socket_local_port(bound as never)}` });
});
process.once("disconnect", () => process.exit(0));
