/**
 * Who types, in the rooms that somebody on this edge attends. Edges tell each other
 * by pub/sub; nothing of it is stored, and what is lost ends by itself.
 *
 *   sign of a client ──▶ gathered ──publish──▶ every edge, this one too ──▶ typists
 *
 * A typist is dropped after LIMITS.typingMs without a new sign, or when one is told
 * to have stopped. Nobody is shown to themselves.
 */
import { monotonicMs } from "../ops/clock.ts";
import type { Log } from "../ops/log.ts";
import { encodeServerFrame, type Encoded } from "../protocol/codec.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Encoding } from "../protocol/version.ts";
import { packSigns, pairOf, SIGNS_MAX, unpackSigns, type TypingSign } from "../streams/typing.ts";
import { bytesOf, type EdgeTally } from "./edge-tally.ts";
import type { Attendee } from "./presence-views.ts";

export const TYPING_BOUNDS = {
  /** Users of one room that are known to type, more than are shown. */
  perRoom: 4 * LIMITS.typistsShown,
  /** Users on this edge whose signs are held to their rate. */
  own: 10_000,
  /** Signs that wait to be published. */
  gathered: SIGNS_MAX,
} as const;
/** Signs of this time leave, and changes of it are shown, together. */
const GATHER_MS = 30;
/** While it goes on, one user's sign in one room leaves at most this often. */
export const SIGN_EVERY_MS = 1_000;
/** Between two looks at who has not given a sign for too long. */
const EXPIRE_MS = 250;

export class Typing {
  readonly #publish: (message: Buffer) => Promise<unknown>;
  readonly #audience: (room: RoomId) => ReadonlySet<Attendee>;
  readonly #tally: EdgeTally;
  readonly #log: Log;
  /** Until when each typist of a room is shown, in the order in which they began. */
  readonly #typists = new Map<RoomId, Map<UserId, number>>();
  /** When the last sign of each user on this edge left, and whether they still type. */
  readonly #own = new Map<string, { atMs: number; on: boolean }>();
  #gathered = new Map<string, TypingSign>();
  /** Rooms with other typists than were told. */
  readonly #changed = new Set<RoomId>();
  #gathering: NodeJS.Timeout | null = null;
  #expiring: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: {
    publish: (message: Buffer) => Promise<unknown>;
    audience: (room: RoomId) => ReadonlySet<Attendee>;
    tally: EdgeTally;
    log: Log;
  }) {
    this.#publish = options.publish;
    this.#audience = options.audience;
    this.#tally = options.tally;
    this.#log = options.log;
  }

  /** Rooms and users that are remembered, for the bounds. */
  get size(): { readonly rooms: number; readonly own: number; readonly gathered: number } {
    return { rooms: this.#typists.size, own: this.#own.size, gathered: this.#gathered.size };
  }

  /** A user of this edge types, or has stopped to. */
  sign(room: RoomId, user: UserId, on: boolean): void {
    const pair = pairOf(room, user);
    const nowMs = monotonicMs();
    const own = this.#own.get(pair);
    const isFull =
      this.#own.size >= TYPING_BOUNDS.own || this.#gathered.size >= TYPING_BOUNDS.gathered;
    const isTooSoon = on && own !== undefined && nowMs - own.atMs < SIGN_EVERY_MS;
    if (isTooSoon || (!on && !own?.on) || (isFull && !own)) {
      this.#tally.typing.dropped++;
      return;
    }
    this.#own.set(pair, { atMs: on || !own ? nowMs : own.atMs, on });
    this.#gathered.set(pair, { room, user, on });
    this.#soon();
  }

  /** A message of the channel. */
  heard(message: Uint8Array): void {
    try {
      for (const sign of unpackSigns(message)) this.#take(sign);
    } catch (error) {
      this.#tally.typing.unreadable++;
      this.#log.debug({ err: error }, "signs of typing that cannot be read");
    }
  }

  #take({ room, user, on }: TypingSign): void {
    this.#tally.typing.heard++;
    if (!on) {
      this.stopped(room, user);
      return;
    }
    if (this.#audience(room).size === 0) return;
    let typists = this.#typists.get(room);
    if (!typists) {
      typists = new Map();
      this.#typists.set(room, typists);
    }
    if (!typists.has(user)) {
      if (typists.size >= TYPING_BOUNDS.perRoom) return;
      this.#change(room);
    }
    typists.set(user, monotonicMs() + LIMITS.typingMs);
    if (!this.#stopped) this.#expiring ??= setInterval(() => this.#expire(), EXPIRE_MS);
  }

  /** The user types there no more, as far as this edge shows it. */
  stopped(room: RoomId, user: UserId): void {
    const typists = this.#typists.get(room);
    if (!typists?.delete(user)) return;
    if (typists.size === 0) this.#typists.delete(room);
    this.#change(room);
  }

  /** Somebody has come to attend the room: who types there already? */
  attended(room: RoomId, attendee: Attendee): void {
    const users = this.#shownTo(room, attendee.user);
    if (users.length === 0) return;
    attendee.send(encodeServerFrame({ type: "typists", room, users }, attendee.encoding));
  }

  stop(): void {
    this.#stopped = true;
    if (this.#gathering) clearTimeout(this.#gathering);
    if (this.#expiring) clearInterval(this.#expiring);
  }

  #change(room: RoomId): void {
    this.#changed.add(room);
    this.#soon();
  }

  #soon(): void {
    if (this.#stopped) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      this.#publishSigns();
      for (const room of this.#changed) this.#tell(room);
      this.#changed.clear();
    }, GATHER_MS);
  }

  #publishSigns(): void {
    const signs = [...this.#gathered.values()];
    this.#gathered.clear();
    if (signs.length === 0) return;
    this.#tally.typing.published += signs.length;
    if (!this.#stopped) this.#expiring ??= setInterval(() => this.#expire(), EXPIRE_MS);
    this.#publish(Buffer.from(packSigns(signs))).catch((error: unknown) => {
      // Lost: the next sign replaces it, or it ends by itself.
      this.#tally.typing.dropped += signs.length;
      this.#log.debug({ err: error }, "signs of typing could not be published");
    });
  }

  #expire(): void {
    const nowMs = monotonicMs();
    for (const [room, typists] of this.#typists) {
      for (const [user, untilMs] of typists) if (untilMs <= nowMs) this.stopped(room, user);
    }
    for (const [pair, { atMs }] of this.#own) {
      if (nowMs - atMs >= LIMITS.typingMs) this.#own.delete(pair);
    }
    if (this.#typists.size > 0 || this.#own.size > 0 || this.#expiring === null) return;
    clearInterval(this.#expiring);
    this.#expiring = null;
  }

  /** Those who type, less one, as many as are shown. */
  #shownTo(room: RoomId, user: UserId | null): UserId[] {
    const shown: UserId[] = [];
    for (const typist of this.#typists.get(room)?.keys() ?? []) {
      if (shown.length >= LIMITS.typistsShown) break;
      if (typist !== user) shown.push(typist);
    }
    return shown;
  }

  /** One encoding for all who do not type; those who do are few, and get the others. */
  #tell(room: RoomId): void {
    const frames = new Map<Encoding, Encoded>();
    const typists = this.#typists.get(room);
    for (const attendee of this.#audience(room)) {
      const { user, encoding } = attendee;
      const types = typists?.has(user) ?? false;
      let data = types ? undefined : frames.get(encoding);
      if (data === undefined) {
        const users = this.#shownTo(room, user);
        data = encodeServerFrame({ type: "typists", room, users }, encoding);
        if (!types) frames.set(encoding, data);
      }
      this.#tally.bytesSent.published += bytesOf(data);
      attendee.send(data);
    }
  }
}
