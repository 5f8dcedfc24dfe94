/**
 * Tells devices that their list of rooms may be old, after bells were missed: what
 * one read on another device came with a bell, or not at all. Which rooms, and of
 * whom, only the bells have said, so everybody is told; and since each of them reads
 * the list then, a few at a time.
 */
import type { ServerFrame } from "../protocol/frames.ts";

/** Between two times. */
export const DOUBT_EVERY_MS = 100;
/**
 * Devices told at one time. Twenty a second read lists of fifty rooms in some 10 ms of Redis, so
 * that all edges may do it at once, as after an outage.
 */
export const DOUBTS_AT_ONCE = 2;

/** A connection. */
export interface Doubter {
  /** Null before it is welcome and after its end: then it has no list, or reads a new one. */
  readonly user: string | null;
  send(frame: ServerFrame): void;
}

export class ListDoubts {
  readonly #all: () => Iterable<Doubter>;
  /** Those who were there when bells were missed and are not told yet, in order. */
  readonly #waiting = new Set<Doubter>();
  #timer: NodeJS.Timeout | null = null;

  constructor(all: () => Iterable<Doubter>) {
    this.#all = all;
  }

  /** Connections that are still to be told. */
  get size(): number {
    return this.#waiting.size;
  }

  missed(): void {
    // Never more than there are connections, however often this comes.
    for (const one of this.#waiting) if (one.user === null) this.#waiting.delete(one);
    for (const one of this.#all()) if (one.user !== null) this.#waiting.add(one);
    this.#tellLater();
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #tellLater(): void {
    if (this.#waiting.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#tell();
      this.#tellLater();
    }, DOUBT_EVERY_MS);
  }

  #tell(): void {
    let told = 0;
    for (const one of this.#waiting) {
      if (told >= DOUBTS_AT_ONCE) return;
      this.#waiting.delete(one);
      if (one.user === null) continue;
      one.send({ type: "roomsChanged", rooms: [] });
      told++;
    }
  }
}
