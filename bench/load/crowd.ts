/** Many attendees in rooms of one size: what they do together, and whether all of it has come. */
import { signToken } from "../../src/cli/token.ts";
import type { DeviceId, RoomId } from "../../src/protocol/ids.ts";
import { PROTOCOL_VERSION } from "../../src/protocol/version.ts";
import { Attendee } from "./attendee.ts";
import { SendFrame } from "./send-frame.ts";

/** Set-up is not what is measured. */
const AT_ONCE = 32;
const TOKEN_LIFE_SEC = 3_600;
const LOOK_MS = 10;

/** Where the edges are, and what they trust. */
export interface Door {
  readonly addresses: readonly string[];
  readonly secret: string;
  readonly audience: string;
}
export interface CrowdSize {
  readonly rooms: number;
  readonly membersPerRoom: number;
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

export class Crowd {
  /** Room by room; the first of each room made it. */
  readonly attendees: readonly Attendee[];
  readonly #size: CrowdSize;

  private constructor(attendees: readonly Attendee[], size: CrowdSize) {
    this.attendees = attendees;
    this.#size = size;
  }

  /** Everybody is connected, a member of their room and follows it. */
  static async gather(door: Door, size: CrowdSize): Promise<Crowd> {
    const count = size.rooms * size.membersPerRoom;
    const attendees: Attendee[] = [];
    for (let i = 0; i < count; i++) attendees.push(await invite(door, size, i));
    const crowd = new Crowd(attendees, size);
    await inTurns(attendees, (one) => one.connect());
    await inTurns(crowd.founders, (one) => {
      const { room } = one;
      return one.perform((k) => ({ type: "create", k, room, kind: "public", name: room }));
    });
    const others = attendees.filter((_, i) => i % size.membersPerRoom !== 0);
    await inTurns(others, (one) => one.perform((k) => ({ type: "join", k, room: one.room })));
    await inTurns(attendees, (one) => one.follow());
    return crowd;
  }

  get founders(): readonly Attendee[] {
    return this.attendees.filter((_, i) => i % this.#size.membersPerRoom === 0);
  }

  attend(): void {
    for (const one of this.attendees) one.attend();
  }

  /**
   * Resolves when each of `watchers` is told of exactly those who are in `there`; the times, in
   * ms from now, at which each was. Those who were not within `maxMs` have none.
   */
  async steady(
    watchers: readonly Attendee[],
    there: (one: Attendee) => boolean,
    maxMs: number,
  ): Promise<number[]> {
    const expected = new Map<RoomId, Set<string>>();
    for (const one of this.attendees) {
      const users = expected.get(one.room) ?? new Set<string>();
      expected.set(one.room, users);
      if (there(one)) users.add(one.user);
    }
    const sinceMs = performance.now();
    const doneMs = new Map<Attendee, number>();
    for (const one of watchers) {
      const users = expected.get(one.room) as Set<string>;
      const look = (): void => {
        if (!isSame(one.online, users)) doneMs.delete(one);
        else if (!doneMs.has(one)) doneMs.set(one, performance.now() - sinceMs);
      };
      one.onPresence = look;
      look();
    }
    while (doneMs.size < watchers.length && performance.now() - sinceMs < maxMs) {
      await pause(LOOK_MS);
    }
    for (const one of watchers) one.onPresence = null;
    return [...doneMs.values()];
  }

  /** By the clock, in turn; each message goes to everybody in its room. Returns how many. */
  async talk(perSec: number, seconds: number): Promise<number> {
    const frames = this.attendees.map(({ room }, i) => new SendFrame(room, i));
    const { rooms, membersPerRoom } = this.#size;
    const count = perSec * seconds;
    await byTheClock(perSec, count, (turn) => {
      // Room after room, so that neighbours in time are not neighbours in a room.
      const at = (turn % rooms) * membersPerRoom + (Math.floor(turn / rooms) % membersPerRoom);
      const one = this.attendees[at] as Attendee;
      one.sendMade((k) => (frames[at] as SendFrame).stamp(k, k, 0));
    });
    return count;
  }

  /** What was sent to everybody, for a comparison before and after. */
  sum(pick: (one: Attendee) => number): number {
    return this.attendees.reduce((total, one) => total + pick(one), 0);
  }

  faults(): string[] {
    const counts = new Map<string, number>();
    for (const { faults } of this.attendees) {
      for (const [what, count] of Object.entries(faults)) {
        counts.set(what, (counts.get(what) ?? 0) + count);
      }
    }
    return [...counts].map(([what, count]) => `${count} × ${what}`);
  }

  end(): void {
    for (const one of this.attendees) one.drop();
  }
}

async function invite(door: Door, size: CrowdSize, index: number): Promise<Attendee> {
  const place = index % size.membersPerRoom;
  const number = Math.floor(index / size.membersPerRoom);
  const user = `u${index}`;
  const { addresses, secret, audience } = door;
  const token = await signToken({ user, secret, audience, lifeSeconds: TOKEN_LIFE_SEC });
  const device = "bench" as DeviceId;
  const address = addresses[(place + number) % addresses.length] as string;
  return new Attendee({
    user,
    room: `r${String(number).padStart(6, "0")}` as RoomId,
    url: `${address.replace(/^http/, "ws")}/v1/socket`,
    hello: { type: "hello", version: PROTOCOL_VERSION, token, device, agent: "bench" },
  });
}

/** `act` at its times, whether or not earlier ones are done. */
export async function byTheClock(
  perSec: number,
  count: number,
  act: (turn: number) => void,
): Promise<void> {
  const sinceMs = performance.now();
  for (let turn = 0; turn < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - sinceMs) / 1_000) * perSec) + 1);
    while (turn < due) act(turn++);
    await pause(1_000 / perSec);
  }
}

async function inTurns(
  all: readonly Attendee[],
  run: (one: Attendee) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < all.length; at += AT_ONCE) {
    await Promise.all(all.slice(at, at + AT_ONCE).map(run));
  }
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false;
  for (const each of a) if (!b.has(each)) return false;
  return true;
}
