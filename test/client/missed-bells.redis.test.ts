/** What a whole client shows after bells were lost. */
import { afterEach, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { ChatClient } from "../../src/client/index.ts";
import { engineOfFile, token } from "../edge/engine.ts";

const open = engineOfFile();
const clients: ChatClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function clientOf(user: string, urls: string): Promise<ChatClient> {
  const client = new ChatClient({ urls, token: await token(user), WebSocket });
  clients.push(client);
  await client.connect();
  return client;
}
const until = (check: () => void): Promise<void> =>
  vi.waitFor(check, { timeout: 15_000, interval: 20 });

it("[LI6] bells that were missed leave no device with counts of before: it reads its list again", async () => {
  const engine = await open();
  const edge = await engine.edge();
  const bystander = await engine.peer(edge, "ann", { device: "bystander" });
  const [ann, bob] = [await clientOf("ann", edge.address), await clientOf("bob", edge.address)];
  const room = await bob.createRoom({ room: "lost", kind: "public", name: "Lost" });
  await ann.room(room.id).join();
  await ann.room(room.id).follow();
  await ann.list.load();
  const { seq } = await room.send("hello");
  await until(() => expect(ann.list.unread).toBe(1));
  await engine.stopProjector();
  // What a lost bell leaves behind: Ann has read it elsewhere, and nothing tells of it.
  const partition = engine.keys.partitionOf(room.id);
  const { id } = await engine.admin.hgetall(engine.keys.checkpoint(partition));
  const [ms] = (id as string).split("-");
  await engine.admin.hset(engine.keys.room(partition, room.id), "r:ann", `${seq}:1`);
  await engine.admin.hset(engine.keys.checkpoint(partition), "id", `${Number(ms) + 1}-0`);
  await bystander.next("roomsChanged", ({ rooms }) => rooms.length === 0);
  await until(() => expect(ann.list.unread).toBe(0));
  expect(ann.room(room.id).through).toBe(seq);
});
