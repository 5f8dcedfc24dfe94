/** What a client makes of the frames about people, in the plainest words. */
import type { ServerFrameOf } from "../../src/protocol/frames.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import type { Peer } from "./peer.ts";

export const QUICK = { leaseMs: 1_500, renewMs: 400, graceMs: 300 } as const;

export function attend(peer: Peer, ...rooms: readonly string[]): void {
  peer.send({ type: "attend", rooms: rooms as readonly RoomId[] });
}
export function types(peer: Peer, room: string, on = true): void {
  peer.send({ type: "typing", room: room as RoomId, on });
}

/** Follows and attends; resolves when the room's state was told. */
export async function present(peer: Peer, room: string): Promise<void> {
  await peer.follow(room);
  const since = peer.frames.length;
  attend(peer, room);
  await peer.next("presence", (frame) => frame.room === room && frame.whole, since);
}

export function presenceFrames(peer: Peer, room: string): ServerFrameOf<"presence">[] {
  return peer.frames.filter(
    (frame): frame is ServerFrameOf<"presence"> => frame.type === "presence" && frame.room === room,
  );
}

/** Who is there, and when the others were seen last. */
export function stateOf(
  peer: Peer,
  room: string,
): { online: string[]; lastSeen: Map<string, number>; count: number } {
  const online = new Set<string>();
  const lastSeen = new Map<string, number>();
  let count = 0;
  for (const frame of presenceFrames(peer, room)) {
    if (frame.whole) {
      online.clear();
      lastSeen.clear();
    }
    count = frame.count;
    for (const user of frame.online) {
      online.add(user);
      lastSeen.delete(user);
    }
    for (const { user, lastSeen: at } of frame.offline) {
      online.delete(user);
      lastSeen.set(user, at);
    }
  }
  return { online: [...online].sort(), lastSeen, count };
}

/** Waits until the peer sees exactly these there. */
export async function sees(peer: Peer, room: string, ...users: readonly string[]): Promise<void> {
  const wanted = [...users].sort().join(" ");
  await peer.until(`${wanted} in ${room}`, () => {
    const { online, count } = stateOf(peer, room);
    return online.join(" ") === wanted && count === online.length ? true : null;
  });
}

/** The newest list of who types, or null when none was told. */
export function typistsOf(peer: Peer, room: string): string[] | null {
  const frames = peer.frames.filter((frame) => frame.type === "typists" && frame.room === room);
  return (frames.at(-1) as ServerFrameOf<"typists"> | undefined)?.users.slice().sort() ?? null;
}
export async function seesTyping(
  peer: Peer,
  room: string,
  ...users: readonly string[]
): Promise<void> {
  const wanted = [...users].sort().join(" ");
  await peer.until(`${wanted} typing in ${room}`, () =>
    (typistsOf(peer, room) ?? []).join(" ") === wanted ? true : null,
  );
}
