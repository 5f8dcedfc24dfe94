import type { ChatClient, Message } from "../../../src/client/index.ts";

/** Shows a room as one list; what it returns is to be called at the upper edge of the list. */
export async function openScroller(
  client: ChatClient,
  id: string,
  show: (messages: readonly Message[], isWhole: boolean) => void,
): Promise<() => Promise<void>> {
  const room = client.room(id);
  const showAgain = (): void => show(room.messages, room.older === "none");
  client.on("message", ({ room: of }) => {
    if (of === room) showAgain();
  });
  client.on("reset", ({ room: of }) => {
    if (of === room) showAgain();
  });
  await room.follow({ limit: 20 });
  showAgain();
  return async () => {
    await room.loadOlder();
    showAgain();
  };
}
