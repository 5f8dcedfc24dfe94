/**
 * Everybody's position in one room, and how many have read how far. The counts are
 * made when somebody first asks, which happens in large rooms only, and are kept
 * from then on: a move costs a search from the end, where positions are.
 */
import type { Seq, UserId } from "../protocol/ids.ts";

/** A member's position. */
export interface Mark {
  readonly through: Seq;
  /** What others may see of it, where that is less than `through`. */
  readonly shown?: Seq;
  /** Messages that do not count as unread: see positions.ts. */
  readonly base: number;
  /** Messages up to here do not count, where it is more than `through`: they were kept no longer. */
  readonly from?: Seq;
}

export function shownOf({ through, shown = through }: Mark): Seq {
  return shown;
}

/** So many members have read everything up to `through`, as far as others may see. */
export interface ReadersStep {
  readonly through: Seq;
  readonly readers: number;
}

export class Marks {
  readonly #marks = new Map<UserId, Mark>();
  /** Rising, each with the number of members who are just there; null until it is asked for. */
  #places: { readonly through: Seq; members: number }[] | null = null;

  get size(): number {
    return this.#marks.size;
  }

  get(user: UserId): Mark | undefined {
    return this.#marks.get(user);
  }

  [Symbol.iterator](): IterableIterator<[UserId, Mark]> {
    return this.#marks.entries();
  }

  set(user: UserId, mark: Mark): void {
    const before = this.#marks.get(user);
    this.#marks.set(user, mark);
    const place = shownOf(mark);
    if (this.#places === null || (before && shownOf(before) === place)) return;
    if (before) this.#leave(this.#places, shownOf(before));
    this.#enter(this.#places, place);
  }

  delete(user: UserId): void {
    const before = this.#marks.get(user);
    this.#marks.delete(user);
    if (this.#places && before) this.#leave(this.#places, shownOf(before));
  }

  /** The furthest positions, the furthest first; what is read before the last of them, at least as many have. */
  readers(steps: number): ReadersStep[] {
    this.#places ??= this.#count();
    let readers = 0;
    return this.#places
      .slice(-steps)
      .toReversed()
      .map(({ through, members }) => ({ through, readers: (readers += members) }));
  }

  #count(): { through: Seq; members: number }[] {
    const places = new Map<Seq, number>();
    for (const mark of this.#marks.values()) {
      const place = shownOf(mark);
      places.set(place, (places.get(place) ?? 0) + 1);
    }
    return [...places]
      .map(([through, members]) => ({ through, members }))
      .sort((a, b) => a.through - b.through);
  }

  #enter(places: { through: Seq; members: number }[], through: Seq): void {
    const at = places.findLastIndex((place) => place.through <= through);
    const place = places[at];
    if (place?.through === through) place.members++;
    else places.splice(at + 1, 0, { through, members: 1 });
  }

  #leave(places: { through: Seq; members: number }[], through: Seq): void {
    const at = places.findLastIndex((place) => place.through === through);
    const place = places[at];
    if (place && --place.members === 0) places.splice(at, 1);
  }
}
