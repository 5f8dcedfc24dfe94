/** Ann's reading of a room by itself, and what it says and asks for. */
import { Agenda } from "../../src/client/agenda.ts";
import { Reading, type Position } from "../../src/client/reading.ts";
import { parseCursor } from "../../src/protocol/cursor.ts";
import type { Seq, UserId } from "../../src/protocol/ids.ts";
import { FakeClock } from "./fake-clock.ts";

export const ANN = "ann" as UserId;

export function newReading() {
  const clock = new FakeClock();
  const said: number[] = [];
  const words: string[] = [];
  const link = { up: true, doubts: 0, changes: 0 };
  const reading = new Reading({
    clock,
    agenda: new Agenda(clock),
    name: "general",
    me: () => ANN,
    connected: () => link.up,
    send: ({ through, isPrivate }) => {
      const seq = parseCursor(through)?.seq ?? 0;
      said.push(seq);
      words.push(isPrivate ? `${seq} in private` : `${seq}`);
    },
    doubt: () => (link.doubts += 1),
    changed: () => (link.changes += 1),
  });
  return { reading, clock, said, words, link };
}

export function position(through: number, unread: number, head: number): Position {
  return { through: through as Seq, unread, mentions: 0, head: head as Seq };
}
