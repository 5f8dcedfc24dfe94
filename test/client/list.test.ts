/** When the list of rooms is read again: only for what nobody here can know. */
import { expect, it } from "vitest";
import { Agenda } from "../../src/client/agenda.ts";
import { REFRESH_EVERY_MS, RoomList } from "../../src/client/list.ts";
import { Reading } from "../../src/client/reading.ts";
import type { ListedRoom } from "../../src/client/replies.ts";
import type { Epoch, Seq, UserId } from "../../src/protocol/ids.ts";
import { FakeClock } from "./fake-clock.ts";
import { happened, listedRoom, said } from "./people.ts";
import { ROOM } from "./scripted-server.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A list of one room that is read, and what the server answers. */
async function newList(line: Partial<ListedRoom>) {
  const clock = new FakeClock();
  const agenda = new Agenda(clock);
  const server = { line: listedRoom(line), asked: 0 };
  const about = { clock, agenda, me: () => "ann" as UserId, connected: () => true };
  const reading: Reading = new Reading({
    ...about,
    name: ROOM,
    send: () => undefined,
    doubt: () => list.refresh(),
    changed: () => list.unreadChanged(ROOM),
  });
  const list: RoomList = new RoomList({
    ...about,
    random: () => 0,
    fetch: async () => {
      server.asked += 1;
      return [server.line];
    },
    reading: () => reading,
    emit: () => undefined,
  });
  await list.load();
  const pass = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      clock.advance(REFRESH_EVERY_MS);
      await settled();
    }
  };
  return { list, reading, server, pass };
}

it("[CL26] is read again for a doubt, and once more where the answer is from before it", async () => {
  const { list, reading, server, pass } = await newList({ head: 60 as Seq, unread: 50 });
  for (const seq of [61, 62]) reading.take(said(seq, "bob"), true);
  reading.tell({ through: 1 as Seq, unread: 51, mentions: 0, head: 62 as Seq });
  await pass();
  expect([list.unread, server.asked]).toEqual([51, 1]);
  reading.take(happened(63, "bob", { type: "message.deleted", target: 9 as Seq }), true);
  server.line = listedRoom({ head: 62 as Seq, through: 1 as Seq, unread: 51 });
  await pass();
  expect(server.asked).toBeGreaterThan(2);
  server.line = listedRoom({ head: 63 as Seq, through: 1 as Seq, unread: 50 });
  await pass();
  const { asked } = server;
  await pass();
  expect([list.unread, server.asked]).toEqual([50, asked]);
});

it("[CL26] takes another history of a room for what it is, though its head is lower", async () => {
  const { list, reading, server, pass } = await newList({ head: 60 as Seq, unread: 50 });
  for (const seq of [61, 62]) reading.take(said(seq, "bob"), true);
  reading.take(happened(63, "bob", { type: "message.deleted", target: 9 as Seq }), true);
  server.line = listedRoom({ epoch: 2 as Epoch, head: 5 as Seq, unread: 3 });
  await pass();
  const { asked } = server;
  await pass();
  expect([list.unread, server.asked]).toEqual([3, asked]);
  reading.tell({ through: 5 as Seq, unread: 0, mentions: 0, head: 5 as Seq });
  expect(list.unread).toBe(0);
});
