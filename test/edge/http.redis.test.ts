/** HTTP through the real edge, on both transports: history, rooms, tickets, health, origins. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { SUBPROTOCOL } from "../../src/protocol/version.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { engineOfFile, token, type Engine } from "./engine.ts";
import { createRoom, Peer } from "./peer.ts";

const ALLOWED = "https://chat.example";
const start = engineOfFile();
let engine: Engine;
let proxy: FaultProxy;

beforeAll(async () => {
  engine = await start();
  proxy = await FaultProxy.start(engine.redis.socket);
});
afterAll(() => proxy.stop());

interface Page {
  readonly head: number;
  readonly firstKept: number;
  readonly more: boolean;
  readonly entries: readonly { readonly seq: number; readonly event: object }[];
}

describe.each(["uws", "ws"] as const)("on %s", (transport) => {
  let edge: RunningEdge;
  let ann: Peer;
  const room = `room-on-${transport}`;
  beforeAll(async () => {
    edge = await engine.edge({ transport, allowedOrigins: [ALLOWED] });
    ann = await engine.peer(edge, `ann-${transport}`);
    await createRoom(ann, room);
  });
  const ask = (path: string): Promise<Response> => engine.http(edge, `ann-${transport}`, path);
  const page = async (query: string): Promise<Page> => {
    const response = await ask(`/v1/rooms/${room}/messages?${query}`);
    expect(response.status).toBe(200);
    return (await response.json()) as Page;
  };

  it("[HI22] a walk through the pages during traffic sees every seq once, either way", async () => {
    for (let i = 0; i < 60; i++) await ann.say(room, `before ${i}`);
    const silence = new AbortController();
    const talk = (async () => {
      while (!silence.signal.aborted) await ann.say(room, "meanwhile");
    })();
    const down: number[] = [];
    let at = await page("limit=7");
    const head = at.head;
    for (;;) {
      down.unshift(...at.entries.map(({ seq }) => seq));
      if (!at.more) break;
      at = await page(`limit=7&before=${down[0]}`);
    }
    const up: number[] = [];
    do {
      at = await page(`limit=9&after=${up.at(-1) ?? 0}`);
      up.push(...at.entries.map(({ seq }) => seq));
    } while (at.more && up.length < head + 1_000);
    silence.abort();
    await talk;
    expect(down).toEqual(Array.from({ length: head }, (_, i) => i + 1));
    expect(up).toEqual(up.map((_, i) => i + 1));
    expect(up.length).toBeGreaterThanOrEqual(head);
  });

  it("[HI23] what is asked wrongly is answered with a code, a page holds at most 200", async () => {
    expect((await page("limit=200")).entries.length).toBeGreaterThan(50);
    const wrong = [
      "limit=201",
      "limit=0",
      "limit=-1",
      "limit=1.5",
      "limit=",
      "limit=1e2",
      "limit=9999999999999999",
      "before=0",
      "before=x",
      "after=-1",
      "after=1&before=3",
      "until=3",
      "__proto__=1",
    ];
    for (const query of wrong) {
      const response = await ask(`/v1/rooms/${room}/messages?${query}`);
      const body = (await response.json()) as { error: { code: string } };
      expect([query, response.status, body.error.code]).toEqual([query, 400, "invalid"]);
    }
  });

  it("[AU21] a room and the list of rooms show what a member may know", async () => {
    const details = await (await ask(`/v1/rooms/${room}`)).json();
    expect(details).toMatchObject({ room, kind: "public", name: room, epoch: 1 });
    expect(details).toMatchObject({
      members: [{ user: `ann-${transport}`, role: "owner", since: 1 }],
    });
    await vi.waitFor(async () => {
      const { rooms } = (await (await ask("/v1/rooms")).json()) as { rooms: object[] };
      const counts = { through: expect.any(Number), unread: 0, mentions: 0 };
      expect(rooms).toMatchObject([{ room, name: room, kind: "public", role: "owner", ...counts }]);
    }, PATIENCE_MS);
  });

  it("[AU22] nothing is told without a valid token", async () => {
    const paths = ["/v1/rooms", `/v1/rooms/${room}`, `/v1/rooms/${room}/messages`, "/v1/else"];
    for (const path of paths) {
      for (const authorization of [undefined, "Bearer x", "Basic eDp5", `Bearer ticket:x`]) {
        const init = authorization === undefined ? {} : { headers: { authorization } };
        const response = await fetch(`${edge.address}${path}`, init);
        const body = (await response.json()) as { error: { code: string } };
        expect([response.status, body.error.code]).toEqual([401, "unauthorized"]);
      }
    }
    expect((await ask("/v1/else")).status).toBe(404);
    expect((await fetch(`${edge.address}/`)).status).toBe(404);
  });

  it("[AU25] pages of other origins get no answer to read and no socket", async () => {
    const host = edge.address.replace("http://", "");
    const origins = [
      [undefined, "101"],
      [`http://${host}`, "101"],
      [`https://${host}`, "101"],
      [ALLOWED, "101"],
      ["https://evil.example", "403"],
      [`${ALLOWED}.evil.example`, "403"],
      ["https://chat.example:8443", "403"],
      ["http://chat.example", "403"],
      [`http://${host}.evil.example`, "403"],
      ["null", "403"],
    ] as const;
    for (const [origin, expected] of origins) {
      const peer = new Peer({ address: edge.address, ...(origin === undefined ? {} : { origin }) });
      expect([origin, await peer.handshake()]).toEqual([origin, expected]);
      peer.terminate();
    }
    const allowed = async (origin: string): Promise<string | null> => {
      const response = await fetch(`${edge.address}/health`, { headers: { origin } });
      return response.headers.get("access-control-allow-origin");
    };
    expect(await allowed(ALLOWED)).toBe(ALLOWED);
    expect(await allowed("https://evil.example")).toBeNull();
  });

  it("[AU25] a socket is only at its path and in a sub-protocol that is known", async () => {
    const { WebSocket } = await import("ws");
    const status = (path: string, protocols: string[]): Promise<number> =>
      new Promise((resolve) => {
        const ws = new WebSocket(`${edge.address.replace("http", "ws")}${path}`, protocols);
        ws.on("unexpected-response", (_request, response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
          ws.terminate();
        });
        ws.on("open", () => {
          resolve(101);
          ws.terminate();
        });
        ws.on("error", () => undefined);
      });
    expect(await status("/v1/socket", [SUBPROTOCOL.json])).toBe(101);
    expect(await status("/v1/socket", ["other", SUBPROTOCOL.binary])).toBe(101);
    expect(await status("/v1/socket", ["millrace.999"])).toBe(400);
    expect(await status("/v1/socket", [])).toBe(400);
    expect(await status("/", [SUBPROTOCOL.binary])).toBe(404);
  });

  it("[AU24] a ticket opens one connection, and knows nothing but its digest in Redis", async () => {
    const response = await fetch(`${edge.address}/v1/tickets`, {
      method: "POST",
      headers: { authorization: `Bearer ${await token("bob")}` },
    });
    const { ticket, expiresInMs } = (await response.json()) as {
      ticket: string;
      expiresInMs: number;
    };
    expect(expiresInMs).toBe(20_000);
    const stored = await engine.admin.keys("chat:ticket:*");
    expect(stored).toHaveLength(1);
    expect(stored[0]).not.toContain(ticket.slice("ticket:".length));
    expect(await engine.admin.pttl(stored[0] as string)).toBeGreaterThan(15_000);
    expect(await engine.admin.pttl(stored[0] as string)).toBeLessThanOrEqual(20_000);

    const first = await engine.open(edge);
    expect((await first.hello(ticket)).user).toBe("bob");
    const second = await engine.open(edge);
    second.hello(ticket).catch(() => undefined);
    expect((await second.closed).code).toBe(4404);
  });

  it("[AU24] a ticket lives no longer than the token it was bought with, nor past its time", async () => {
    const buy = async (life: number): Promise<{ ticket: string; expiresInMs: number }> => {
      const headers = { authorization: `Bearer ${await token("bob", life)}` };
      const response = await fetch(`${edge.address}/v1/tickets`, { method: "POST", headers });
      return (await response.json()) as { ticket: string; expiresInMs: number };
    };
    expect((await buy(2)).expiresInMs).toBeLessThanOrEqual(7_000);
    const { ticket } = await buy(3_600);
    const [stored] = await engine.admin.keys("chat:ticket:*");
    for (const key of await engine.admin.keys("chat:ticket:*")) await engine.admin.pexpire(key, 1);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(stored).toBeDefined();
    const late = await engine.open(edge);
    late.hello(ticket).catch(() => undefined);
    expect((await late.closed).code).toBe(4404);
  });

  it("[OP30] health names the edge, and is 503 while Redis is away", async () => {
    const behind = await engine.edge({ transport, redisUrl: proxy.url });
    const healthy = await fetch(`${behind.address}/health`);
    expect(healthy.status).toBe(200);
    expect(await healthy.json()).toMatchObject({
      ok: true,
      role: "edge",
      edge: behind.incarnation,
      adapter: transport,
      ack: "memory",
      tailer: "direct",
      connections: 0,
      rooms: 0,
    });
    proxy.refuse();
    const sick = await fetch(`${behind.address}/health`);
    expect([sick.status, await sick.json()]).toMatchObject([503, { ok: false }]);
    const answer = await engine.http(behind, "ann", "/v1/rooms");
    const { error } = (await answer.json()) as { error: { code: string } };
    expect([answer.status, error.code]).toEqual([503, "unavailable"]);
    proxy.heal();
    const again = async (): Promise<number> => (await fetch(`${behind.address}/health`)).status;
    while ((await again()) !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
  });
});
