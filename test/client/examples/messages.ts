import { asExpected, type ChatClient, type Message } from "../../../src/client/index.ts";

/** Shows a room, changes and all; `show` is called again for each message that changed. */
export async function openRoom(
  client: ChatClient,
  id: string,
  show: (message: Message) => void,
): Promise<void> {
  const room = client.room(id);
  client.on("message", ({ room: of, message }) => {
    if (of === room && client.user) show(asExpected(message, client.user));
  });
  await room.follow();

  const { seq } = await room.send("shall we meet?");
  const mine = room.message(seq);
  if (!mine) return;
  await room.react(mine, "👍");
  await room.edit(mine, "shall we meet at noon?", { mentions: ["bob"] });
  await room.send("or later", { replyTo: mine });
}
