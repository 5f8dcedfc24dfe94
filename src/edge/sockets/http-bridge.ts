/**
 * From a transport's HTTP request to the web-standard `Request`, and from the
 * `Response` to something a transport can write. Bodies are whole on both sides:
 * requests are capped, and responses are small (a page of history is the largest).
 */
import { ERRORS, type ErrorCode } from "../../protocol/errors.ts";
import type { Report } from "./socket-guard.ts";
import type { SocketHandlers } from "./socket-port.ts";

/** The request's head, copied out of the transport. */
export interface RawRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Null where none may be sent: HEAD, 204, 304. */
  readonly body: Uint8Array | null;
  /** What a HEAD request is told; null leaves the header out. */
  readonly contentLength: number | null;
}

/** What one request is answered with and by whom. */
export interface Exchange {
  readonly handlers: SocketHandlers;
  readonly report: Report;
  readonly remoteAddress: string;
  /** Aborted when the peer leaves before the answer. */
  readonly signal: AbortSignal;
}

/** They concern one connection, not the message (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const BODYLESS_STATUSES = new Set([204, 205, 304]);
/** Name or address with a port: nothing that could move the path inside the URL. */
const HOST = /^[\w.:[\]-]+$/;

/** Never rejects: what cannot be read is answered 400, what fails 500. */
export async function answerHttp(
  raw: RawRequest,
  body: Uint8Array | null,
  exchange: Exchange,
): Promise<HttpAnswer> {
  const request = toRequest(raw, body, exchange.signal);
  if (request === null) return errorAnswer("invalid", raw.method);
  try {
    const response = await exchange.handlers.http(request, exchange.remoteAddress);
    return await toAnswer(response, raw.method);
  } catch (error) {
    // A handler that gives up because the peer has left is no failure.
    if (!exchange.signal.aborted) exchange.report(error);
    return errorAnswer("internal", raw.method);
  }
}

export function errorAnswer(code: ErrorCode, method: string): HttpAnswer {
  const { http, message } = ERRORS[code];
  const body = new TextEncoder().encode(JSON.stringify({ error: { code, message } }));
  return {
    status: http,
    headers: [["content-type", "application/json"]],
    body: method === "HEAD" ? null : body,
    contentLength: body.length,
  };
}

function toRequest(raw: RawRequest, body: Uint8Array | null, signal: AbortSignal): Request | null {
  const host = raw.headers.find(([name]) => name === "host")?.[1] ?? "localhost";
  if (!raw.target.startsWith("/") || !HOST.test(host)) return null;
  try {
    const headers = new Headers();
    for (const [name, value] of raw.headers) if (!HOP_BY_HOP.has(name)) headers.append(name, value);
    const init: RequestInit = { method: raw.method, headers, signal };
    if (body !== null && mayCarryBody(raw.method)) init.body = body as Uint8Array<ArrayBuffer>;
    return new Request(`http://${host}${raw.target}`, init);
  } catch {
    // The web types refuse what HTTP lets through: odd methods, ports, header bytes.
    return null;
  }
}

async function toAnswer(response: Response, method: string): Promise<HttpAnswer> {
  if (response.status < 200) throw new Error(`status ${response.status} is no final answer`);
  const headers = [...response.headers].filter(
    ([name]) => name !== "content-length" && !HOP_BY_HOP.has(name),
  );
  const { status } = response;
  if (method === "HEAD") {
    await response.body?.cancel();
    const length = response.headers.get("content-length");
    return { status, headers, body: null, contentLength: length === null ? null : Number(length) };
  }
  if (BODYLESS_STATUSES.has(status)) return { status, headers, body: null, contentLength: null };
  const body = new Uint8Array(await response.arrayBuffer());
  return { status, headers, body, contentLength: body.length };
}

export function mayCarryBody(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

/**
 * Bytes of a body past its cap that are still read and thrown away, so that the
 * client gets to read its 413 instead of a reset; past them the connection ends.
 */
const DISCARDED_BYTES_MAX = 1024 * 1024;

/** Gathers one request's body under its cap. */
export class BodyReader {
  readonly #bytesMax: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Keeps `chunk` itself, not a copy. False: stop reading, answer 413, end the connection. */
  add(chunk: Uint8Array): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#bytesMax) this.#chunks.push(chunk);
    else this.#chunks = [];
    return this.#bytes <= this.#bytesMax + DISCARDED_BYTES_MAX;
  }

  /** Null when the body was too large. */
  whole(): Uint8Array | null {
    return this.#bytes > this.#bytesMax ? null : Buffer.concat(this.#chunks);
  }
}
