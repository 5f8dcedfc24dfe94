/** Who is there in one room, as far as the server tells those who attend it. */
import type { ServerFrameOf } from "../protocol/frames.ts";
import type { UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";

/** Users of whom it is remembered when they were seen last; those who left first go first. */
export const LAST_SEEN_MAX = 2 * LIMITS.largeRoom;

export interface Presence {
  /** False before the first state, and while the room is not live: others may have come and gone. */
  readonly current: boolean;
  /** How many are there. */
  readonly count: number;
  /** All of them, or in a large room a sample. */
  readonly online: ReadonlySet<UserId>;
  readonly complete: boolean;
  /** Of those who are not there: milliseconds since 1970. */
  readonly lastSeen: ReadonlyMap<UserId, number>;
}

const NOBODY: Presence = {
  current: false,
  count: 0,
  online: new Set(),
  complete: true,
  lastSeen: new Map(),
};

export class PresenceView {
  #shown: Presence = NOBODY;

  /** A new value after each change. */
  get shown(): Presence {
    return this.#shown;
  }

  /** False for a change of a state that is not known here. */
  take({ whole, count, online: came, offline: left }: ServerFrameOf<"presence">): boolean {
    if (!whole && !this.#shown.current) return false;
    const online = new Set(whole ? [] : this.#shown.online);
    const lastSeen = new Map(whole ? [] : this.#shown.lastSeen);
    for (const { user, lastSeen: at } of left) {
      online.delete(user);
      lastSeen.delete(user);
      lastSeen.set(user, at);
    }
    for (const user of came) {
      online.add(user);
      lastSeen.delete(user);
    }
    for (const user of lastSeen.keys()) {
      if (lastSeen.size <= LAST_SEEN_MAX) break;
      lastSeen.delete(user);
    }
    this.#shown = { current: true, count, online, complete: online.size === count, lastSeen };
    return true;
  }

  /** The server tells no more of it. False when that is no news. */
  lost(): boolean {
    if (!this.#shown.current) return false;
    this.#shown = { ...this.#shown, current: false };
    return true;
  }
}
