/** HTTP beside the sockets: what every adapter makes of `Request` and `Response`. */
import { Hono } from "hono";
import { expect, it } from "vitest";

import type { CreateSocketServer, SocketHandlers } from "../../src/edge/sockets/socket-port.ts";
import { ERRORS, type ErrorCode } from "../../src/protocol/errors.ts";
import { OPTIONS, quiet, raw, rigs, until, type Start } from "./socket-server.harness.ts";

type Http = SocketHandlers["http"];

export function httpBridgeContract(create: CreateSocketServer): void {
  const start = rigs(create);
  requests(start);
  responses(start);
  bodies(start);
  failures(start);
  connections(start);
}

/** A handler that answers with what it was asked. */
const mirror: Http = async (request, remoteAddress) => {
  const headers = Object.fromEntries(request.headers);
  const { method, url } = request;
  return Response.json({ method, url, headers, remoteAddress, body: await request.text() });
};

function requests(start: Start): void {
  it("[OP22] method, URL, headers, body and address reach the handler", async () => {
    const rig = await start({ http: mirror });
    const response = await rig.fetch("/rooms/a%2Fb?limit=2&x=%20y", {
      method: "PUT",
      headers: { cookie: "a=1; b=2", "x-thing": "ž".normalize("NFD").slice(0, 1) },
      body: "žluť",
    });
    expect(await response.json()).toMatchObject({
      method: "PUT",
      url: `http://${rig.address}/rooms/a%2Fb?limit=2&x=%20y`,
      headers: { cookie: "a=1; b=2", "x-thing": "z", host: rig.address },
      remoteAddress: "127.0.0.1",
      body: "žluť",
    });
  });

  it("[OP22] the Host header names the host, and hop-by-hop headers stop here", async () => {
    const rig = await start({
      http: async (request, address) => {
        const seen = await mirror(request, address);
        return new Response(seen.body, {
          headers: { connection: "x", "keep-alive": "y", kept: "z" },
        });
      },
    });
    const answer = await raw(
      rig.port,
      "GET /a HTTP/1.1\r\nHost: chat.example:8080\r\nTE: trailers\r\nConnection: close\r\nX-Kept: 1\r\n\r\n",
    );
    expect(answer).toContain('"url":"http://chat.example:8080/a"');
    expect(answer).toContain('"x-kept":"1"');
    expect(answer).not.toContain('"te"');
    expect(answer).not.toContain('"connection"');
    expect(answer.toLowerCase()).toContain("kept: z");
    expect(answer.toLowerCase()).not.toMatch(/connection: x|keep-alive: y/);
  });

  it.each([
    ["GET /a HTTP/1.1\r\nHost: evil/path?\r\n"],
    ["GET /a HTTP/1.1\r\nHost: a:99999\r\n"],
    ["TRACE /a HTTP/1.1\r\nHost: a\r\n"],
  ])("[OP22] %j is answered 400 and reaches no handler", async (head) => {
    let asked = 0;
    const rig = await start({
      http: () => {
        asked += 1;
        return Promise.resolve(new Response());
      },
    });
    expect(await raw(rig.port, `${head}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 400 /);
    expect(asked).toBe(0);
    expect(rig.failures).toEqual([]);
  });

  it("[OP22] a Hono app runs behind it", async () => {
    const app = new Hono();
    app.get("/rooms/:room", (c) =>
      c.json({ room: c.req.param("room"), limit: c.req.query("limit") }),
    );
    app.post("/rooms", async (c) => c.json(await c.req.json(), 201));
    const rig = await start({ http: async (request) => app.fetch(request) });
    const got = await rig.fetch("/rooms/general?limit=5");
    expect(await got.json()).toEqual({ room: "general", limit: "5" });
    const head = await rig.fetch("/rooms/general", { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([200, "application/json"]);
    const posted = await rig.fetch("/rooms", { method: "POST", body: '{"name":"x"}' });
    expect([posted.status, await posted.json()]).toEqual([201, { name: "x" }]);
    expect((await rig.fetch("/nothing")).status).toBe(404);
  });
}

function responses(start: Start): void {
  it("[OP22] status, body and every set-cookie reach the client", async () => {
    const body = new Uint8Array(1_000_000).map((_byte, at) => at % 251);
    const headers = new Headers({ "content-type": "application/x-page" });
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2");
    const rig = await start({
      http: () => Promise.resolve(new Response(body, { status: 418, headers })),
    });
    const response = await rig.fetch("/");
    expect(response.status).toBe(418);
    expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2"]);
    expect(response.headers.get("content-length")).toBe("1000000");
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  });

  it("[OP22] a streamed body arrives whole", async () => {
    const rig = await start({
      http: () => {
        const parts = ["one ", "two ", "three"];
        const stream = new ReadableStream<Uint8Array>({
          pull(controller) {
            const part = parts.shift();
            if (part === undefined) controller.close();
            else controller.enqueue(new TextEncoder().encode(part));
          },
        });
        return Promise.resolve(new Response(stream));
      },
    });
    expect(await (await rig.fetch("/")).text()).toBe("one two three");
  });

  it("[OP22] HEAD, 204 and 304 carry no body and leave the connection usable", async () => {
    const rig = await start({
      http: (request) => {
        const status = Number(new URL(request.url).pathname.slice(1));
        const headers = { "content-length": "5", etag: "x" };
        return Promise.resolve(new Response(status === 200 ? "12345" : null, { status, headers }));
      },
    });
    const ask = (line: string): string => `${line} HTTP/1.1\r\nHost: a\r\n`;
    const answer = await raw(rig.port, [
      `${ask("HEAD /200")}\r\n`,
      `${ask("GET /204")}\r\n`,
      `${ask("GET /304")}\r\n`,
      `${ask("GET /200")}Connection: close\r\n\r\n`,
    ]);
    const parts = answer.split(/(?=HTTP\/1.1 )/);
    expect(parts.map((part) => [part.slice(9, 12), part.split("\r\n\r\n")[1]])).toEqual([
      ["200", ""],
      ["204", ""],
      ["304", ""],
      ["200", "12345"],
    ]);
    expect(parts[0]?.toLowerCase()).toContain("content-length: 5");
  });
}

function bodies(start: Start): void {
  const MAX = OPTIONS.httpBodyBytesMax;

  it("[OP23] a body at the cap passes, one past it gets 413, and the connection goes on", async () => {
    const rig = await start({ http: mirror });
    const post = (bytes: number): Promise<Response> =>
      rig.fetch("/", { method: "POST", body: "x".repeat(bytes) });
    expect((await post(MAX)).status).toBe(200);
    const refused = await post(MAX + 1);
    expect([refused.status, await refused.json()]).toEqual([413, errorBody("tooLarge")]);
    expect((await post(200_000)).status).toBe(413);
    expect((await post(0)).status).toBe(200);
  });

  it("[OP23] a body that comes in several pieces is put together", async () => {
    const rig = await start({ http: mirror });
    const parts = ["one ", "two ", "three"];
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await quiet();
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(part));
      },
    });
    const init = { method: "POST", body, duplex: "half" };
    const response = await rig.fetch("/", init);
    expect(await response.json()).toMatchObject({ body: "one two three" });
  });

  it("[OP23] the cap holds for chunked bodies, and the end of an endless one is not waited for", async () => {
    const rig = await start({ http: mirror });
    const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(await raw(rig.port, `${head}${chunk.repeat(3_000)}`)).toMatch(/^(HTTP\/1.1 413 |$)/);
    expect(rig.failures).toEqual([]);
    expect((await rig.fetch("/")).status).toBe(200);
  });
}

function failures(start: Start): void {
  const boom = (): never => {
    throw new Error("boom");
  };
  const failing = {
    "throws at once": boom,
    rejects: () => Promise.reject(new Error("boom")),
    "answers with a broken body": () =>
      Promise.resolve(new Response(new ReadableStream({ pull: boom }))),
  } satisfies Record<string, Http>;

  it.each(Object.entries(failing))("[SE24] a handler that %s answers 500", async (_how, http) => {
    const rig = await start({ http });
    const response = await rig.fetch("/", { method: "POST", body: "x" });
    expect([response.status, await response.json()]).toEqual([500, errorBody("internal")]);
    expect(rig.failures).toEqual([new Error("boom")]);
    expect((await rig.fetch("/")).status).toBe(500);
  });

  it("[OP24] a client that leaves aborts the request's signal; the late answer hurts nobody", async () => {
    let signal: AbortSignal | null = null;
    let release: (response: Response) => void = () => undefined;
    const rig = await start({
      http: (request) => {
        if (request.url.endsWith("/quick")) return Promise.resolve(new Response("here"));
        signal = request.signal;
        return new Promise((resolve) => (release = resolve));
      },
    });
    const controller = new AbortController();
    const left = rig.fetch("/", { signal: controller.signal }).catch((error: Error) => error.name);
    await until(() => signal !== null);
    controller.abort();
    expect(await left).toBe("AbortError");
    await until(() => signal?.aborted === true);
    release(new Response("too late"));
    expect(await (await rig.fetch("/quick")).text()).toBe("here");
    expect(rig.failures).toEqual([]);
  });
}

function connections(start: Start): void {
  it("[OP20] after stopListening an answer ends its connection", async () => {
    let release: (response: Response) => void = () => undefined;
    const rig = await start({ http: () => new Promise((resolve) => (release = resolve)) });
    const answer = rig.fetch("/");
    await until(() => release.length === 1);
    rig.server.stopListening();
    release(new Response("last"));
    const response = await answer;
    expect([response.headers.get("connection"), await response.text()]).toEqual(["close", "last"]);
  });

  it("[OP20] close drops requests that wait for their answer", async () => {
    let asked = 0;
    const rig = await start({
      http: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    });
    const outcome = rig.fetch("/").then(
      () => "answered",
      () => "dropped",
    );
    await until(() => asked === 1);
    await rig.server.close();
    expect(await outcome).toBe("dropped");
  });
}

function errorBody(code: ErrorCode): unknown {
  return { error: { code, message: ERRORS[code].message } };
}
