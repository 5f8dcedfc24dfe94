export const SOCKET_PATH = "/v1/socket";

/** One server, as WebSocket and as HTTP. */
export interface Address {
  readonly socketUrl: string;
  readonly httpUrl: string;
}

/**
 * From `http(s)://…` or `ws(s)://…`, with or without the socket's path. Throws
 * TypeError for what is no address.
 */
export function parseAddress(text: string): Address {
  const url = new URL(text);
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  if (!secure && url.protocol !== "http:" && url.protocol !== "ws:") {
    throw new TypeError(`an address starts with http, https, ws or wss: ${text}`);
  }
  let path = url.pathname.replace(/\/+$/, "");
  if (path.endsWith(SOCKET_PATH)) path = path.slice(0, -SOCKET_PATH.length);
  const rest = `//${url.host}${path}`;
  return {
    socketUrl: `${secure ? "wss:" : "ws:"}${rest}${SOCKET_PATH}`,
    httpUrl: `${secure ? "https:" : "http:"}${rest}`,
  };
}
