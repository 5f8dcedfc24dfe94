/**
 * HTTP over uWebSockets.js. Its request lives only inside the callback and its
 * response must not be touched once aborted or ended, so everything is copied
 * out at once and `Pending` says whether the response may still be used.
 */
import { STATUS_CODES } from "node:http";

import {
  BodyReader,
  answerHttp,
  errorAnswer,
  mayCarryBody,
  type HttpAnswer,
  type RawRequest,
} from "./http-bridge.ts";
import type { Report } from "./socket-guard.ts";
import type { SocketHandlers } from "./socket-port.ts";
import { plainAddress } from "./upgrade.ts";

/** The part of uWebSockets.js's HttpResponse that is used here. */
export interface UwsResponse {
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string): unknown;
  end(body: Uint8Array | string, closeConnection: boolean): unknown;
  endWithoutBody(): unknown;
  onAborted(handler: () => void): unknown;
  onData(handler: (chunk: ArrayBuffer, last: boolean) => void): unknown;
  cork(write: () => void): unknown;
  close(): unknown;
  getRemoteAddressAsText(): ArrayBuffer;
}
/** The part of uWebSockets.js's HttpRequest that is used here. */
export interface UwsRequest {
  getCaseSensitiveMethod(): string;
  getUrl(): string;
  /** Undefined without a `?`, whatever the package's types say. */
  getQuery(): string | undefined;
  forEach(each: (name: string, value: string) => void): void;
}

interface Pending {
  readonly method: string;
  readonly response: UwsResponse;
  readonly controller: AbortController;
}

export class UwsHttpBridge {
  readonly #handlers: SocketHandlers;
  readonly #report: Report;
  readonly #bodyBytesMax: number;
  readonly #pending = new Set<Pending>();
  #closing = false;

  constructor(handlers: SocketHandlers, report: Report, bodyBytesMax: number) {
    this.#handlers = handlers;
    this.#report = report;
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Never throws. */
  handle(response: UwsResponse, request: UwsRequest): void {
    const controller = new AbortController();
    const pending: Pending = { method: request.getCaseSensitiveMethod(), response, controller };
    this.#pending.add(pending);
    // First of all: uWebSockets.js ends the process if a handler returns without it.
    response.onAborted(() => {
      this.#pending.delete(pending);
      controller.abort();
    });
    try {
      const raw = copyHead(request);
      if (mayCarryBody(raw.method)) this.#readBody(pending, raw);
      else this.#answer(pending, raw, null);
    } catch (error) {
      this.#report(error);
      this.#write(pending, errorAnswer("internal", pending.method), true);
    }
  }

  /** From here on every answer ends its connection. */
  endKeepAlive(): void {
    this.#closing = true;
  }

  /** Drops the requests that still wait for an answer. */
  abort(): void {
    // `close` calls onAborted, which takes the request out of the set.
    for (const { response } of this.#pending) response.close();
  }

  #readBody(pending: Pending, raw: RawRequest): void {
    const body = new BodyReader(this.#bodyBytesMax);
    pending.response.onData((chunk, last) => {
      if (!this.#pending.has(pending)) return;
      // The chunk is taken back when this returns.
      const goOn = body.add(new Uint8Array(chunk.slice(0)));
      if (!goOn) this.#write(pending, errorAnswer("tooLarge", raw.method), true);
      else if (last) this.#answer(pending, raw, body);
    });
  }

  #answer(pending: Pending, raw: RawRequest, reader: BodyReader | null): void {
    const body = reader === null ? null : reader.whole();
    if (reader !== null && body === null) {
      this.#write(pending, errorAnswer("tooLarge", raw.method), this.#closing);
      return;
    }
    const exchange = {
      handlers: this.#handlers,
      report: this.#report,
      remoteAddress: remoteAddressOf(pending.response),
      signal: pending.controller.signal,
    };
    answerHttp(raw, body, exchange)
      .then((answer) => this.#write(pending, answer, this.#closing))
      .catch(this.#report);
  }

  #write(pending: Pending, answer: HttpAnswer, closeConnection: boolean): void {
    if (!this.#pending.delete(pending)) return;
    const { response } = pending;
    response.cork(() => {
      response.writeStatus(statusLine(answer.status));
      for (const [name, value] of answer.headers) response.writeHeader(name, value);
      if (answer.body !== null) response.end(answer.body, closeConnection);
      else endWithoutBody(response, answer.contentLength, closeConnection);
    });
  }
}

/**
 * Length and closing as headers, not as arguments: given a length, version 20.30
 * waits for that many bytes and never ends the response.
 */
function endWithoutBody(
  response: UwsResponse,
  contentLength: number | null,
  closeConnection: boolean,
): void {
  if (contentLength !== null) response.writeHeader("content-length", `${contentLength}`);
  if (closeConnection) response.writeHeader("connection", "close");
  response.endWithoutBody();
}

export function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ""}`;
}

export function remoteAddressOf(response: UwsResponse): string {
  return plainAddress(Buffer.from(response.getRemoteAddressAsText()).toString());
}

function copyHead(request: UwsRequest): RawRequest {
  const headers: [string, string][] = [];
  request.forEach((name, value) => void headers.push([name, value]));
  const query = request.getQuery() ?? "";
  const target = query === "" ? request.getUrl() : `${request.getUrl()}?${query}`;
  return { method: request.getCaseSensitiveMethod(), target, headers };
}
