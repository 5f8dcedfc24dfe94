import { ChatClient, type Message, type Room } from "../../../src/client/index.ts";

/** A chat with one other user: `room.send` sends. `token` gets one from your backend. */
export async function openChat(
  other: string,
  token: () => Promise<string>,
  show: (messages: readonly Message[]) => void,
  urls = "http://127.0.0.1:8080",
): Promise<{ client: ChatClient; room: Room }> {
  const client = new ChatClient({ urls, token }); // Node before 22: WebSocket of `ws` as well
  await client.connect();
  const room = await client.direct(other); // for more people: createRoom, invite, join
  client.on("message", ({ room: of }) => of === room && show(room.messages));
  await room.follow();
  return { client, room };
}
