/**
 * Two ways to learn of new entries, behind one interface. With few rooms the
 * edge blocks on their conversation streams themselves; that costs Redis some
 * 2 µs a room and wake-up, so with many it blocks on the partitions' bells, which
 * carry small entries and name the rooms of large ones.
 */
import type { Position } from "../redis/position.ts";
import type { StreamEntry } from "../redis/replies.ts";
import type { Outcome } from "../streams/bell.ts";
import { readConversationEntry } from "../streams/conversation.ts";
import type { Bells } from "./bells.ts";
import type { RoomTail, RoomTails } from "./room-tails.ts";

export interface TailSource {
  readonly name: "direct" | "bell";
  /** Streams to read next, each from where. */
  positions(): Map<string, Position>;
  /** Takes what a read brought; returns how many entries and outcomes that were. */
  accept(streams: ReadonlyMap<string, readonly StreamEntry[]>): number;
}
export type OnOutcome = (outcome: Outcome) => void;

export class DirectSource implements TailSource {
  readonly name = "direct";
  readonly #tails: RoomTails;
  readonly #bells: Bells;
  readonly #onOutcome: OnOutcome;

  constructor(tails: RoomTails, bells: Bells, onOutcome: OnOutcome) {
    this.#tails = tails;
    this.#bells = bells;
    this.#onOutcome = onOutcome;
  }

  /** The rooms, and the bells for the outcomes that they bring. */
  positions(): Map<string, Position> {
    const positions = this.#bells.positions();
    for (const { conversationKey, position } of this.#tails.all()) {
      positions.set(conversationKey, position);
    }
    return positions;
  }

  accept(streams: ReadonlyMap<string, readonly StreamEntry[]>): number {
    const accepted = offerConversations(this.#tails, this.#tails.all(), streams);
    this.#tails.flush();
    let outcomes = 0;
    for (const bell of this.#bells.take(streams)) {
      outcomes += bell.outcomes.length;
      for (const outcome of bell.outcomes) this.#onOutcome(outcome);
    }
    return accepted + outcomes;
  }
}

export class BellSource implements TailSource {
  readonly name = "bell";
  readonly #tails: RoomTails;
  readonly #bells: Bells;
  readonly #onOutcome: OnOutcome;

  constructor(tails: RoomTails, bells: Bells, onOutcome: OnOutcome) {
    this.#tails = tails;
    this.#bells = bells;
    this.#onOutcome = onOutcome;
  }

  positions(): Map<string, Position> {
    return this.#bells.positions();
  }

  accept(streams: ReadonlyMap<string, readonly StreamEntry[]>): number {
    const outcomes: Outcome[] = [];
    let accepted = 0;
    for (const bell of this.#bells.take(streams)) {
      for (const entry of bell.entries) this.#tails.offer(entry.room, entry);
      for (const room of bell.rooms) {
        const tail = this.#tails.get(room);
        if (tail) this.#tails.markDirty(tail);
      }
      outcomes.push(...bell.outcomes);
      accepted += bell.outcomes.length;
    }
    this.#tails.flush();
    for (const outcome of outcomes) this.#onOutcome(outcome);
    return accepted;
  }
}

/** What `streams` holds of the conversations of `rooms`; returns how many entries that is. */
export function offerConversations(
  tails: RoomTails,
  rooms: Iterable<RoomTail>,
  streams: ReadonlyMap<string, readonly StreamEntry[]>,
): number {
  let offered = 0;
  for (const tail of rooms) {
    for (const { id, fields } of streams.get(tail.conversationKey) ?? []) {
      tails.offer(tail.room, readConversationEntry(id, fields));
      offered++;
    }
  }
  return offered;
}
