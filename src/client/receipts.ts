/**
 * How far the members of one room have read, as far as the server tells those who
 * attend it. Whoever sends a message has read everything before it. Of a large room
 * it tells how many have, and not who; of one in which receipts are off, nothing: then
 * the whole is empty.
 */
import type { Entry, ServerFrameOf } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";

export class Receipts {
  readonly #marks = new Map<UserId, Seq>();
  /** The whole was told once, and receipts are on. */
  #known = false;
  /** Of a large room, the furthest first. */
  #steps: ServerFrameOf<"readers">["steps"] = [];

  /** The newest entry that each of them has read: a live view. */
  get marks(): ReadonlyMap<UserId, Seq> {
    return this.#marks;
  }

  take({ whole, marks }: ServerFrameOf<"receipts">): void {
    // Positions only rise: an entry may have come before the state that was read before it.
    const told = new Set(marks.map(({ user }) => user));
    if (whole) for (const user of this.#marks.keys()) if (!told.has(user)) this.#marks.delete(user);
    // Somebody is in the room always, be it who is told.
    if (whole) this.#known = marks.length > 0;
    for (const { user, through } of marks) this.#rise(user, through);
    this.#steps = [];
  }

  /** The room is a large one. */
  takeReaders({ steps }: ServerFrameOf<"readers">): void {
    this.clear();
    this.#steps = steps;
  }

  /** The history of the room is another one. */
  clear(): void {
    this.#marks.clear();
    this.#known = false;
    this.#steps = [];
  }

  /** A new entry of the room; true when it says something. */
  happened({ seq, by, event }: Entry): boolean {
    // Where they are on again, the server tells the whole.
    if (event.type === "room.receiptsSet" && !event.on) return this.#end();
    if (!this.#known) return false;
    if (event.type === "member.left") return this.#marks.delete(event.user);
    if (event.type !== "message.sent" && event.type !== "message.folded") return false;
    return this.#rise(by, seq);
  }

  #end(): boolean {
    const had = this.#marks.size + this.#steps.length > 0;
    this.clear();
    return had;
  }

  /** Who has read the entry, its author left out. */
  seenBy({ seq, by }: Pick<Entry, "seq" | "by">): UserId[] {
    return [...this.#marks].flatMap(([user, through]) =>
      through >= seq && user !== by ? [user] : [],
    );
  }

  /** How many have, its author left out; in a large room at least so many where it is an old one. */
  readersOf(entry: Pick<Entry, "seq" | "by">): number {
    // The author has read it, and is one of them.
    const { readers = 1 } = this.#steps.findLast(({ through }) => through >= entry.seq) ?? {};
    return this.#steps.length > 0 ? Math.max(0, readers - 1) : this.seenBy(entry).length;
  }

  #rise(user: UserId, through: Seq): boolean {
    const before = this.#marks.get(user);
    if (before !== undefined && before >= through) return false;
    if (before === undefined && this.#marks.size >= LIMITS.largeRoom) return false;
    this.#marks.set(user, through);
    return true;
  }
}
