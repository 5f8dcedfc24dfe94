/**
 * `/metrics` on a port of its own, so that it is reached by whoever operates the
 * engine and by nobody who chats. On loopback unless told otherwise.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export interface MetricsServerOptions {
  readonly metrics: Metrics;
  readonly host: string;
  /** 0 asks for a free one. */
  readonly port: number;
  readonly log: Log;
}
export interface MetricsServer {
  /** `host:port`, as a scraper's target. */
  readonly target: string;
  close(): Promise<void>;
}

const PATH = "/metrics";
/** A scraper keeps one connection; more than a few are a mistake of somebody. */
const CONNECTIONS_MAX = 32;
const REQUEST_MS_MAX = 10_000;

/**
 * A port that is taken is no reason not to serve people: a free one is used
 * instead, and said. Rejects when the host cannot be listened on.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { metrics, host, port, log } = options;
  const server = createServer({ requestTimeout: REQUEST_MS_MAX }, (request, response) => {
    const answered = answer(metrics, request.method ?? "", request.url ?? "", response);
    answered.catch((error: unknown) => {
      log.warn({ err: error }, "a scrape failed");
      response.destroy();
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  let bound = await listen(server, host, port);
  if (bound === null) {
    bound = await listen(server, host, 0);
    log.warn({ taken: port, instead: bound }, "the port for metrics is taken");
  }
  const target = `${host.includes(":") ? `[${host}]` : host}:${bound}`;
  log.info({ target }, "metrics can be scraped");
  return {
    target,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The port bound, or null when it is taken. */
function listen(server: Server, host: string, port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === "EADDRINUSE") resolve(null);
      else reject(new Error(`metrics cannot listen on ${host}:${port}: ${error.message}`));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function answer(
  metrics: Metrics,
  method: string,
  url: string,
  response: ServerResponse,
): Promise<void> {
  const [path, query] = url.split("?", 2);
  if (path !== PATH) return refuse(response, 404, `there is nothing here, metrics are at ${PATH}`);
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return refuse(response, 405, `${PATH} is read with GET`);
  }
  if (query) return refuse(response, 400, `${PATH} takes no parameters: it always answers all`);
  const text = await metrics.scrape();
  response.writeHead(200, { "content-type": metrics.contentType });
  response.end(method === "HEAD" ? undefined : text);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${message}\n`);
}
