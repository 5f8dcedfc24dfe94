/** Whole clients against a whole engine: what people do on one device shows on every other. */
import { readFileSync } from "node:fs";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import {
  ChatClient,
  messagesOf,
  type ClientOptions,
  type Message,
  type Room,
} from "../../src/client/index.ts";
import type { RunningEdge } from "../../src/edge/edge.ts";
import { type Engine, engineOfFile, token } from "../edge/engine.ts";
import { openList } from "./examples/list.ts";
import { openRoom } from "./examples/messages.ts";
import { openScroller } from "./examples/older.ts";
import { takePart } from "./examples/people.ts";

const SEED = 20_241_126;
const open = engineOfFile();
let engine: Engine;
let edges: RunningEdge[];
const clients: ChatClient[] = [];

beforeAll(async () => {
  engine = await open();
  edges = [await engine.edge(), await engine.edge()];
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function clientOf(
  user: string,
  edge = 0,
  options: Partial<ClientOptions> = {},
): Promise<ChatClient> {
  const urls = (edges[edge] as RunningEdge).address;
  const client = new ChatClient({ urls, token: await token(user), WebSocket, ...options });
  clients.push(client);
  await client.connect();
  return client;
}

const until = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 15_000, interval: 20 });

/** The same for all users: without what each knows of themselves. */
function plain(messages: readonly Message[]): object[] {
  return messages.map((message) => {
    expect(message.pending).toEqual([]);
    const reactions = message.reactions.map(({ reaction, count, users }) => {
      return { reaction, count, users };
    });
    return { ...message, callsMe: null, reactions };
  });
}

/** Does something that may be refused, as in life. */
async function act(room: Room, dice: () => number): Promise<void> {
  const one = room.messages[Math.floor(dice() * room.messages.length)];
  const roll = dice();
  if (!one || roll < 0.4) {
    const reply = one && dice() < 0.3 ? { replyTo: one } : {};
    await room.send(`message ${dice()}`, {
      ...reply,
      ...(dice() < 0.3 ? { mentions: ["ann"] } : {}),
    });
  } else if (roll < 0.5) await room.edit(one, `edit ${dice()}`);
  else if (roll < 0.6) await room.delete(one);
  else if (roll < 0.75) await room.react(one, dice() < 0.5 ? "👍" : "🎉");
  else if (roll < 0.85) await room.unreact(one, dice() < 0.5 ? "👍" : "🎉");
  else room.read(one);
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("several devices", () => {
  it(`[CL28] [UN20] show in the end what the server shows, and the same unread (seed ${SEED})`, async () => {
    const dice = seeded(SEED);
    const first = await clientOf("ann");
    const room = await first.createRoom({ room: "story", kind: "public", name: "Story" });
    const all = [first, await clientOf("ann", 1), await clientOf("bob"), await clientOf("cid", 1)];
    for (const client of all.slice(2)) await client.room(room.id).join();
    for (const client of all) {
      await client.room(room.id).follow({ attend: true });
      await client.list.load();
    }
    for (let round = 0; round < 12; round++) {
      const acts = all.flatMap((client) =>
        Array.from({ length: 5 }, () => act(client.room(room.id), dice).catch(() => undefined)),
      );
      if (round % 4 === 3) for (const peer of engineSockets(all)) peer();
      await Promise.all(acts);
    }
    expect(room.lastSeq).toBeGreaterThan(100);
    await until(async () => {
      const page = await room.history({ limit: 200, before: 1_000_000 as never });
      for (const client of all) {
        const { messages, unread, mentions, through } = client.room(room.id);
        const shown = plain(messagesOf(page.entries, client.user));
        expect(plain(messages).slice(-shown.length)).toEqual(shown);
        const listed = (await client.rooms()).find((one) => one.room === room.id);
        expect({ unread, mentions, through }).toEqual({
          unread: listed?.unread,
          mentions: listed?.mentions,
          through: listed?.through,
        });
        expect(client.list.unread).toBe(unread);
        const threads = messages.filter(({ replies }) => replies > 0).slice(-8);
        expect(threads).toHaveLength(8);
        for (const first of threads) {
          const told = await client.room(room.id).thread(first);
          expect(client.room(room.id).unreadReplies(first)).toBe(told.unread);
        }
      }
    });
  });

  it(`[CL28, CL30] that scroll back meanwhile show all of it in the end (seed ${SEED})`, async () => {
    const dice = seeded(SEED + 1);
    const first = await clientOf("ann");
    const room = await first.createRoom({ room: "scrolled", kind: "public", name: "Scrolled" });
    await room.follow({ limit: 200 });
    const all = [await clientOf("bob"), await clientOf("cid", 1)];
    for (const client of all) await client.room(room.id).join();
    for (let i = 0; i < 90; i++) await act(room, dice).catch(() => undefined);
    const rooms = all.map((client) => client.room(room.id));
    for (const one of rooms) await one.follow({ limit: 5 });
    for (let round = 0; round < 10; round++) {
      const acts = [room, ...rooms].flatMap((one) =>
        Array.from({ length: 4 }, () => act(one, dice).catch(() => undefined)),
      );
      for (const one of rooms) void one.loadOlder(1 + Math.floor(dice() * 12));
      await Promise.all(acts);
    }
    await until(async () => {
      const page = await room.history({ limit: 200 });
      const before = await room.history({ limit: 200, before: page.entries[0]?.seq as never });
      const entries = [...before.entries, ...page.entries];
      expect(entries[0]?.seq).toBe(1);
      for (const [i, one] of rooms.entries()) {
        while ((await one.loadOlder(50)) === "more");
        expect(one.entries.map(({ seq }) => seq)).toEqual(entries.map(({ seq }) => seq));
        expect(plain(one.messages)).toEqual(plain(messagesOf(entries, all[i]?.user ?? null)));
      }
    });
  });

  it("[CL23] read on one what the other then need not", async () => {
    const [phone, laptop, bob] = [
      await clientOf("dan"),
      await clientOf("dan", 1),
      await clientOf("eve"),
    ];
    const { id } = await bob.createRoom({ room: "two", kind: "public", name: "Two" });
    for (const client of [phone, laptop]) {
      if (client === phone) await client.room(id).join();
      await client.room(id).follow();
      await client.list.load();
    }
    await bob.room(id).send("hello");
    await until(() => expect([phone, laptop].map((one) => one.list.unread)).toEqual([1, 1]));
    phone.room(id).read();
    await until(() => expect(laptop.room(id).unread).toBe(0));
    await laptop.room(id).markUnread(laptop.room(id).messages.at(-1) as Message);
    await until(() => expect([phone, laptop].map((one) => one.list.unread)).toEqual([1, 1]));
  });
});

describe("receipts", () => {
  it("[CL31] of a private reader stay with them, and none are shown in a room where they are off", async () => {
    const [fay, laptop] = [
      await clientOf("fay", 0, { receipts: "private" }),
      await clientOf("fay", 1),
    ];
    const [gil, hal] = [await clientOf("gil", 1), await clientOf("hal")];
    const room = await gil.createRoom({ room: "quiet", kind: "public", name: "Quiet" });
    for (const client of [fay, hal]) await client.room(room.id).join();
    for (const client of [gil, fay, laptop, hal]) {
      await client.room(room.id).follow({ attend: true });
      await client.list.load();
      await client.room(room.id).loadDetails();
    }
    const { seq } = await room.send("is anybody here?");
    await until(() => expect(hal.room(room.id).lastSeq).toBe(seq));
    fay.room(room.id).read();
    await until(() => expect(laptop.room(room.id).through).toBe(seq));
    hal.room(room.id).read();
    const message = { seq, by: "gil" as never };
    await until(() => expect(room.seenBy(message)).toEqual(["hal"]));
    await room.send("so be it");
    await room.setReceipts(false);
    const all = [gil, fay, laptop, hal].map((client) => client.room(room.id));
    await until(() => {
      expect(all.map(({ receipts, receiptsOn }) => [receipts.size, receiptsOn])).toEqual(
        all.map(() => [0, false]),
      );
    });
    hal.room(room.id).read();
    await hal.room(room.id).send("me too");
    await until(() => expect(room.messages).toHaveLength(3));
    expect(room.receipts.size).toBe(0);
    await room.setReceipts(true);
    await until(() => {
      expect(all.map((each) => each.receiptsOn)).toEqual(all.map(() => true));
      for (const each of all) expect(each.seenBy(message)).toEqual(["hal"]);
    });
    laptop.room(room.id).read();
    await until(() => {
      for (const each of all) expect(each.seenBy(message)).toEqual(["fay", "hal"]);
    });
  });
});

/** Ends the connections as a dead network would. */
function engineSockets(all: readonly ChatClient[]): (() => void)[] {
  return all.slice(0, 2).map((client) => () => {
    client.close();
    void client.connect();
  });
}

describe("the examples of docs/sdk.md", () => {
  const guide = readFileSync("docs/sdk.md", "utf8");

  it.each(["messages", "older", "people", "list"])("[CL29] are the ones that run: %s", (name) => {
    const code = readFileSync(`test/client/examples/${name}.ts`, "utf8");
    const shown = code.replace("../../../src/client/index.ts", "millrace/client").trimEnd();
    expect(guide).toContain(`<!-- example: ${name} -->\n\n\`\`\`ts\n${shown}\n\`\`\``);
  });

  it("[CL29, CL30] show a room as one list, back to its beginning", async () => {
    const [ann, bob] = [await clientOf("ann"), await clientOf("bob", 1)];
    const { id } = await ann.createRoom({ room: "scroll", kind: "public", name: "Scroll" });
    await bob.room(id).join();
    for (let i = 0; i < 120; i++) void ann.room(id).send(`message ${i}`);
    await ann.room(id).send("the last one");
    let shown: readonly Message[] = [];
    let whole = false;
    const atTheTop = await openScroller(bob, id, (messages, isWhole) => {
      [shown, whole] = [messages, isWhole];
    });
    expect([shown.length, whole]).toEqual([20, false]);
    while (bob.room(id).older === "more") await atTheTop();
    expect(whole).toBe(true);
    expect(shown.map(({ text }) => text)).toEqual([
      ...Array.from({ length: 120 }, (_, i) => `message ${i}`),
      "the last one",
    ]);
    const [first] = shown;
    await ann.room(id).edit(first as Message, "the first one");
    await until(() => expect(shown[0]).toMatchObject({ text: "the first one", edits: 1 }));
  });

  it("[CL22, CL25, CL29] tell who is there, who types and who has read", async () => {
    const [ann, bob] = [await clientOf("ann"), await clientOf("bob", 1)];
    const { id } = await ann.createRoom({ room: "example", kind: "public", name: "Example" });
    await bob.room(id).join();
    const told: string[] = [];
    const shown: Message[] = [];
    let lines: readonly string[] = [];
    await openList(ann, (rooms) => (lines = rooms));
    await takePart(ann, id, (line) => told.push(line));
    expect(told).toContain("Example: ann, bob");
    await bob.room(id).follow({ attend: true });
    await until(() => expect(told).toContain("here: ann, bob"));
    bob.room(id).typing();
    await until(() => expect(told).toContain("typing: bob"));
    expect(bob.room(id).typists).not.toContain("bob");
    await openRoom(bob, id, (message) => shown.push(message));
    await until(() => expect(ann.room(id).typists).toEqual([]));
    const first = shown.find(({ text }) => text === "shall we meet?");
    await until(() =>
      expect(ann.room(id).message(first?.seq as never)).toMatchObject({
        text: "shall we meet at noon?",
        edits: 1,
        replies: 1,
        reactions: [{ reaction: "👍", count: 1, users: ["bob"], mine: false }],
      }),
    );
    await until(() => expect(lines).toContain("Example 2 0"));
    ann.room(id).read();
    await until(() => expect(lines).toContain("Example 0 0"));
    await until(() => expect(bob.room(id).receipts.get("ann" as never)).toBe(ann.room(id).lastSeq));
  });
});
