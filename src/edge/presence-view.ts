/**
 * Who is there in one room, as this edge tells those who attend it:
 *
 *             read                    bells were missed
 *   loading ───────▶ current ──────────────────────────────▶ loading
 *                     └─ changes of bells gather, and are told some at a time
 *
 * Bells that come while the room is read are kept, and count from the position on
 * that the read answers for. No clock and no I/O in here.
 *
 * In a large room a count is told, and a sample: always the same one for all, so
 * that its changes can be told as well.
 */
import type { ServerFrameOf } from "../protocol/frames.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import { isLargeRoom, LIMITS } from "../protocol/limits.ts";
import { comparePositions, type Position } from "../redis/position.ts";
import type { PresenceChange } from "../streams/bell.ts";

/** Of a user: 0 for there, or since when away in milliseconds since 1970. */
type Mark = number;
const THERE: Mark = 0;

/** A room as it was read. */
export interface PresenceSnapshot {
  readonly position: Position;
  readonly marks: ReadonlyMap<UserId, Mark>;
  readonly members: number;
}
type Frame = Omit<ServerFrameOf<"presence">, "type" | "room">;
interface Heard {
  readonly to: Position;
  readonly change: PresenceChange;
}

/** Changes kept while a room is read; past it the room is read once more. */
export const HEARD_MAX = 4_096;

export class PresenceView {
  readonly room: RoomId;
  /** Null while it is current; else what was heard of since the read began. */
  #heard: Heard[] | null = [];
  #overheard = false;
  /** As the clients know it. */
  readonly #told = new Map<UserId, Mark>();
  /** What they are to be told: a mark, or when the user left the room. */
  readonly #changed = new Map<UserId, { readonly mark: Mark } | { readonly leftAt: number }>();
  #members = 0;
  #there = 0;
  #sample: Set<UserId> | null = null;

  constructor(room: RoomId) {
    this.room = room;
  }

  get isLoading(): boolean {
    return this.#heard !== null;
  }
  get hasChanges(): boolean {
    return this.#changed.size > 0;
  }

  /** What is known may be old: a read follows. */
  reload(): void {
    this.#heard = [];
    this.#overheard = false;
  }

  /** A change, of a bell that goes up to `to`. */
  hear(change: PresenceChange, to: Position): void {
    if (!this.#heard) this.#take(change);
    else if (this.#heard.length < HEARD_MAX) this.#heard.push({ to, change });
    else this.#overheard = true;
  }

  #take({ user, now, sinceMs }: PresenceChange): void {
    if (now === "left") this.#changed.set(user, { leftAt: sinceMs });
    else this.#changed.set(user, { mark: now === "there" ? THERE : sinceMs });
  }

  /** False when more was heard of meanwhile than could be kept: to be read again. `nowMs` since 1970. */
  loaded({ position, marks, members }: PresenceSnapshot, nowMs: number): boolean {
    if (this.#overheard) {
      this.reload();
      return false;
    }
    const heard = this.#heard ?? [];
    this.#heard = null;
    this.#members = members;
    this.#changed.clear();
    for (const [user, mark] of marks) if (this.#told.get(user) !== mark) this.#set(user, mark);
    for (const user of this.#told.keys()) {
      if (!marks.has(user)) this.#changed.set(user, { leftAt: nowMs });
    }
    for (const { to, change } of heard) {
      if (comparePositions(to, position) > 0) this.#take(change);
    }
    return true;
  }

  #set(user: UserId, mark: Mark): void {
    this.#changed.set(user, { mark });
  }

  /** All of it, as the clients know it by now. */
  whole(): Frame {
    const { online, offline } = this.#lists();
    return { whole: true, count: this.#there, online, offline };
  }

  #lists(): Pick<Frame, "online" | "offline"> {
    if (this.#sample) return { online: [...this.#sample], offline: [] };
    const online: UserId[] = [];
    const offline: Frame["offline"][number][] = [];
    for (const [user, mark] of this.#told) {
      if (mark === THERE) online.push(user);
      else offline.push({ user, lastSeen: mark });
    }
    return { online, offline };
  }

  /** What has changed since the last call, from now on known to the clients; null for nothing. */
  flush(): Frame | null {
    const before = this.#there;
    const sampled = this.#sample;
    const told = this.#tellChanges();
    const isLarge = isLargeRoom(Math.max(this.#members, this.#told.size));
    this.#sample = isLarge ? this.#nextSample(sampled) : null;
    if (isLarge !== (sampled !== null)) return this.whole();
    const frame = sampled && this.#sample ? this.#sampleChanges(sampled, told) : told;
    const { online, offline } = frame;
    // Half a room left at once, while others came and went.
    if (offline.length > LIMITS.largeRoom) return this.whole();
    if (online.length + offline.length === 0 && before === this.#there) return null;
    return { whole: false, count: this.#there, online, offline };
  }

  #tellChanges(): Pick<Frame, "online" | "offline"> {
    const online: UserId[] = [];
    const offline: Frame["offline"][number][] = [];
    for (const [user, change] of this.#changed) {
      const old = this.#told.get(user);
      const mark = "mark" in change ? change.mark : null;
      if (mark === (old ?? null)) continue;
      if (old === THERE) this.#there--;
      if (mark === null) this.#told.delete(user);
      else this.#told.set(user, mark);
      if (mark === THERE) {
        this.#there++;
        online.push(user);
      } else {
        offline.push({ user, lastSeen: "leftAt" in change ? change.leftAt : change.mark });
      }
    }
    this.#changed.clear();
    return { online, offline };
  }

  /** The old one less those who have gone, filled up with others. */
  #nextSample(old: ReadonlySet<UserId> | null): Set<UserId> {
    const sample = new Set([...(old ?? [])].filter((user) => this.#told.get(user) === THERE));
    for (const [user, mark] of this.#told) {
      if (sample.size >= LIMITS.presenceSample) break;
      if (mark === THERE) sample.add(user);
    }
    return sample;
  }

  #sampleChanges(
    before: ReadonlySet<UserId>,
    { offline }: Pick<Frame, "offline">,
  ): Pick<Frame, "online" | "offline"> {
    const sample = this.#sample ?? new Set<UserId>();
    return {
      online: [...sample].filter((user) => !before.has(user)),
      offline: offline.filter(({ user }) => before.has(user)),
    };
  }
}
