/** The face of an edge: who may connect, and what becomes of a socket or a request. */
import { LIMITS } from "../protocol/limits.ts";
import { SUBPROTOCOL, type Encoding } from "../protocol/version.ts";
import type { EdgeContext } from "./context.ts";
import type { SessionHub } from "./session-hub.ts";
import { Session } from "./session.ts";
import type {
  CreateSocketServer,
  SocketServer,
  UpgradeRequest,
  UpgradeVerdict,
} from "./sockets/socket-port.ts";

export const SOCKET_PATH = "/v1/socket";
/** The transport's own bound is wider than ours, so that a frame too large gets a code. */
const MESSAGE_BYTES_MAX = 4 * LIMITS.frameBytes;
const HTTP_BODY_BYTES_MAX = 65_536;
const IDLE_TIMEOUT_SEC = 60;

export function createFront(
  create: CreateSocketServer,
  context: EdgeContext,
  hub: SessionHub,
  http: (request: Request) => Promise<Response>,
  allowedOrigins: readonly string[],
): SocketServer {
  let lastSession = 0;
  return create(
    {
      upgrade: (request) => admit(request, allowedOrigins),
      open(socket) {
        context.tally.opened++;
        const session = new Session(++lastSession, context, hub, socket);
        hub.add(session);
        return session;
      },
      async http(request) {
        const response = await http(request);
        context.tally.answered(response.status);
        return response;
      },
      failed(error) {
        context.tally.failures++;
        context.log.error({ err: error }, "a handler failed");
      },
    },
    {
      messageBytesMax: MESSAGE_BYTES_MAX,
      httpBodyBytesMax: HTTP_BODY_BYTES_MAX,
      idleTimeoutSec: IDLE_TIMEOUT_SEC,
    },
  );
}

/** A browser always names the page's origin; programs that are no browsers need not. */
function admit(request: UpgradeRequest, allowedOrigins: readonly string[]): UpgradeVerdict {
  const { path, origin, host, protocols } = request;
  if (path !== SOCKET_PATH) {
    return { accept: false, status: 404, message: `sockets are at ${SOCKET_PATH}` };
  }
  const own = host !== null && (origin === `http://${host}` || origin === `https://${host}`);
  if (origin !== null && !own && !allowedOrigins.includes(origin)) {
    return { accept: false, status: 403, message: "this origin is not allowed" };
  }
  for (const [encoding, protocol] of Object.entries(SUBPROTOCOL)) {
    if (protocols.includes(protocol)) {
      return { accept: true, protocol, encoding: encoding as Encoding };
    }
  }
  const known = Object.values(SUBPROTOCOL).join(" or ");
  return { accept: false, status: 400, message: `ask for the sub-protocol ${known}` };
}
