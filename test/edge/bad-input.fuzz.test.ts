/** Whatever a peer sends: a coded error or a coded close, and nobody else notices. */
import { request } from "node:http";

import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { encodeClientFrame } from "../../src/protocol/codec.ts";
import { CLOSE, ERROR_CODES } from "../../src/protocol/errors.ts";
import type { ClientFrame } from "../../src/protocol/frames.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { pack } from "../../src/protocol/msgpack.ts";
import { PROTOCOL_VERSION } from "../../src/protocol/version.ts";
import { anyClientFrame } from "../protocol/arbitrary.ts";
import { engineOfFile, token, type Engine } from "./engine.ts";
import { createRoom, type Peer } from "./peer.ts";

const SEED = 20_261_124;
const CODED = new Set<number>(Object.values(CLOSE).map(({ code }) => code));
const start = engineOfFile();

describe.each(["uws", "ws"] as const)("on %s", (transport) => {
  let engine: Engine;
  let edge: RunningEdge;
  let canary: Peer;
  let said = 0;

  beforeAll(async () => {
    engine = await start();
    edge = await engine.edge({ transport });
    canary = await engine.peer(edge, "canary");
    await createRoom(canary, "canary");
    await canary.follow("canary");
  });
  /** Whoever behaves is served without a gap. */
  async function canaryLives(): Promise<void> {
    await canary.say("canary", `${++said}`);
    await canary.until("the own message", () =>
      canary.texts("canary").length === said ? true : null,
    );
    expect([canary.violations, canary.code]).toEqual([[], null]);
  }

  /** Sends to a fresh peer, then asks for a sign of life: answered with codes only, or closed with one. */
  async function judge(live: boolean, data: Uint8Array | string): Promise<void> {
    const peer = live ? await engine.peer(edge, "eve") : await engine.open(edge);
    const since = peer.frames.length;
    peer.raw(data);
    if (live) peer.send({ type: "ping" });
    // Before hello everything but a hello ends the connection.
    await peer.until("a beat, or the end", () => {
      if (peer.code !== null) return true;
      return (live && peer.frames.slice(since).some(({ type }) => type === "beat")) || null;
    });
    for (const frame of peer.frames.slice(since)) {
      if ("code" in frame) expect(ERROR_CODES).toContain(frame.code);
    }
    if (peer.code !== null) expect(CODED).toContain(peer.code);
    peer.terminate();
  }

  const noise = fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: 300 }),
    fc.anything({ maxDepth: 4 }).map((value) => {
      try {
        return pack(value ?? null);
      } catch {
        return Uint8Array.of(0xc1);
      }
    }),
    fc.json({ maxDepth: 12 }),
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.object({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
  );
  /** These name what is there; frames by chance, of every kind, name what is not. */
  const valid: readonly ClientFrame[] = [
    { type: "hello", version: PROTOCOL_VERSION, token: "x.y.z", device: "d", agent: "a" },
    { type: "ping" },
    { type: "resume", rooms: [{ room: "canary", cursor: null, limit: 5 }] },
    { type: "unsubscribe", rooms: ["canary"] },
    { type: "send", k: 7, room: "canary", text: "héllo 🙂" },
    { type: "create", k: 8, room: null, kind: "public", name: "name" },
    { type: "direct", k: 9, user: "canary" },
    { type: "rename", k: 10, room: "canary", name: "n" },
    { type: "setReceipts", k: 10, room: "canary", on: false },
  ] as unknown as ClientFrame[];
  const mutated = fc
    .record({
      frame: fc.oneof(fc.constantFrom(...valid), anyClientFrame),
      encoding: fc.constantFrom("binary" as const, "json" as const),
      edits: fc.array(fc.record({ at: fc.nat(400), byte: fc.nat(255), cut: fc.boolean() }), {
        minLength: 1,
        maxLength: 4,
      }),
    })
    .map(({ frame, encoding, edits }) => {
      let bytes = Buffer.from(encodeClientFrame(frame, encoding) as Uint8Array);
      for (const { at, byte, cut } of edits) {
        const place = at % Math.max(1, bytes.length);
        if (cut) bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1)]);
        else bytes[place] = byte;
      }
      return encoding === "json" ? bytes.toString() : new Uint8Array(bytes);
    });

  it("[SE5] noise and broken frames are answered with codes, before hello and after", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(noise, mutated), fc.boolean(), (data, live) => judge(live, data)),
      { seed: SEED, numRuns: 300 },
    );
    await canaryLives();
  });

  it("[SE5] noise over HTTP is answered with a code", async () => {
    const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD");
    const segment = fc.string({ unit: "grapheme-ascii", maxLength: 20 });
    const path = fc.oneof(
      fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.map(encodeURI).join("/")}`),
      segment.map((text) => `/v1/rooms/${encodeURIComponent(text)}/messages?${encodeURI(text)}`),
      fc.constantFrom("/v1/rooms/%00", "/v1/rooms/%ff%fe", "/v1/rooms/%", "/v1/rooms/../..", "//"),
    );
    const body = fc.option(fc.uint8Array({ maxLength: 2_000 }), { nil: null });
    const authorization = `Bearer ${await token("eve")}`;
    const property = fc.asyncProperty(method, path, body, async (verb, where, bytes) => {
      const status = await ask(edge.address, verb, where, authorization, bytes);
      expect([200, 204, 400, 401, 403, 404, 413]).toContain(status);
    });
    await fc.assert(property, { seed: SEED, numRuns: 150 });
    await canaryLives();
  });

  it("[SE1] only a hello is read before the welcome", async () => {
    const hello: ClientFrame = {
      type: "hello",
      version: PROTOCOL_VERSION,
      token: await token("eve"),
      device: "d",
      agent: "",
    } as unknown as ClientFrame;
    const code = async (...frames: (ClientFrame | Uint8Array | string)[]): Promise<number> => {
      const peer = await engine.open(edge);
      for (const frame of frames) {
        if (frame instanceof Uint8Array || typeof frame === "string") peer.raw(frame);
        else peer.send(frame);
      }
      return (await peer.closed).code;
    };
    expect(await code({ type: "ping" })).toBe(4402);
    expect(await code(hello, { type: "ping" })).toBe(4402);
    expect(await code(hello, hello)).toBe(4402);
    expect(await code("[]")).toBe(4402);
    expect(await code("{")).toBe(4400);
    expect(await code(Uint8Array.of(0xc1))).toBe(4400);
    expect(await code({ ...hello, version: PROTOCOL_VERSION + 1 } as ClientFrame)).toBe(4405);
    expect(await code("x".repeat(LIMITS.helloBytes))).toBe(4400);
    expect(await code("x".repeat(LIMITS.helloBytes + 1))).toBe(4401);
  });

  it("[SE6] a second hello is an error, nothing more", async () => {
    const peer = await engine.peer(edge, "eve");
    peer.send({
      type: "hello",
      version: PROTOCOL_VERSION,
      token: "",
      device: peer.device,
      agent: "",
    });
    expect(await peer.next("error")).toMatchObject({ code: "invalid" });
    peer.send({ type: "ping" });
    await peer.next("beat");
  });

  it("[SE7] a frame may be 16 KB and not a byte more", async () => {
    const peer = await engine.peer(edge, "eve");
    peer.raw(`"${"x".repeat(LIMITS.frameBytes - 2)}"`);
    expect(await peer.next("error")).toMatchObject({ code: "invalid" });
    peer.raw(`"${"x".repeat(LIMITS.frameBytes - 1)}"`);
    expect((await peer.closed).code).toBe(4401);
    const bytes = await engine.peer(edge, "eve");
    bytes.raw(new Uint8Array(LIMITS.frameBytes + 1));
    expect((await bytes.closed).code).toBe(4401);
    await canaryLives();
  });

  it("[SE8] a command out of its bounds is rejected under its number", async () => {
    for (const encoding of ["binary", "json"] as const) {
      const peer = await engine.peer(edge, "eve", { encoding });
      const text = "x".repeat(LIMITS.textBytes + 1);
      expect(await peer.run({ type: "send", room: "canary", text }, 5)).toMatchObject({
        type: "rejected",
        code: "invalid",
      });
      expect(await peer.run({ type: "send", room: "no room", text: "" }, 6)).toMatchObject({
        code: "invalid",
      });
    }
    const peer = await engine.peer(edge, "eve", { encoding: "json" });
    // Names that are long in bytes, and torn apart by the cut.
    peer.raw(JSON.stringify({ type: "send", k: 7, ["🙂".repeat(400)]: 1 }));
    const error = await peer.next("error");
    expect(Buffer.byteLength(error.message)).toBeLessThanOrEqual(512);
    expect(await peer.outcome(7 as never)).toMatchObject({ type: "rejected", code: "invalid" });
  });

  it("[SE9] who sends bad frames again and again is closed", async () => {
    const peer = await engine.peer(edge, "eve");
    for (let i = 0; i < 21; i++) peer.raw("[]");
    expect((await peer.closed).code).toBe(4400);
    expect(peer.frames.filter(({ type }) => type === "error")).toHaveLength(20);
  });
});

describe("silence", () => {
  it("[SE1] ends a connection that says no hello in five seconds, and no other", async () => {
    const engine = await start({ projector: false });
    const edge = await engine.edge();
    const welcome = await engine.peer(edge, "ann");
    const opened = performance.now();
    const silent = await engine.open(edge);
    expect((await silent.closed).code).toBe(CLOSE.helloTimeout.code);
    expect(performance.now() - opened).toBeGreaterThan(LIMITS.helloMs - 100);
    expect(welcome.code).toBeNull();
  });
});

/** The status; paths go out as they are, which fetch would not allow. */
function ask(
  address: string,
  method: string,
  path: string,
  authorization: string,
  body: Uint8Array | null,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address);
    const headers = { authorization, connection: "close", "content-length": body?.length ?? 0 };
    const sent = request({ hostname, port, method, path, headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", reject);
    if (body !== null) sent.write(body);
    sent.end();
  });
}
