/** The small parts: device, addresses, events, HTTP. */
import { describe, expect, it, vi } from "vitest";
import { parseAddress } from "../../src/client/address.ts";
import { Device, memoryDevice, storedDevice } from "../../src/client/device.ts";
import { Emitter } from "../../src/client/emitter.ts";
import { Http } from "../../src/client/http.ts";
import type { RoomId, Seq } from "../../src/protocol/ids.ts";
import { listedRoom } from "./people.ts";
import { entryAt, ROOM } from "./scripted-server.ts";

describe("a device", () => {
  function storage(): { items: Map<string, string>; getItem: never; setItem: never } {
    const items = new Map<string, string>();
    const getItem = (key: string): string | null => items.get(key) ?? null;
    const setItem = (key: string, value: string): void => void items.set(key, value);
    return { items, getItem: getItem as never, setItem: setItem as never };
  }

  it("[CL13] counts on where it stopped, under its old name", () => {
    const store = storedDevice(storage(), "device");
    const first = new Device(store, Math.random);
    expect([first.take(), first.take()]).toEqual([1, 2]);
    const second = new Device(store, Math.random);
    expect(second.id).toBe(first.id);
    expect(second.take()).toBe(3);
  });

  it("[CL13] stores a number before it gives it out, and gives none it could not store", () => {
    const full = { ...memoryDevice("phone"), save: () => assertStored() };
    const assertStored = (): never => {
      throw new Error("the quota is used up");
    };
    const device = new Device(full, Math.random);
    expect(() => device.take()).toThrow("the quota");
    expect(device.next).toBe(1);
  });

  it.each(["", "x", "no-number x", "bad!id 5", "phone -1", "phone 1.5"])(
    "[CL13] becomes a new one where %j is stored",
    (text) => {
      const broken = storage();
      broken.items.set("device", text);
      const device = new Device(storedDevice(broken, "device"), Math.random);
      expect(device.id).toMatch(/^[a-z0-9]{20}$/);
      expect(device.next).toBe(1);
    },
  );

  it("[CL13] refuses a name that the server would refuse", () => {
    expect(() => memoryDevice("no name")).toThrow(RangeError);
  });
});

describe("an address", () => {
  it.each([
    ["http://host:8080", "ws://host:8080/v1/socket", "http://host:8080"],
    ["https://host/", "wss://host/v1/socket", "https://host"],
    ["ws://host/v1/socket", "ws://host/v1/socket", "http://host"],
    ["wss://host/chat/v1/socket", "wss://host/chat/v1/socket", "https://host/chat"],
    ["http://[::1]:80/chat", "ws://[::1]/chat/v1/socket", "http://[::1]/chat"],
  ])("[CL10] %s", (text, socketUrl, httpUrl) => {
    expect(parseAddress(text)).toEqual({ socketUrl, httpUrl });
  });

  it.each(["host:8080", "ftp://host", ""])("[CL10] %j is none", (text) => {
    expect(() => parseAddress(text)).toThrow(TypeError);
  });
});

it("[CL16] a listener that throws stops neither the others nor the client", () => {
  const thrown = vi.spyOn(globalThis, "queueMicrotask").mockImplementation(() => undefined);
  const emitter = new Emitter<{ news: number }>();
  const heard: number[] = [];
  emitter.on("news", () => {
    throw new Error("a bug of the application");
  });
  const off = emitter.on("news", (n) => heard.push(n));
  emitter.emit("news", 1);
  off();
  emitter.emit("news", 2);
  expect(heard).toEqual([1]);
  expect(thrown).toHaveBeenCalledTimes(2);
  thrown.mockRestore();
});

describe("HTTP", () => {
  function http(...replies: [number, unknown][]): { http: Http; asked: string[] } {
    const asked: string[] = [];
    const tokens = ["old", "new"];
    return {
      asked,
      http: new Http({
        baseUrl: () => "http://host",
        token: { latest: async () => "old", fresh: async () => tokens[1] as string },
        fetch: async (url, init) => {
          asked.push(`${url} ${new Headers(init.headers).get("authorization")}`);
          const [status, body] = replies.shift() ?? [500, ""];
          return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
        },
      }),
    };
  }
  const page = { room: ROOM, epoch: 1, head: 9, more: true, entries: [entryAt(1)] };

  it("[CL4] reads pages of history, new fields or not", async () => {
    const { http: reader, asked } = http([200, { ...page, firstKept: 1 }]);
    expect(await reader.history(ROOM, { before: 2 as Seq, limit: 10 })).toEqual(page);
    expect(asked).toEqual(["http://host/v1/rooms/general/messages?before=2&limit=10 Bearer old"]);
  });

  it("[CL4] asks for a new token when the old one has run out", async () => {
    const listed = listedRoom({ unread: 3 });
    const { http: reader, asked } = http([401, ""], [200, { rooms: [listed] }]);
    expect(await reader.rooms()).toEqual([listed]);
    expect(asked[1]).toContain("Bearer new");
  });

  it.each([
    ["forbidden", 403, { error: { code: "forbidden", message: "no" } }],
    ["badReply", 502, "<html>"],
    ["badReply", 200, "<html>"],
    ["badReply", 200, { ...page, entries: [{ seq: 1 }] }],
    ["badReply", 200, null],
    ["badReply", 403, { error: { code: "constructor" } }],
  ])("[CL4] rejects with %s on %i %j", async (code, status, body) => {
    const { http: reader } = http([status, body]);
    await expect(reader.history(ROOM, { after: 0 as Seq })).rejects.toMatchObject({ code });
  });

  it("[CL4] rejects with unreachable when there is no answer", async () => {
    const reader = new Http({
      baseUrl: () => "http://host",
      token: { latest: async () => "t", fresh: async () => "t" },
      fetch: async () => Promise.reject(new TypeError("fetch failed")),
    });
    await expect(reader.room("a" as RoomId)).rejects.toMatchObject({ code: "unreachable" });
  });
});
