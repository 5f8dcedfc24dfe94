import type { ChatClient } from "../../../src/client/index.ts";

/** Takes part in a room: tells who is there, who types, and who has read the newest message. */
export async function takePart(
  client: ChatClient,
  id: string,
  tell: (line: string) => void,
): Promise<void> {
  const room = client.room(id);
  client.on("presence", () => tell(`here: ${[...room.presence.online].sort().join(", ")}`));
  client.on("typists", () => tell(`typing: ${room.typists.join(", ")}`));
  client.on("receipts", () => {
    const newest = room.messages.at(-1);
    if (newest) tell(`seen by: ${room.seenBy(newest).join(", ")}`);
  });
  await room.follow({ attend: true });
  await room.loadDetails();
  tell(`${room.name}: ${[...room.members.keys()].sort().join(", ")}`);

  room.typing(); // at each key; it is said only now and then
  room.read(); // everything that is here
}
