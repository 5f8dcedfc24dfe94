/** What every adapter of the socket port does, with real sockets. */
import { expect, it } from "vitest";

import type { CreateSocketServer, UpgradeRequest } from "../../src/edge/sockets/socket-port.ts";
import { CLOSE } from "../../src/protocol/errors.ts";
import {
  OPTIONS,
  Rig,
  freePort,
  quiet,
  raw,
  rigs,
  until,
  type Start,
} from "./socket-server.harness.ts";

export function socketServerContract(create: CreateSocketServer): void {
  const start = rigs(create);
  upgrades(start);
  refusals(start);
  messages(start);
  endings(start);
  failures(start);
  shutdown(create, start);
}

function upgrades(start: Start): void {
  it("[SE20] the edge sees path, origin, host, sub-protocols and address, and its choice is answered", async () => {
    const seen: UpgradeRequest[] = [];
    const rig = await start({
      upgrade: (request) => {
        seen.push(request);
        return { accept: true, protocol: "two", encoding: "json" };
      },
    });
    const client = rig.client("/socket?a=b", ["one", "two"], { origin: "https://a.example" });
    await client.opened();
    expect(seen).toEqual([
      {
        path: "/socket",
        origin: "https://a.example",
        host: rig.address,
        protocols: ["one", "two"],
        remoteAddress: "127.0.0.1",
      },
    ]);
    expect(client.ws.protocol).toBe("two");
    expect(client.ws.extensions).toBe("");
    const socket = rig.recorders[0]?.socket;
    expect([socket?.encoding, socket?.remoteAddress]).toEqual(["json", "127.0.0.1"]);
  });

  it("[SE20] without Origin and sub-protocol the edge sees null and none, and none is answered", async () => {
    const seen: UpgradeRequest[] = [];
    const rig = await start({
      upgrade: (request) => {
        seen.push(request);
        return { accept: true, protocol: "two", encoding: "binary" };
      },
    });
    const { client } = await rig.connect();
    expect(seen[0]).toMatchObject({ origin: null, protocols: [] });
    expect(client.ws.protocol).toBe("");
  });
}

function refusals(start: Start): void {
  it("[SE20] a refusal is answered before the upgrade, with its status and message", async () => {
    const rig = await start({
      upgrade: () => ({ accept: false, status: 403, message: "this origin is not welcome" }),
    });
    expect(await rig.client("/").handshake()).toBe("403 this origin is not welcome");
    expect(rig.recorders).toEqual([]);
  });

  it("[SE20] a request that is no proper upgrade never opens a socket", async () => {
    const rig = await start();
    const key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
    const ask = (...lines: string[]): Promise<string> =>
      raw(rig.port, ["GET / HTTP/1.1", "Host: a", ...lines, "", ""].join("\r\n"));
    const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
    expect(await ask(...upgrade, key, "Sec-WebSocket-Version: 12")).toMatch(/^HTTP\/1.1 400 /);
    expect(await ask("Connection: close", "Sec-WebSocket-Version: 13", key)).toMatch(
      /^HTTP\/1.1 (400|200) /,
    );
    expect(rig.recorders).toEqual([]);
  });
}

function messages(start: Start): void {
  it("[SE21] text arrives as a string and bytes as bytes, both ways", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    recorder.onMessage = (data) => recorder.socket.send(data);
    const bytes = Uint8Array.from([0, 255, 128, 10]);
    client.ws.send("žluť 🐎");
    client.ws.send(bytes);
    client.ws.send("");
    expect(await client.receives(3)).toEqual(["žluť 🐎", bytes, ""]);
    expect(recorder.messages).toEqual(["žluť 🐎", bytes, ""]);
  });

  it("[SE21] a message at the limit arrives, one past it ends that connection alone", async () => {
    const rig = await start();
    const [one, two] = [await rig.connect(), await rig.connect()];
    one.client.ws.send(new Uint8Array(OPTIONS.messageBytesMax));
    await until(() => one.recorder.messages.length === 1);
    one.client.ws.send(new Uint8Array(OPTIONS.messageBytesMax + 1));
    await one.client.closed;
    await until(() => one.recorder.closes.length === 1);
    expect(one.recorder.messages).toHaveLength(1);
    two.client.ws.send("still here");
    await until(() => two.recorder.messages.length === 1);
  });

  it("[SE21] text that is not UTF-8 ends the connection", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    client.ws.send(Buffer.from([0xc3, 0x28]), { binary: false });
    await client.closed;
    await until(() => recorder.closes.length === 1);
    expect(recorder.messages).toEqual([]);
  });
}

function endings(start: Start): void {
  it("[SE23] the edge's close reaches the peer after what was sent; closed follows once, later", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    recorder.socket.subscribe("room");
    recorder.socket.send("one");
    rig.server.publish("room", "two");
    recorder.socket.close(CLOSE.draining.code, CLOSE.draining.reason);
    expect(recorder.closes).toEqual([]);
    expect(await client.closed).toEqual(CLOSE.draining);
    expect(client.received).toEqual(["one", "two"]);
    await quiet();
    expect(recorder.closes).toEqual([CLOSE.draining.code]);
  });

  it("[SE23] the peer's close code reaches the edge once", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    client.ws.close(4123, "bye");
    await client.closed;
    await until(() => recorder.closes.length > 0);
    await quiet();
    expect(recorder.closes).toEqual([4123]);
  });

  it("[SE23] terminate, and a peer that vanishes, are told once with 1006", async () => {
    const rig = await start();
    const [one, two] = [await rig.connect(), await rig.connect()];
    one.recorder.socket.terminate();
    two.client.ws.terminate();
    expect((await one.client.closed).code).toBe(1006);
    await until(() => one.recorder.closes.length > 0 && two.recorder.closes.length > 0);
    await quiet();
    expect([one.recorder.closes, two.recorder.closes]).toEqual([[1006], [1006]]);
  });

  it("[SE23] a closed socket ignores every call and hears nothing more", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    const { socket } = recorder;
    recorder.onMessage = () => socket.close(4001, "enough");
    client.ws.send("first");
    client.ws.send("second");
    await client.closed;
    socket.subscribe("room");
    socket.unsubscribe("room");
    socket.send("too late");
    rig.server.publish("room", "too late");
    socket.close(4002, "again");
    socket.terminate();
    await quiet();
    expect(socket.bufferedBytes()).toBe(0);
    expect(recorder.messages).toEqual(["first"]);
    expect(recorder.closes).toEqual([4001]);
    expect(rig.failures).toEqual([]);
  });

  it("[SE23] a socket closed inside open is told so after open has returned", async () => {
    const rig: Rig = await start({
      open: (socket) => {
        socket.send("hello and goodbye");
        socket.close(4003, "at once");
        return rig.record(socket);
      },
    });
    const client = rig.client("/");
    expect(await client.closed).toEqual({ code: 4003, reason: "at once" });
    expect(client.received).toEqual(["hello and goodbye"]);
    await until(() => rig.recorders[0]?.closes.length === 1);
  });
}

function failures(start: Start): void {
  const boom = (): never => {
    throw new Error("boom");
  };
  const INTERNAL = CLOSE.internal;

  it.each(["message", "drained"] as const)(
    "[SE24] a %s handler that throws ends that connection with 4004 and no other",
    async (which) => {
      const rig = await start();
      const [bad, good] = [await rig.connect(), await rig.connect()];
      if (which === "message") bad.recorder.onMessage = boom;
      else bad.recorder.onDrained = boom;
      bad.client.ws.pause();
      const text = "x".repeat(100_000);
      while (bad.recorder.socket.bufferedBytes() === 0) bad.recorder.socket.send(text);
      bad.client.ws.resume();
      bad.client.ws.send("go");
      expect(await bad.client.closed).toEqual(INTERNAL);
      await until(() => bad.recorder.closes.length === 1);
      expect(rig.failures).toEqual([new Error("boom")]);
      good.recorder.socket.send("alive");
      await good.client.receives(1);
    },
  );

  it("[SE24] open that throws ends that connection with 4004", async () => {
    const rig = await start({ open: boom });
    expect(await rig.client("/").closed).toEqual(INTERNAL);
    expect(await rig.client("/").closed).toEqual(INTERNAL);
    expect(rig.failures).toHaveLength(2);
  });

  it("[SE24] upgrade that throws answers 500", async () => {
    const rig = await start({ upgrade: boom });
    expect(await rig.client("/").handshake()).toBe("500 the edge failed");
    expect(rig.failures).toHaveLength(1);
  });

  it("[SE24] neither closed nor failed may end the process by throwing", async () => {
    let failed = 0;
    const rig = await start({
      failed: () => {
        failed += 1;
        boom();
      },
    });
    const { client, recorder } = await rig.connect();
    recorder.onClosed = boom;
    client.ws.close(1000);
    await until(() => failed === 1);
    expect(recorder.closes).toEqual([1000]);
    await rig.connect();
  });
}

function shutdown(create: CreateSocketServer, start: Start): void {
  it("[OP20] stopListening refuses new connections and leaves the open ones", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    rig.server.stopListening();
    rig.server.stopListening();
    expect(await rig.client("/").handshake()).toBe("closed");
    recorder.socket.send("still here");
    await client.receives(1);
    expect(recorder.closes).toEqual([]);
  });

  it("[OP20] close drops every connection, tells each once, and frees the port", async () => {
    // Not port 0: a system that restarts on its port meets connections in TIME_WAIT there.
    const port = await freePort();
    const first = new Rig(create);
    await first.listen(port);
    const all = [await first.connect(), await first.connect()];
    await first.server.close();
    for (const { client } of all) expect((await client.closed).code).toBe(1006);
    await quiet();
    expect(all.map(({ recorder }) => recorder.closes)).toEqual([[1006], [1006]]);
    await first.server.close();
    const next = new Rig(create);
    await next.listen(port);
    await next.connect();
    await next.stop();
  });

  it("[OP21] listening on a taken port rejects and says which", async () => {
    const port = await freePort();
    const [first, second] = [new Rig(create), new Rig(create)];
    await first.listen(port);
    await expect(second.listen(port)).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: `);
    await second.stop();
    await first.connect();
    await first.stop();
  });

  it("[OP21] an idle timeout that a transport cannot keep is refused", () => {
    for (const idleTimeoutSec of [7, 961, 8.5, Number.NaN]) {
      expect(() => new Rig(create, {}, { idleTimeoutSec })).toThrow(RangeError);
    }
  });
}
