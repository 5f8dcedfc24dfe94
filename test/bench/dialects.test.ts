/** How the generator reads other servers: a delivery that it overlooked would be a loss of theirs. */
import type { WebSocket } from "ws";
import { describe, expect, it } from "vitest";

import type { Dialect } from "../../bench/load/dialect.ts";
import { CentrifugoDialect } from "../../bench/load/dialects/centrifugo.ts";
import { PubSubDialect } from "../../bench/load/dialects/pub-sub.ts";
import { SocketIoDialect } from "../../bench/load/dialects/socket-io.ts";
import { Ledger } from "../../bench/load/ledger.ts";

const ROOM = "r000001";

function textSent(dialect: Dialect, sender: number, n: number, atUs: number): string {
  const frame = dialect.outgoing(ROOM, sender).stamp(n, atUs).toString("utf8");
  return /"text":"([^"]{64})"/.exec(frame)?.[1] ?? "";
}

function read(dialect: Dialect, frame: string) {
  const answers: unknown[] = [];
  const seen: object[] = [];
  const socket = { send: (data: unknown) => answers.push(data) } as unknown as WebSocket;
  const heard = dialect.read(Buffer.from(frame), socket, (each) => seen.push({ ...each }));
  return { heard, seen, answers };
}

describe("Socket.IO's frames", () => {
  const dialect = new SocketIoDialect();
  const text = textSent(dialect, 3, 41, 999_999);

  it("are an event out and an event in", () => {
    const sent = dialect.outgoing(ROOM, 3).stamp(41, 999_999).toString("utf8");
    expect(sent).toBe(`42["send",{"room":"${ROOM}","text":"${text}"}]`);
    const shown = `42["message",{"room":"${ROOM}","text":"${text}","by":"x","at":1}]`;
    const delivery = { seq: null, sender: 3, n: 41, atUs: 999_999 };
    expect(read(dialect, shown)).toEqual({ heard: "messages", seen: [delivery], answers: [] });
  });

  it("are answered where they are pings, and refused where they are unknown", () => {
    expect(read(dialect, "2")).toEqual({ heard: "nothing", seen: [], answers: ["3"] });
    expect(() => read(dialect, '44{"message":"no"}')).toThrow("Socket.IO said");
  });
});

describe("the pub/sub chat's frames", () => {
  it("are one object each", () => {
    const dialect = new PubSubDialect();
    const text = textSent(dialect, 1, 2, 3);
    const shown = `{"type":"message","room":"${ROOM}","user":"u1","text":"${text}","at":1}`;
    expect(read(dialect, shown).seen).toEqual([{ seq: null, sender: 1, n: 2, atUs: 3 }]);
    expect(() => read(dialect, '{"type":"error"}')).toThrow("the pub/sub chat said");
  });
});

describe("Centrifugo's frames", () => {
  const dialect = new CentrifugoDialect();
  const push = (text: string, offset: number): string =>
    `{"push":{"channel":"${ROOM}","pub":{"data":{"text":"${text}"},"offset":${offset}}}}`;

  it("may be several lines, replies and deliveries with their offsets", () => {
    const [first, second] = [textSent(dialect, 1, 0, 7), textSent(dialect, 2, 5, 8)];
    const frame = [push(first, 9), '{"id":3,"publish":{}}', push(second, 10)].join("\n");
    expect(read(dialect, frame)).toEqual({
      heard: "messages",
      seen: [
        { seq: 9, sender: 1, n: 0, atUs: 7 },
        { seq: 10, sender: 2, n: 5, atUs: 8 },
      ],
      answers: [],
    });
  });

  it("are answered where they are pings, counted where they are errors", () => {
    expect(read(dialect, "{}")).toEqual({ heard: "nothing", seen: [], answers: ["{}"] });
    const error = '{"id":3,"error":{"code":111,"message":"too many requests"}}';
    expect(read(dialect, error).heard).toBe("refused");
    expect(() => read(dialect, '{"push":{"channel":"x","disconnect":{}}}')).toThrow("Centrifugo");
  });
});

describe("the ledger without seqs", () => {
  it("counts what another member saw in another order", () => {
    const made = new Ledger(1, 2);
    for (const sender of [0, 1]) made.sent(sender);
    for (const sender of [0, 1]) made.arrived(0, sender, 0, null);
    for (const sender of [1, 0]) made.arrived(1, sender, 0, null);
    expect(made.completeness()).toMatchObject({ lost: 0, reordered: 0, disagreed: 1 });
  });

  it("leaves out of the order what only one of them saw", () => {
    const made = new Ledger(1, 2);
    for (const sender of [0, 1, 1]) made.sent(sender);
    for (const [sender, n] of [
      [0, 0],
      [1, 1],
    ] as const) {
      made.arrived(0, sender, n, null);
    }
    for (const [sender, n] of [
      [0, 0],
      [1, 0],
      [1, 1],
    ] as const) {
      made.arrived(1, sender, n, null);
    }
    expect(made.completeness()).toMatchObject({ lost: 1, disagreed: 0 });
  });
});
