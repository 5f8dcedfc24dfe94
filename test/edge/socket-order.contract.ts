/** Order and backpressure of every adapter of the socket port, with real sockets. */
import { expect, it } from "vitest";

import { SOCKET_BUFFERED_BYTES_MAX } from "../../src/edge/sockets/socket-guard.ts";
import type { CreateSocketServer } from "../../src/edge/sockets/socket-port.ts";
import { CLOSE } from "../../src/protocol/errors.ts";
import { quiet, rigs, until, type Start } from "./socket-server.harness.ts";

export function socketOrderContract(create: CreateSocketServer): void {
  const start = rigs(create);
  order(start);
  backpressure(start);
}

function order(start: Start): void {
  it("[SE22] sends and publishes arrive in the order of the calls, whatever their size", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    const expected: string[] = [];
    const call = (topic: string | null, size: number): void => {
      const text = `${expected.length}`.padEnd(size, ".");
      expected.push(text);
      if (topic === null) recorder.socket.send(text);
      else rig.server.publish(topic, text);
    };
    const burst = (): void => {
      // 40 in one turn, because uWebSockets.js flushes at 32; 20,000 bytes go past its cork buffer.
      for (let at = 0; at < 40; at += 1) call("a", 1 + at);
      for (const size of [10, 20_000, 10]) for (const topic of ["a", null, "b"]) call(topic, size);
    };
    recorder.socket.subscribe("a");
    recorder.socket.subscribe("b");
    burst();
    recorder.onMessage = burst;
    client.ws.send("once more, from inside a handler");
    await until(() => recorder.messages.length === 1);
    expect(await client.receives(expected.length)).toEqual(expected);
  });

  it("[SE22] a subscriber gets what is published between subscribe and unsubscribe, and nothing else", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    const { socket } = recorder;
    const publish = (text: string): void => rig.server.publish("room", text);
    const turn = (): void => {
      publish("too early");
      socket.subscribe("room");
      socket.subscribe("room");
      publish("in");
      socket.unsubscribe("room");
      publish("too late");
      socket.unsubscribe("room");
      socket.subscribe("room");
      publish("in again");
      socket.unsubscribe("room");
      socket.unsubscribe("never joined");
    };
    turn();
    recorder.onMessage = turn;
    client.ws.send("once more, from inside a handler");
    await until(() => recorder.messages.length === 1);
    setImmediate(turn);
    await client.receives(6);
    await quiet();
    socket.send("end");
    const twice = ["in", "in again"];
    expect(await client.receives(7)).toEqual([...twice, ...twice, ...twice, "end"]);
  });

  it("[SE22] one publish reaches every subscriber once, as text or as bytes", async () => {
    const rig = await start();
    const all = [];
    for (let at = 0; at < 5; at += 1) all.push(await rig.connect());
    for (const { recorder } of all.slice(1)) recorder.socket.subscribe("room");
    const bytes = Uint8Array.from([1, 2, 3]);
    rig.server.publish("room", "text");
    rig.server.publish("room", bytes);
    rig.server.publish("nobody", "text");
    for (const { client } of all.slice(1)) await client.receives(2);
    await quiet();
    expect(all.map(({ client }) => client.received)).toEqual([
      [],
      ...Array.from({ length: 4 }, () => ["text", bytes]),
    ]);
  });
}

function backpressure(start: Start): void {
  it("[BP20] a slow reader's buffer grows and nothing is lost; drained is called; others do not notice", async () => {
    const rig = await start();
    const [slow, quick] = [await rig.connect(), await rig.connect()];
    for (const { recorder } of [slow, quick]) recorder.socket.subscribe("room");
    slow.client.ws.pause();
    const expected: string[] = [];
    while (slow.recorder.socket.bufferedBytes() < 8_000_000) {
      const text = `${expected.length}`.padEnd(100_000, ".");
      expected.push(text);
      rig.server.publish("room", text);
      await quick.client.receives(expected.length);
    }
    expect(slow.recorder.drains).toBe(0);
    slow.recorder.socket.send("last");
    expected.push("last");
    const bufferedWhenDrained: number[] = [];
    slow.recorder.onDrained = () => {
      bufferedWhenDrained.push(slow.recorder.socket.bufferedBytes());
    };
    slow.client.ws.resume();
    await slow.client.receives(expected.length);
    await until(() => slow.recorder.drains > 0);
    expect(Math.max(...bufferedWhenDrained)).toBe(0);
    expect(slow.client.received).toEqual(expected);
    expect(quick.client.received).toEqual(expected.slice(0, -1));
  });

  it("[BP21] a buffer past its bound ends the connection, so that no message is silently missing", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    client.ws.pause();
    const block = new Uint8Array(1024 * 1024);
    let sent = 0;
    while (recorder.closes.length === 0 && sent < 2 * SOCKET_BUFFERED_BYTES_MAX) {
      recorder.socket.send(block);
      sent += block.length;
      // The transport's own loop has to turn for it to notice.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(recorder.closes).toEqual([1006]);
    expect(recorder.socket.bufferedBytes()).toBe(0);
    client.ws.resume();
    await client.closed;
    expect(client.received.length * block.length).toBeLessThan(sent);
  });

  it("[BP20] close delivers what a slow reader has not read yet, and then the code", async () => {
    const rig = await start();
    const { client, recorder } = await rig.connect();
    client.ws.pause();
    const text = "x".repeat(100_000);
    let sent = 0;
    for (; recorder.socket.bufferedBytes() < 1_000_000; sent += 1) recorder.socket.send(text);
    recorder.socket.close(CLOSE.tooSlow.code, CLOSE.tooSlow.reason);
    client.ws.resume();
    expect(await client.closed).toEqual(CLOSE.tooSlow);
    expect(client.received).toHaveLength(sent);
  });
}
