import { describe } from "vitest";

import { loadUws } from "../../src/edge/sockets/server-uws.ts";
import { createWsServer } from "../../src/edge/sockets/server-ws.ts";
import { httpBridgeContract } from "./http-bridge.contract.ts";
import { socketOrderContract } from "./socket-order.contract.ts";
import { socketServerContract } from "./socket-server.contract.ts";

const ADAPTERS = [
  ["uWebSockets.js", loadUws()],
  ["ws", createWsServer],
] as const;

describe.each(ADAPTERS)("socket server on %s", (_name, create) => {
  socketServerContract(create);
  socketOrderContract(create);
  httpBridgeContract(create);
});
