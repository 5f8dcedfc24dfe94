/**
 * Commands of one device until their outcome is known, as section 6 of
 * docs/client-protocol.md asks: numbered without a gap, sent in order, at most
 * so many on their way, sent again with their old number after a loss.
 */
import type { ClientCommand } from "../../src/protocol/frames.ts";
import type { CommandNumber } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";

/** Past it the load is more than the engine takes, and the run says so instead of growing. */
const COMMANDS_MAX = 5_000;

/** A command without its number. */
export type Draft = {
  [T in ClientCommand["type"]]: Omit<Extract<ClientCommand, { type: T }>, "k">;
}[ClientCommand["type"]];

/** `full`: never sent, because too many others wait. */
export type Outcome = "applied" | "rejected" | "full";

/** Puts a command on the wire; `again` when it was there before. Called only inside `flush`. */
export type Transmit = (command: ClientCommand, again: boolean) => void;

interface Item {
  readonly command: ClientCommand;
  readonly settle: (outcome: Outcome) => void;
  outcome: Outcome | null;
  wasSent: boolean;
  /** The server put it off and takes nothing later until it has come again. */
  owed: boolean;
}

export class Outbox {
  /** Oldest first; their numbers follow one another. */
  readonly #items: Item[] = [];
  #nextK = 1;
  /** How many of the items, from the oldest on, are on their way. */
  #onTheirWay = 0;
  readonly #transmit: Transmit;

  constructor(transmit: Transmit) {
    this.#transmit = transmit;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  add(draft: Draft, settle: (outcome: Outcome) => void): void {
    if (this.#items.length >= COMMANDS_MAX) {
      settle("full");
      return;
    }
    const command = { ...draft, k: this.#nextK as CommandNumber } as ClientCommand;
    this.#nextK++;
    this.#items.push({ command, settle, outcome: null, owed: false, wasSent: false });
  }

  /** Sends what may be sent. */
  flush(): void {
    while (
      this.#onTheirWay < this.#items.length &&
      this.#onTheirWay < LIMITS.commandsInFlight - 1
    ) {
      const item = this.#items[this.#onTheirWay] as Item;
      this.#onTheirWay++;
      if (item.outcome !== null && !item.owed) continue;
      item.owed = false;
      this.#transmit(item.command, item.wasSent);
      item.wasSent = true;
    }
    this.#forget();
  }

  /** A second outcome of one command changes nothing. */
  settle(k: number, outcome: Outcome): void {
    const item = this.#items[this.#indexOf(k)];
    if (!item || item.outcome !== null) return;
    item.outcome = outcome;
    item.settle(outcome);
    this.#forget();
  }

  /** Command `k` and all later ones have to go again; those before it stay on their way. */
  putOff(k: number): void {
    const index = this.#indexOf(k);
    const item = this.#items[index];
    if (!item) return;
    item.owed = true;
    this.#onTheirWay = Math.min(this.#onTheirWay, index);
  }

  /** The connection is gone, and with it what was on its way and what was owed to it. */
  disconnected(): void {
    this.#onTheirWay = 0;
    for (const item of this.#items) item.owed = false;
    this.#forget();
  }

  #indexOf(k: number): number {
    return k - (this.#items[0]?.command.k ?? k + 1);
  }

  #forget(): void {
    const kept = this.#items.findIndex(({ outcome, owed }) => outcome === null || owed);
    const done = kept === -1 ? this.#items.length : kept;
    this.#items.splice(0, done);
    this.#onTheirWay = Math.max(0, this.#onTheirWay - done);
  }
}
