/**
 * Reads of rooms for those who attend them: one of a room at a time, some rooms at
 * once, and again after a while where it failed, for as long as somebody wants it.
 *
 *              begins, while fewer than AT_ONCE are           answered
 *   waiting ──────────────────────────────────────▶ under way ─────────▶ (nothing)
 *      ▲                                               │
 *      └───────── failed: none begins for RETRY_MS ────┘
 *
 * A room that is wanted while it is read waits for another read: the answer on its
 * way may be from before.
 */
import type { Log } from "../ops/log.ts";
import type { RoomId } from "../protocol/ids.ts";

/** Rooms read at once; further ones wait. */
export const ROOM_READS_AT_ONCE = 32;
/** After a read that failed: Redis may be away. */
export const ROOM_RETRY_MS = 500;

export class RoomReads {
  readonly #read: (room: RoomId) => Promise<void>;
  readonly #isWanted: (room: RoomId) => boolean;
  readonly #log: Log;
  readonly #waiting = new Set<RoomId>();
  readonly #underWay = new Set<RoomId>();
  #retry: NodeJS.Timeout | null = null;
  #scheduled = false;
  #stopped = false;

  /** `read` takes what it finds to where it is wanted; `isWanted` is asked right before. */
  constructor(options: {
    read: (room: RoomId) => Promise<void>;
    isWanted: (room: RoomId) => boolean;
    log: Log;
  }) {
    this.#read = options.read;
    this.#isWanted = options.isWanted;
    this.#log = options.log;
  }

  /** With the others of this turn; wanted twice before it begins, it is read once. */
  want(room: RoomId): void {
    this.#waiting.add(room);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#begin();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    if (this.#retry) clearTimeout(this.#retry);
  }

  #begin(): void {
    if (this.#retry || this.#stopped) return;
    for (const room of this.#waiting) {
      if (this.#underWay.size >= ROOM_READS_AT_ONCE) return;
      if (this.#underWay.has(room)) continue;
      this.#waiting.delete(room);
      if (this.#isWanted(room)) this.#run(room);
    }
  }

  #run(room: RoomId): void {
    this.#underWay.add(room);
    this.#read(room)
      .catch((error: unknown) => this.#failed(room, error))
      .finally(() => {
        this.#underWay.delete(room);
        this.#begin();
      });
  }

  #failed(room: RoomId, error: unknown): void {
    this.#log.debug({ err: error, room }, "a room could not be read, it is tried again");
    if (this.#stopped) return;
    this.#waiting.add(room);
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#begin();
    }, ROOM_RETRY_MS);
  }
}
