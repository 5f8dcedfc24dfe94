/**
 * Tells people that their list of rooms has changed: somebody invited them, or they
 * joined or left on another device. Word comes by pub/sub from whoever keeps the
 * lists, once the list is as it says; what is lost shows with the next connection.
 */
import type { Log } from "../ops/log.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { SchemaError } from "../protocol/schema.ts";
import { unpackListNews } from "../streams/list-news.ts";
import type { UserDevices } from "./user-devices.ts";

/** Changes of this time are told together. */
const TELL_MS = 50;

export class RoomNews {
  readonly #devices: UserDevices;
  readonly #log: Log;
  readonly #changed = new Map<UserId, Set<RoomId>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(devices: UserDevices, log: Log) {
    this.#devices = devices;
    this.#log = log;
  }

  hear(message: Uint8Array): void {
    try {
      for (const { user, room } of unpackListNews(message)) {
        // Most news are of people on other edges.
        if (!this.#devices.has(user)) continue;
        const rooms = this.#changed.get(user);
        if (rooms) rooms.add(room);
        else this.#changed.set(user, new Set([room]));
      }
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      this.#log.warn({ err: error }, "news of lists that no keeper of lists wrote");
    }
    if (this.#changed.size > 0) this.#timer ??= setTimeout(() => this.#flush(), TELL_MS);
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = null;
    for (const [user, changed] of this.#changed) {
      const rooms = [...changed];
      for (let at = 0; at < rooms.length; at += LIMITS.roomsPerResume) {
        const part = rooms.slice(at, at + LIMITS.roomsPerResume);
        if (!this.#devices.tell(user, { type: "roomsChanged", rooms: part })) break;
      }
    }
    this.#changed.clear();
  }
}
