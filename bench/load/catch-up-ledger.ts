/**
 * Every entry that a follower is sent is checked: one follower is one socket in one
 * room. Room messages are numbered from 0 by their only writer, so an entry's seq says
 * which message it has to be.
 */
export class CatchUpLedger {
  /** Seq of the first message that each follower missed. */
  readonly #first: Float64Array;
  /** Number of the next message for each follower. */
  readonly #next: Float64Array;
  /** Numbers that were jumped over, by follower. */
  readonly #missing = new Map<number, Set<number>>();
  #delivered = 0;
  #doubled = 0;
  #reordered = 0;

  constructor(followers: number) {
    this.#first = new Float64Array(followers);
    this.#next = new Float64Array(followers);
  }

  startAt(follower: number, seq: number): void {
    this.#first[follower] = seq;
  }

  arrived(follower: number, seq: number, n: number): void {
    this.#delivered++;
    const place = seq - (this.#first[follower] as number);
    const next = this.#next[follower] as number;
    if (place !== n) this.#reordered++;
    if (place === next) {
      this.#next[follower] = place + 1;
      return;
    }
    const missing = this.#missing.get(follower) ?? new Set();
    this.#missing.set(follower, missing);
    if (place > next) {
      for (let jumped = next; jumped < place; jumped++) missing.add(jumped);
      this.#next[follower] = place + 1;
    } else if (missing.delete(place)) this.#reordered++;
    else this.#doubled++;
  }

  /** Whether the follower has the first `messages` of its room. */
  has(follower: number, messages: number): boolean {
    const isWhole = (this.#missing.get(follower)?.size ?? 0) === 0;
    return isWhole && (this.#next[follower] as number) >= messages;
  }

  /** When each room has had `messages`. */
  totals(messages: number): Totals {
    let lost = 0;
    this.#next.forEach((next, follower) => {
      lost += Math.max(0, messages - next) + (this.#missing.get(follower)?.size ?? 0);
    });
    const [delivered, doubled, reordered] = [this.#delivered, this.#doubled, this.#reordered];
    return { delivered, lost, doubled, reordered };
  }
}

interface Totals {
  readonly delivered: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
}
