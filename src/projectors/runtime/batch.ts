/** One decided batch, as the fold hands it to APPLY, to the tally and to whoever tries again. */
import type { ErrorCode } from "../../protocol/errors.ts";
import type { ChatEvent } from "../../protocol/frames.ts";
import type { Position } from "../../redis/position.ts";
import type { PresenceSteps } from "../presence/presence.ts";
import type { Operations } from "./operations.ts";

/** What became of the commands of one batch; a copy is `duplicate`, whatever it was told. */
export interface Decided {
  applied: number;
  duplicate: number;
  readonly rejected: Partial<Record<ErrorCode, number>>;
}

/** A decided batch: what APPLY is called with, as often as it takes. */
export interface Batch {
  readonly from: Position;
  readonly first: Position;
  readonly to: Position;
  readonly entries: number;
  readonly commands: number;
  readonly operations: Operations;
  readonly bellHeader: Uint8Array;
  /** Numbers of the blobs that the bell carries as well. */
  readonly inline: readonly number[];
  readonly deadLetters: number;
  readonly decided: Decided;
  readonly presence: PresenceSteps;
  /** Entries of conversations. */
  readonly events: EventCounts;
  /** Positions that moved because somebody read. */
  readonly positions: number;
}
export type EventCounts = Partial<Record<ChatEvent["type"], number>>;
