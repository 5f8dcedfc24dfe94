/** HTTP over node:http. */
import type { IncomingMessage, ServerResponse } from "node:http";

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

export interface NodeHttpBridge {
  readonly handlers: SocketHandlers;
  readonly report: Report;
  readonly bodyBytesMax: number;
  /** Whether connections may stay open for another request. */
  keepsAlive(): boolean;
}

/** Never rejects. */
export async function handleNodeRequest(
  request: IncomingMessage,
  response: ServerResponse,
  bridge: NodeHttpBridge,
): Promise<void> {
  const controller = new AbortController();
  response.on("close", () => controller.abort());
  response.on("error", () => controller.abort());
  try {
    const raw = copyHead(request);
    const body = mayCarryBody(raw.method) ? await readBody(request, bridge.bodyBytesMax) : null;
    if (body === "gone") return;
    if (body === "tooLarge" || body === "endless") {
      write(response, errorAnswer("tooLarge", raw.method), body === "endless" || closes(bridge));
      return;
    }
    const { handlers, report } = bridge;
    const remoteAddress = plainAddress(request.socket.remoteAddress ?? "");
    const exchange = { handlers, report, remoteAddress, signal: controller.signal };
    write(response, await answerHttp(raw, body, exchange), closes(bridge));
  } catch (error) {
    bridge.report(error);
    response.destroy();
  }
}

function closes(bridge: NodeHttpBridge): boolean {
  return !bridge.keepsAlive();
}

/** "gone": the peer left. "endless": too large, and not even worth reading to its end. */
async function readBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<Uint8Array | "tooLarge" | "endless" | "gone"> {
  const body = new BodyReader(bytesMax);
  return new Promise((resolve) => {
    request.on("data", (chunk: Buffer) => {
      if (body.add(chunk)) return;
      request.pause();
      resolve("endless");
    });
    request.on("end", () => resolve(body.whole() ?? "tooLarge"));
    request.on("error", () => resolve("gone"));
    request.on("close", () => resolve("gone"));
  });
}

function write(response: ServerResponse, answer: HttpAnswer, closeConnection: boolean): void {
  if (response.destroyed) return;
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) response.appendHeader(name, value);
  if (answer.contentLength !== null) response.setHeader("content-length", answer.contentLength);
  if (closeConnection) response.setHeader("connection", "close");
  response.end(answer.body ?? undefined);
}

function copyHead(request: IncomingMessage): RawRequest {
  const headers: [string, string][] = [];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    headers.push([
      String(request.rawHeaders[at]).toLowerCase(),
      String(request.rawHeaders[at + 1]),
    ]);
  }
  return { method: request.method ?? "", target: request.url ?? "", headers };
}
