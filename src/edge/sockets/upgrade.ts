/** What both adapters do with an upgrade request before they answer it. */
import { SocketAddress } from "node:net";

import type { Report } from "./socket-guard.ts";
import type { SocketHandlers, UpgradeVerdict } from "./socket-port.ts";

/** The request's head as the transport hands it over; absent headers are "". */
export interface UpgradeHead {
  readonly path: string;
  readonly upgrade: string;
  readonly version: string;
  readonly origin: string;
  readonly host: string;
  readonly protocols: string;
  readonly remoteAddress: string;
}

const WEBSOCKET_VERSION = "13";

/** Never throws: an error of the handler is reported and refuses with 500. */
export function judgeUpgrade(
  head: UpgradeHead,
  handlers: SocketHandlers,
  report: Report,
): UpgradeVerdict {
  if (head.upgrade.toLowerCase() !== "websocket") return refuse(400, "only websocket is spoken");
  if (head.version !== WEBSOCKET_VERSION) {
    return refuse(400, `only version ${WEBSOCKET_VERSION} of websocket is spoken`);
  }
  const { path, origin, host, remoteAddress } = head;
  const protocols = offeredProtocols(head.protocols);
  try {
    return handlers.upgrade({
      path,
      origin: origin === "" ? null : origin,
      host: host === "" ? null : host,
      protocols,
      remoteAddress,
    });
  } catch (error) {
    report(error);
    return refuse(500, "the edge failed");
  }
}

export function refuse(status: number, message: string): UpgradeVerdict {
  return { accept: false, status, message };
}

export function offeredProtocols(header: string): string[] {
  return header
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** One spelling of an address on both transports: IPv6 shortened, IPv4 never wrapped in it. */
export function plainAddress(address: string): string {
  if (!address.includes(":")) return address;
  const short = new SocketAddress({ address, family: "ipv6" }).address;
  return short.startsWith("::ffff:") && short.includes(".") ? short.slice("::ffff:".length) : short;
}
