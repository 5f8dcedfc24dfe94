/** How a replay reaches the engine: its edges, its tokens, its sockets. */
import { ChatClient } from "../../client/client.ts";
import { memoryDevice, type DeviceStore } from "../../client/device.ts";
import { signToken } from "../token.ts";
import { countedSocket, type Tally } from "./tally.ts";

/** The longest log at its own pace takes a day. */
const TOKEN_LIFE_SECONDS = 7 * 86_400;

export interface EngineAccess {
  /** `http://host:port` of every edge. */
  readonly addresses: readonly string[];
  readonly secret: string;
  readonly audience: string;
  readonly tally: Tally;
  /** 0 to 1. */
  readonly random: () => number;
}

export interface ClientRequest {
  readonly user: string;
  /** Which of the edges comes first; the others follow in turn. */
  readonly edge: number;
  /** Default: a device of its own. */
  readonly device?: DeviceStore;
}

/** A client that keeps no entries: a replay has thousands of them. */
export function openClient(access: EngineAccess, request: ClientRequest): ChatClient {
  const { addresses, secret, audience, tally, random } = access;
  const { user, edge, device = memoryDevice() } = request;
  const at = edge % addresses.length;
  let token: Promise<string> | null = null;
  return new ChatClient({
    urls: [...addresses.slice(at), ...addresses.slice(0, at)],
    token: () => (token ??= signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SECONDS })),
    device,
    agent: "replay",
    WebSocket: countedSocket(tally),
    random,
    entriesKept: 0,
  });
}
