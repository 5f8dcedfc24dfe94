/**
 * Somebody who is in every room and reads along: at random places, now and then back
 * to where they were, on one device over every reconnect.
 *
 * Where a reader stands is known here and not asked of the engine: reading only goes on
 * past everything that was read before, and the way back is taken only where the engine
 * has the position before it and no copy of that is on its way.
 */
import type { ChatClient } from "../../client/client.ts";
import type { Room } from "../../client/room.ts";
import type { ListedRoom } from "../../client/replies.ts";
import { monotonicMs } from "../../ops/clock.ts";
import type { Lifecycle } from "../../ops/lifecycle.ts";
import type { Cursor } from "../../protocol/cursor.ts";
import { openClient, type EngineAccess } from "./engine-access.ts";
import type { PlayedRoom } from "./player.ts";
import { pick, type Random } from "./random.ts";

/** Between two acts of a reader, in whatever room. */
const TURN_MS = 25;
const BACK_CHANCE = 0.1;
/** Rooms in which a reader is on the way back at one time. */
const BACKS_MAX = 8;
/** Newest messages of a room that a reader may read up to, or go back to. */
const RECENT_MAX = 100;
/** An edge has passed on every copy of a position that it was told so long ago. */
const COPIES_MS = 1_000;
const SETTLE_MS = 15_000;
const POLL_MS = 250;
const ROOMS_AT_ONCE = 50;

interface Place {
  readonly room: Room;
  /** Entries in the end. */
  readonly entries: number;
  /** Seq of the entry with which the reader came. */
  readonly since: number;
  readonly recent: { readonly seq: number; readonly cursor: Cursor }[];
  /** On the way back: nothing is read meanwhile. */
  goesBack: boolean;
  /** Where the engine has to have the reader when all is quiet. */
  through: number;
  /** The furthest that was ever read. */
  furthest: number;
}

export interface ReaderRequest {
  readonly user: string;
  /** Which of the edges comes first. */
  readonly edge: number;
  readonly rooms: readonly PlayedRoom[];
  readonly random: Random;
}

export class Reader {
  readonly user: string;
  readonly #client: ChatClient;
  readonly #random: Random;
  readonly #places = new Map<string, Place>();
  readonly #backs = new Set<Promise<void>>();
  readonly #failures: string[] = [];
  #welcomes = 0;
  #reads = 0;
  #wentBack = 0;

  constructor(access: EngineAccess, { user, edge, rooms, random }: ReaderRequest) {
    this.user = user;
    this.#random = random;
    this.#client = openClient(access, { user, edge });
    for (const { id, plan } of rooms) {
      const since = plan.members.get(user) ?? 0;
      const room = this.#client.room(id);
      const entries = plan.expected.length;
      const at = { through: since, furthest: since };
      this.#places.set(id, { room, entries, since, recent: [], goesBack: false, ...at });
    }
    this.#client.on("state", ({ name }) => {
      if (name === "live") this.#welcomes++;
    });
    this.#client.on("entry", ({ room, entry: { seq, cursor, event } }) => {
      const place = this.#places.get(room.id);
      if (event.type !== "message.sent" || !place) return;
      place.recent.push({ seq, cursor });
      if (place.recent.length > RECENT_MAX) place.recent.shift();
    });
  }

  get reconnects(): number {
    return Math.max(0, this.#welcomes - 1);
  }
  /** Positions that were read up to. */
  get reads(): number {
    return this.#reads;
  }
  get wentBack(): number {
    return this.#wentBack;
  }
  /** What a reader asked for and was refused. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Where the reader stands. */
  through(room: string): number {
    return this.#place(room).through;
  }
  furthest(room: string): number {
    return this.#place(room).furthest;
  }
  /** As the SDK shows it. */
  room(room: string): Room {
    return this.#place(room).room;
  }
  /** As the server lists it now. Rejects with ClientError. */
  listed(): Promise<readonly ListedRoom[]> {
    return this.#client.rooms();
  }

  /** Joins the rooms and attends them; resolves when all of them are followed. */
  async come(): Promise<void> {
    await this.#client.connect();
    const places = [...this.#places.values()];
    for (let at = 0; at < places.length; at += ROOMS_AT_ONCE) {
      const some = places.slice(at, at + ROOMS_AT_ONCE);
      await Promise.all(
        some.map(async ({ room }) => {
          await room.join();
          await room.follow({ limit: 1, attend: true });
        }),
      );
    }
    await this.#client.list.load();
  }

  /** Reads along until the lifecycle stops. */
  async readAlong(lifecycle: Lifecycle): Promise<void> {
    const places = [...this.#places.values()];
    while (!lifecycle.stopping) {
      await lifecycle.sleep(TURN_MS);
      const place = pick(this.#random, places);
      if (place.goesBack || place.recent.length === 0) continue;
      const isBack = this.#random() < BACK_CHANCE && this.#backs.size < BACKS_MAX;
      if (isBack) this.#startBack([place]);
      else this.#read(place, pick(this.#random, place.recent));
    }
  }

  /**
   * To be called when everything was said: comes to rest somewhere else in each room, at
   * the end, before it, or gone back. Resolves when the engine has all of it, or in vain
   * at the deadline.
   */
  async finish(deadlineMs: number): Promise<void> {
    await Promise.all(this.#backs);
    const places = [...this.#places.values()];
    const isHere = ({ room, entries }: Place): boolean => (room.lastSeq ?? 0) >= entries;
    while (!places.every(isHere) && monotonicMs() < deadlineMs) await pause(POLL_MS);
    const back: Place[] = [];
    for (const place of places.filter(({ recent }) => recent.length > 0)) {
      const chance = this.#random();
      if (chance < 1 / 3) this.#read(place, place.recent.at(-1) as Place["recent"][number]);
      else if (chance < 2 / 3) back.push(place);
      else this.#read(place, pick(this.#random, place.recent));
    }
    if (back.length > 0) this.#startBack(back);
    await Promise.all(this.#backs);
    await this.#haveSettled(places, deadlineMs);
    await this.#haveConfirmed();
  }

  close(): void {
    this.#client.close();
  }

  /** Nothing but what lies ahead of all that was read: of anything else the SDK may say nothing. */
  #read(place: Place, { seq, cursor }: Place["recent"][number]): void {
    if (seq <= place.furthest) return;
    place.furthest = seq;
    place.through = seq;
    place.room.read({ cursor });
    this.#reads++;
  }

  #startBack(places: readonly Place[]): void {
    for (const place of places) place.goesBack = true;
    const back = this.#goBack(places)
      .catch((error: unknown) => void this.#failures.push(`${this.user}: ${String(error)}`))
      .finally(() => {
        for (const place of places) place.goesBack = false;
        this.#backs.delete(back);
      });
    this.#backs.add(back);
  }

  async #goBack(places: readonly Place[]): Promise<void> {
    if (!(await this.#haveSettled(places, monotonicMs() + SETTLE_MS))) return;
    if (!(await this.#haveConfirmed())) return;
    await pause(COPIES_MS);
    await Promise.all(places.map((place) => this.#markUnread(place)));
  }

  async #markUnread(place: Place): Promise<void> {
    const read = place.recent.filter(({ seq }) => seq <= place.through);
    if (read.length === 0) return;
    const { seq, cursor } = pick(this.#random, read);
    await place.room.markUnread({ cursor });
    place.through = Math.max(seq - 1, place.since);
    this.#wentBack++;
  }

  /** The SDK learns from the list that positions were taken, and says none of them again then. */
  async #haveConfirmed(): Promise<boolean> {
    try {
      await this.#client.list.load();
      // The first answer may have been on its way already.
      await this.#client.list.load();
      return true;
    } catch {
      return false;
    }
  }

  /** True when the engine has the reader where it has to, in all of the rooms. */
  async #haveSettled(places: readonly Place[], deadlineMs: number): Promise<boolean> {
    while (monotonicMs() < deadlineMs) {
      // Servers may be killed while they are asked.
      const listed = await this.#client.rooms().catch(() => []);
      const throughs = new Map<string, number>(listed.map((one) => [one.room, one.through]));
      if (places.every(({ room, through }) => throughs.get(room.id) === through)) return true;
      await pause(POLL_MS);
    }
    return false;
  }

  #place(room: string): Place {
    const place = this.#places.get(room);
    if (!place) throw new RangeError(`nobody reads in ${room}`);
    return place;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
