/**
 * Every delivery is checked: in a room the seqs that a socket sees have no hole,
 * and every message of every sender is seen once, in the sender's order. Where
 * there are no seqs, the orders that the members of a room saw are compared.
 */
import type { Completeness } from "./plan.ts";

export class Ledger {
  readonly #members: number;
  /** Next seq of each receiver; -1 where there are none. */
  readonly #nextSeq: Float64Array;
  /** Next number of each sender of the room, for each receiver. */
  readonly #next: Float64Array;
  /** Numbers that were jumped over, by place in `#next`. */
  readonly #missing = new Map<number, Set<number>>();
  readonly #sent: Float64Array;
  /** What each receiver saw, in its order, where there are no seqs. */
  readonly #orders: number[][];
  #totalSent = 0;
  #delivered = 0;
  #doubled = 0;
  #reordered = 0;
  refused = 0;
  closed = 0;
  unfinished = false;

  constructor(rooms: number, membersPerRoom: number) {
    const sockets = rooms * membersPerRoom;
    this.#members = membersPerRoom;
    this.#nextSeq = new Float64Array(sockets).fill(-1);
    this.#next = new Float64Array(sockets * membersPerRoom);
    this.#sent = new Float64Array(sockets);
    this.#orders = Array.from({ length: sockets }, () => []);
  }

  get totalSent(): number {
    return this.#totalSent;
  }
  get delivered(): number {
    return this.#delivered;
  }

  startAt(receiver: number, seq: number): void {
    this.#nextSeq[receiver] = seq;
  }

  sent(sender: number): void {
    this.#sent[sender] = (this.#sent[sender] as number) + 1;
    this.#totalSent++;
  }

  /** `seq` is null where the peer gives none. */
  arrived(receiver: number, sender: number, n: number, seq: number | null): void {
    const room = Math.floor(receiver / this.#members);
    if (Math.floor(sender / this.#members) !== room) {
      throw new Error(`socket ${receiver} got a message of sender ${sender} from another room`);
    }
    this.#delivered++;
    if (seq !== null) {
      if (seq !== this.#nextSeq[receiver]) this.#reordered++;
      this.#nextSeq[receiver] = seq + 1;
    } else {
      this.#orders[receiver]?.push(n * this.#members + (sender % this.#members));
    }
    const place = receiver * this.#members + (sender % this.#members);
    const next = this.#next[place] as number;
    if (n === next) {
      this.#next[place] = n + 1;
      return;
    }
    const missing = this.#missing.get(place) ?? new Set();
    this.#missing.set(place, missing);
    if (n > next) {
      for (let jumped = next; jumped < n; jumped++) missing.add(jumped);
      this.#next[place] = n + 1;
    } else if (missing.delete(n)) this.#reordered++;
    else this.#doubled++;
  }

  /** Deliveries that have not arrived. */
  get lost(): number {
    let lost = 0;
    this.#next.forEach((next, place) => {
      const receiver = Math.floor(place / this.#members);
      const first = receiver - (receiver % this.#members);
      const sent = this.#sent[first + (place % this.#members)] as number;
      lost += sent - next + (this.#missing.get(place)?.size ?? 0);
    });
    return lost;
  }

  /** Deliveries after which came one that the room's first member had seen earlier. */
  get disagreed(): number {
    let disagreed = 0;
    for (let first = 0; first < this.#orders.length; first += this.#members) {
      const ranks = new Map(this.#orders[first]?.map((message, rank) => [message, rank]));
      for (const order of this.#orders.slice(first + 1, first + this.#members)) {
        let last = -1;
        for (const message of order) {
          const rank = ranks.get(message) ?? last;
          if (rank < last) disagreed++;
          last = rank;
        }
      }
    }
    return disagreed;
  }

  completeness(): Completeness {
    return {
      sent: this.#totalSent,
      delivered: this.#delivered,
      lost: this.lost,
      doubled: this.#doubled,
      reordered: this.#reordered,
      disagreed: this.disagreed,
      refused: this.refused,
      closed: this.closed,
      unfinished: this.unfinished,
    };
  }
}
