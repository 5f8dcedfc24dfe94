import { SchemaError } from "../protocol/schema.ts";
import { command as commandField, type ClientCommand } from "../protocol/frames.ts";
import type { CommandNumber, RoomId, Seq } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { ClientError, mayIgnore } from "./client-error.ts";
import type { Device } from "./device.ts";

/** Commands without an outcome, on the wire or waiting; past it new ones are refused. */
export const OUTBOX_COMMANDS_MAX = 1_000;

/** In effect: `seq` is its place in the room, 0 when that was too long ago for the server to know. */
export interface Outcome {
  readonly room: RoomId;
  readonly seq: Seq;
  /** An earlier copy of the command had done it. */
  readonly again: boolean;
}

/**
 * One command on its way.
 *
 *            taken for the wire        `accepted`
 *   queued ─────────────────────▶ sent ──────────▶ accepted
 *     ▲                            │                  │
 *     └──── deferred, reconnected, no outcome ────────┤
 *                                  │                  │
 *                                  └────────┬─────────┘
 *                                           ▼
 *                applied (own entry or `applied`) | failed (`rejected`, closed)
 *
 * `become` is the only writer of `state`.
 */
export type CommandState =
  | { readonly name: "queued" }
  | { readonly name: "sent"; readonly sinceMs: number }
  | { readonly name: "accepted"; readonly sinceMs: number }
  | { readonly name: "applied"; readonly outcome: Outcome }
  | { readonly name: "failed"; readonly error: ClientError };

/** A command without its number. */
export type CommandDraft = {
  [T in ClientCommand["type"]]: Omit<Extract<ClientCommand, { type: T }>, "k">;
}[ClientCommand["type"]];

export class OutboxItem {
  readonly command: ClientCommand;
  readonly outcome: Promise<Outcome>;
  /** The server awaits this very number and refuses later ones until it comes. */
  owed = false;
  #state: CommandState = { name: "queued" };
  #resolve!: (outcome: Outcome) => void;
  #reject!: (error: ClientError) => void;

  constructor(command: ClientCommand) {
    this.command = command;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    void mayIgnore(this.outcome);
  }

  get k(): CommandNumber {
    return this.command.k;
  }
  get state(): CommandState {
    return this.#state;
  }
  get settled(): boolean {
    return this.#state.name === "applied" || this.#state.name === "failed";
  }

  become(state: CommandState): void {
    if (this.settled) throw new Error(`command ${this.k} was settled already`);
    this.#state = state;
    if (state.name === "applied") this.#resolve(state.outcome);
    if (state.name === "failed") this.#reject(state.error);
  }
}

/**
 * Numbers commands and keeps them until their outcome is known. Knows the rules
 * of the wire, but no socket: the client takes from it what may be sent now.
 *
 *  - Commands leave in the order of their numbers, and those still to be sent
 *    are always the last ones: going back to one means sending all later ones.
 *  - At most LIMITS.commandsInFlight numbers lie between the oldest command
 *    without an outcome and the newest on the wire, so that the server still
 *    remembers each when it comes a second time.
 */
export class Outbox {
  readonly #device: Device;
  readonly #changed: (item: OutboxItem) => void;
  /** In the order of their numbers. */
  readonly #items = new Map<CommandNumber, OutboxItem>();
  #pausedUntilMs = 0;

  /** `changed` is called after every change of an item's state. */
  constructor(device: Device, changed: (item: OutboxItem) => void) {
    this.#device = device;
    this.#changed = changed;
  }

  get size(): number {
    return this.#items.size;
  }
  /** Nothing may be sent before this time, as the server asked. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** Throws ClientError: `outboxFull`, or `invalid` for a value that the server would refuse. */
  add(draft: CommandDraft): OutboxItem {
    if (this.#items.size >= OUTBOX_COMMANDS_MAX) throw new ClientError("outboxFull");
    // Checked before a number is taken: a number that is never sent would leave a hole.
    const command = checked({ ...draft, k: this.#device.next });
    this.#device.take();
    const item = new OutboxItem(command);
    this.#items.set(item.k, item);
    return item;
  }

  /** The commands that may go on the wire now, in order; they count as sent from here on. */
  takeSendable(nowMs: number): ClientCommand[] {
    const commands: ClientCommand[] = [];
    if (nowMs < this.#pausedUntilMs) return commands;
    let oldest: number | null = null;
    for (const item of this.#items.values()) {
      oldest ??= item.k;
      if (item.k - oldest >= LIMITS.commandsInFlight) break;
      if (item.settled) this.#items.delete(item.k);
      else if (item.state.name === "queued") this.#move(item, { name: "sent", sinceMs: nowMs });
      else continue;
      item.owed = false;
      commands.push(item.command);
    }
    return commands;
  }

  accepted(k: CommandNumber): void {
    const item = this.#items.get(k);
    if (item?.state.name !== "sent") return;
    this.#move(item, { name: "accepted", sinceMs: item.state.sinceMs });
  }

  applied(k: CommandNumber, outcome: Outcome): void {
    this.#settle(k, { name: "applied", outcome });
  }

  rejected(k: CommandNumber, error: ClientError): void {
    this.#settle(k, { name: "failed", error });
  }

  /**
   * Takes back `k` and everything after it. False when `k` is not known any
   * more: its outcome came first, and the server will now wait for it in vain.
   */
  deferred(k: CommandNumber, untilMs: number): boolean {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
    const item = this.#items.get(k);
    if (!item) return false;
    item.owed = true;
    this.#takeBackFrom(k);
    return true;
  }

  /** A new connection knows nothing of what the last one was sent. */
  reconnected(): void {
    this.#pausedUntilMs = 0;
    for (const item of this.#items.values()) {
      item.owed = false;
      if (item.settled) this.#items.delete(item.k);
    }
    this.#takeBackFrom(0);
  }

  /** Entries of this room were skipped; an own one, which is the outcome, may be among them. */
  entriesSkipped(room: RoomId): void {
    for (const { k, command, settled, state } of this.#items.values()) {
      if (settled || state.name === "queued") continue;
      if (command.type === "send" && command.room === room) return this.#takeBackFrom(k);
    }
  }

  /** Sends again what was sent before `beforeMs` and has no outcome yet. */
  overdue(beforeMs: number): void {
    for (const { k, state } of this.#items.values()) {
      const sent = state.name === "sent" || state.name === "accepted";
      if (sent && state.sinceMs <= beforeMs) return this.#takeBackFrom(k);
    }
  }

  get anyOnTheWire(): boolean {
    for (const { state } of this.#items.values()) {
      if (state.name === "sent" || state.name === "accepted") return true;
    }
    return false;
  }

  /** Nothing more will be sent. */
  failAll(error: ClientError): void {
    for (const item of this.#items.values()) {
      this.#items.delete(item.k);
      if (!item.settled) this.#move(item, { name: "failed", error });
    }
  }

  #takeBackFrom(k: number): void {
    for (const item of this.#items.values()) {
      if (item.k < k || item.settled || item.state.name === "queued") continue;
      this.#move(item, { name: "queued" });
    }
  }

  #settle(k: CommandNumber, state: CommandState): void {
    const item = this.#items.get(k);
    if (!item || item.settled) return;
    // What the server awaits is sent once more although the outcome is known.
    if (!item.owed) this.#items.delete(k);
    this.#move(item, state);
  }

  #move(item: OutboxItem, state: CommandState): void {
    item.become(state);
    this.#changed(item);
  }
}

/** The value as the server will read it (NFC), or ClientError `invalid`. */
function checked(command: ClientCommand): ClientCommand {
  try {
    return commandField.read(command, "named", "");
  } catch (error) {
    if (error instanceof SchemaError) {
      throw new ClientError("invalid", error.message, { cause: error });
    }
    throw error;
  }
}
