/**
 * One's own messages and changes of one room, from the moment they are asked for
 * until their entry is there: what an application shows ahead of the server.
 */
import { parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { ClientCommand } from "../protocol/frames.ts";
import type { CommandNumber, Seq, UserId } from "../protocol/ids.ts";
import type { ClientError } from "./client-error.ts";
import type { ChangeCommand, PendingChange } from "./message.ts";
import type { Messages } from "./messages.ts";
import type { OutboxItem } from "./outbox.ts";

/** Failed messages of a room that stay in `pending`; older ones go. */
export const FAILED_KEPT = 50;

/** An own message that is not yet part of the room. */
export interface PendingMessage {
  readonly k: CommandNumber;
  readonly text: string;
  /** Names the message that it replies to. */
  readonly replyTo: Cursor | null;
  readonly mentions: readonly UserId[];
  readonly everyone: boolean;
  readonly state: PendingState;
}
export type PendingState =
  | { readonly name: "queued" | "sent" | "accepted" }
  | { readonly name: "failed"; readonly error: ClientError };

/** How far the room is known here. */
export interface Reached {
  readonly followed: boolean;
  readonly last: Seq | null;
}

export class OwnCommands {
  readonly #messages: Messages;
  readonly #reached: () => Reached;
  readonly #notify: () => void;
  /** Messages in the order they were sent, until their entry is there. */
  readonly #sends = new Set<OutboxItem>();
  /** Changes by the message that they change. */
  readonly #changes = new Map<Seq, Set<OutboxItem>>();

  /** `notify` is called after every change of what is pending. */
  constructor(messages: Messages, reached: () => Reached, notify: () => void) {
    this.#messages = messages;
    this.#reached = reached;
    this.#notify = notify;
  }

  get sends(): readonly PendingMessage[] {
    return [...this.#sends].map(pendingMessage);
  }

  add(item: OutboxItem): void {
    const { command } = item;
    if (command.type === "send") this.#sends.add(item);
    const seq = changedBy(command);
    if (seq !== null) {
      const items = this.#changes.get(seq) ?? new Set();
      this.#changes.set(seq, items.add(item));
      this.#show(seq);
    }
    this.#notify();
  }

  /** Forgets a failed message. */
  dismiss(k: CommandNumber): void {
    for (const item of this.#sends) {
      if (item.k === k && item.state.name === "failed") this.#sends.delete(item);
    }
    this.#notify();
  }

  /** Called when a command of this room changed its state. */
  itemChanged(item: OutboxItem): void {
    const seq = changedBy(item.command);
    if (seq !== null && this.#changes.get(seq)?.has(item)) this.#show(seq);
    else if (!this.#sends.has(item)) return;
    if (item.state.name === "failed") this.#dropFailed(item);
    this.settle();
  }

  /** Forgets what has its entry, or never will have one because nobody follows. */
  settle(): void {
    if (this.#sends.size + this.#changes.size === 0) return;
    for (const item of this.#sends) if (this.#isDone(item)) this.#sends.delete(item);
    for (const [seq, items] of this.#changes) {
      const before = items.size;
      for (const item of items) if (this.#isDone(item)) items.delete(item);
      if (items.size === 0) this.#changes.delete(seq);
      if (items.size < before) this.#show(seq);
    }
    this.#notify();
  }

  /** The message came, perhaps anew: what is pending shows on it. */
  arrived(seq: Seq): void {
    if (this.#changes.has(seq)) this.#show(seq);
  }

  #isDone({ state }: OutboxItem): boolean {
    if (state.name !== "applied") return false;
    const { followed, last } = this.#reached();
    return !followed || (last ?? 0) >= state.outcome.seq;
  }

  #show(seq: Seq): void {
    const items = [...(this.#changes.get(seq) ?? [])];
    this.#messages.setPending(seq, items.flatMap(pendingChange));
  }

  /** A message stays, to be shown and sent anew; a change is told by its outcome alone. */
  #dropFailed(item: OutboxItem): void {
    const seq = changedBy(item.command);
    if (seq !== null) {
      const items = this.#changes.get(seq);
      items?.delete(item);
      if (items?.size === 0) this.#changes.delete(seq);
      return this.#show(seq);
    }
    const failed = [...this.#sends].filter(({ state }) => state.name === "failed");
    for (const old of failed.slice(0, -FAILED_KEPT)) this.#sends.delete(old);
  }
}

function isChange(command: ClientCommand): command is ChangeCommand {
  return "message" in command && command.type !== "markUnread";
}

/** The message that a command is about to change. */
function changedBy(command: ClientCommand): Seq | null {
  return isChange(command) ? (parseCursor(command.message)?.seq ?? null) : null;
}

function pendingMessage(item: OutboxItem): PendingMessage {
  const { state, k, command } = item;
  const { text, replyTo = null, mentions = [], everyone = false } = command as SendCommand;
  const about = { k, text, replyTo, mentions, everyone };
  if (state.name === "failed") return { ...about, state: { name: "failed", error: state.error } };
  // In effect, but its entry is still on the way.
  if (state.name === "applied") return { ...about, state: { name: "accepted" } };
  return { ...about, state: { name: state.name } };
}
type SendCommand = Extract<ClientCommand, { type: "send" }>;

function pendingChange({ k, command, state }: OutboxItem): PendingChange[] {
  if (!isChange(command) || state.name === "failed") return [];
  return [{ k, command, state: state.name === "applied" ? "accepted" : state.name }];
}
