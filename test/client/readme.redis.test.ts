/** What README.md tells newcomers to type and to write, done. */
import { readFileSync } from "node:fs";
import { afterEach, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import type { ChatClient, Message, Room } from "../../src/client/index.ts";
import { engineOfFile, SECRET } from "../edge/engine.ts";
import { openChat } from "./examples/product.ts";
import { chatToken } from "./examples/token.ts";

const README = readFileSync("README.md", "utf8");
const open = engineOfFile();
const clients: ChatClient[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  vi.unstubAllGlobals();
});

const until = (check: () => void): Promise<void> =>
  vi.waitFor(check, { timeout: 15_000, interval: 20 });

it.each(["token", "product"])("[CL29] the README's examples are the ones that run: %s", (name) => {
  const code = readFileSync(`test/client/examples/${name}.ts`, "utf8");
  const shown = code.replace("../../../src/client/index.ts", "millrace/client").trimEnd();
  expect(README).toContain(`<!-- example: ${name} -->\n\n\`\`\`ts\n${shown}\n\`\`\``);
});

it("[CL29] the README's way to a chat in one's own product leads there", async () => {
  const engine = await open();
  const { address } = await engine.edge();
  vi.stubGlobal("WebSocket", WebSocket);
  const shown = { ann: [] as string[], bob: [] as string[] };
  const page = async (user: "ann" | "bob", other: string): Promise<Room> => {
    const token = (): Promise<string> => chatToken(user, SECRET);
    const show = (messages: readonly Message[]): void => {
      shown[user] = messages.map(({ text }) => text ?? "");
    };
    const { client, room } = await openChat(other, token, show, address);
    clients.push(client);
    return room;
  };
  const ann = await page("ann", "bob");
  await ann.send("hello");
  const bob = await page("bob", "ann");
  expect(shown.bob).toEqual(["hello"]);
  await bob.send("hi");
  await until(() => expect(shown.ann).toEqual(["hello", "hi"]));
});

it("[CL29] the README's frames for typing by hand are answered", async () => {
  const engine = await open();
  const { address } = await engine.edge();
  const token = await chatToken("ann", SECRET);
  const typed = [...README.matchAll(/^> (\{.*\})$/gm)].map(([, frame = ""]) => frame);
  const [hello = "", ...others] = typed.map((frame) => frame.replace(/<.*>/, token));
  expect(others).toHaveLength(2);
  const socket = new WebSocket(`${address.replace("http", "ws")}/v1/socket`, "millrace.3.json");
  const heard: string[] = [];
  socket.on("message", (frame: Buffer) => {
    heard.push((JSON.parse(frame.toString()) as { type: string }).type);
  });
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(hello);
  await until(() => expect(heard).toEqual(["welcome"]));
  for (const frame of others) socket.send(frame);
  // There are no demo rooms here: what the frames ask for is refused, and not their form.
  const refused = expect.arrayContaining(["resumed", "rejected"]) as string[];
  await until(() => expect(heard).toEqual(refused));
  expect(heard).not.toContain("error");
  socket.close();
});
