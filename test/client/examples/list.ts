import type { ChatClient } from "../../../src/client/index.ts";

/** Keeps a list of rooms with what is unread, the most active one first. */
export async function openList(
  client: ChatClient,
  show: (lines: readonly string[]) => void,
): Promise<void> {
  const { list } = client;
  client.on("list", () => {
    show(list.rooms.map(({ name, unread, mentions }) => `${name} ${unread} ${mentions}`));
  });
  await list.load();
  // Followed rooms stay current by themselves; one entry is enough for a list.
  for (const { room, role } of list.rooms) {
    if (role !== "invited") void client.room(room).follow({ limit: 1 });
  }
}
