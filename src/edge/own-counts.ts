/**
 * What is unread for somebody after they have read, on whichever device, told to all
 * of their devices here. Who is at the head has nothing unread; everything else is
 * read from the room, some counts at once, the newest move of each reader and room,
 * and again after a while where that failed: no other word of it comes.
 */
import type { Log } from "../ops/log.ts";
import type { Bell, MovedMark } from "../streams/bell.ts";
import type { EdgeTally } from "./edge-tally.ts";
import type { RoomList, Unread } from "./room-list.ts";
import type { UserDevices } from "./user-devices.ts";

/** Counts read at once; further ones wait. */
const READS_AT_ONCE = 32;
/** After a read that failed: Redis may be away. */
export const COUNTS_RETRY_MS = 500;

export class OwnCounts {
  readonly #rooms: Pick<RoomList, "unread">;
  readonly #devices: UserDevices;
  readonly #tally: EdgeTally;
  readonly #log: Log;
  /** Whose counts are to be read, once for each room; in order. */
  readonly #wanted = new Map<string, MovedMark>();
  /** Whose counts are being read, at most READS_AT_ONCE. */
  readonly #underWay = new Map<string, MovedMark>();
  #reads = 0;
  /** While it runs no read begins. */
  #retry: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: {
    rooms: Pick<RoomList, "unread">;
    devices: UserDevices;
    tally: EdgeTally;
    log: Log;
  }) {
    this.#rooms = options.rooms;
    this.#devices = options.devices;
    this.#tally = options.tally;
    this.#log = options.log;
  }

  stop(): void {
    this.#stopped = true;
    this.#wanted.clear();
    this.#underWay.clear();
    if (this.#retry) clearTimeout(this.#retry);
  }

  hear({ marks = [] }: Bell): void {
    for (const mark of marks) if (this.#devices.has(mark.user)) this.#moved(mark);
  }

  #moved(mark: MovedMark): void {
    const { room, user, through, atHead } = mark;
    const key = `${room} ${user}`;
    // An answer on its way may be from before this move, and is not to be told after it.
    this.#underWay.delete(key);
    if (atHead) {
      this.#wanted.delete(key);
      this.#tell(mark, { through, unread: 0, mentions: 0, head: through });
      return;
    }
    this.#wanted.set(key, mark);
    this.#readNext();
  }

  #readNext(): void {
    if (this.#retry || this.#stopped) return;
    for (const [key, mark] of this.#wanted) {
      if (this.#reads >= READS_AT_ONCE) return;
      this.#wanted.delete(key);
      // They may have gone while it waited.
      if (this.#devices.has(mark.user)) this.#read(key, mark);
    }
  }

  #read(key: string, mark: MovedMark): void {
    const isNewest = (): boolean => this.#underWay.get(key) === mark;
    this.#underWay.set(key, mark);
    this.#reads++;
    this.#tally.countReads++;
    this.#rooms
      .unread(mark.user, mark.room)
      .then(
        (unread) => {
          if (unread && isNewest()) this.#tell(mark, unread);
        },
        (error: unknown) => {
          this.#log.debug({ err: error }, "counts could not be read, it is tried again");
          if (isNewest()) this.#readLater(key, mark);
        },
      )
      .finally(() => {
        if (isNewest()) this.#underWay.delete(key);
        this.#reads--;
        this.#readNext();
      });
  }

  #readLater(key: string, mark: MovedMark): void {
    this.#wanted.set(key, mark);
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#readNext();
    }, COUNTS_RETRY_MS);
  }

  #tell({ room, user }: MovedMark, { through, unread, mentions, head }: Unread): void {
    this.#devices.tell(user, { type: "unread", room, through, unread, mentions, head });
  }
}
