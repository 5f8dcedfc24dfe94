/**
 * A partition while this worker owns it: what was read and not decided yet, what
 * was decided and not confirmed yet, and the projections in memory.
 *
 *            read           prepare            fold           APPLY: applied | already
 *   log ──────────▶ queue ──────────▶ prepared ─────▶ pending ──────────────────────▶ checkpoint
 *                                                      │ ▲
 *                  reply lost | diverged: the same batch again
 *
 * At most one batch is pending, so batches are applied in order.
 */
import { comparePositions, type Position } from "../../redis/position.ts";
import type { StreamEntry } from "../../redis/replies.ts";
import { unpackCommands, type LogEntry } from "../../streams/command-log.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import type { Batch } from "./batch.ts";
import type { Missing, PartitionState } from "./partition-state.ts";
import type { Fence, Grant } from "./scripts.ts";

/** One APPLY: enough to share the cost, little enough not to hold Redis up (some 2 ms). */
export const BATCH_BOUNDS = { commands: 200, bytes: 65_536 } as const;
/** Log entries of one read, for entries of unknown size. */
const READ_COUNT = { first: 16, most: 200 } as const;
/**
 * Acquisitions at one checkpoint after which the next batch's worth of commands is handled entry by
 * entry, each command noted before it is decided, in case one of them kills this process.
 */
const CAREFUL_AFTER_TRIES = 3;
/** Deaths at one command after which it is put aside. */
const STRIKES_OUT = 2;

interface QueuedEntry {
  readonly id: Position;
  readonly bytes: Uint8Array;
}
export interface ReadEntry extends QueuedEntry {
  readonly content: LogEntry | { readonly unreadable: string };
}

export class OwnedPartition {
  readonly id: PartitionId;
  readonly fence: Fence;
  readonly state: PartitionState;
  /** Places of commands that are to be put aside undecided, with the reason. */
  readonly poison: ReadonlyMap<string, string>;
  /** Where the next read begins. */
  readTo: Position;
  /** Where the next batch begins: the checkpoint once `pending` is applied. */
  decidedTo: Position;
  pending: Batch | null = null;
  /** Entries of the next batch, until it is folded. */
  prepared: readonly ReadEntry[] = [];
  /** The store has refused the pending batch because the group handed out other entries. */
  diverged = false;
  /** Set by `halt` alone. */
  halted = false;
  /** To be given back as soon as nothing is pending. */
  draining = false;
  /** Commands still to be handled with care. */
  #carefulLeft = 0;
  readonly #queue: QueuedEntry[] = [];
  #entryBytes = 0;
  #moreToRead = false;

  /** `failed` is the place of a command that failed in this worker when it held the partition last. */
  constructor(id: PartitionId, grant: Grant, state: PartitionState, failed: string | null) {
    this.id = id;
    this.fence = grant.fence;
    this.state = state;
    this.readTo = grant.checkpoint;
    this.decidedTo = grant.checkpoint;
    const suspected = grant.struck !== "" && isAhead(grant.struck, grant.checkpoint);
    if (suspected || grant.tries >= CAREFUL_AFTER_TRIES) this.#carefulLeft = BATCH_BOUNDS.commands;
    const poison = new Map<string, string>();
    if (grant.strikes >= STRIKES_OUT) poison.set(grant.struck, "killed its worker again and again");
    if (failed !== null) poison.set(failed, "could not be folded");
    this.poison = poison;
  }

  /** The worker is to note each command before it decides it. */
  get careful(): boolean {
    return this.#carefulLeft > 0;
  }

  /** Entries to ask for, so that a read brings about two batches. */
  get readCount(): number {
    if (this.#entryBytes === 0) return READ_COUNT.first;
    const wanted = Math.ceil((2 * BATCH_BOUNDS.bytes) / this.#entryBytes);
    return Math.min(READ_COUNT.most, Math.max(1, wanted));
  }

  get wantsToRead(): boolean {
    return !this.halted && !this.draining && this.#queue.length === 0;
  }

  /** The next batch can be folded. */
  get ready(): boolean {
    return this.pending === null && (this.prepared.length > 0 || this.#queue.length > 0);
  }

  /** There is something to do for it without reading. */
  get busy(): boolean {
    return !this.halted && (this.pending !== null || this.ready);
  }

  /** Stands still, loudly, until somebody has looked at its log. What it holds is of no use. */
  halt(): void {
    this.halted = true;
    this.pending = null;
    this.prepared = [];
    this.#queue.length = 0;
  }

  /** The last read brought all that it had asked for, so there is probably more. */
  get hasMore(): boolean {
    return this.#moreToRead && this.wantsToRead;
  }

  /** Takes the answer of a read that asked for `count`. */
  offer(entries: readonly StreamEntry[], count: number): void {
    this.#moreToRead = entries.length >= count;
    for (const { id, fields } of entries) {
      const bytes = fields[1] ?? Buffer.alloc(0);
      this.#queue.push({ id, bytes });
      this.readTo = id;
      // A moving average over some ten entries.
      this.#entryBytes += (bytes.length - this.#entryBytes) / (this.#entryBytes === 0 ? 1 : 10);
    }
  }

  /**
   * Chooses whole entries for the next batch, in order; at least one if there is any. They are
   * unpacked no sooner than now: commands that wait as objects cost the collector more than their
   * reading. Returns how many commands and facts they hold.
   */
  prepare(): number {
    if (this.prepared.length > 0) return countOf(this.prepared);
    const entries: ReadEntry[] = [];
    let commands = 0;
    let bytes = 0;
    for (const { id, bytes: packed } of this.#queue) {
      const content = unpackOrExplain(packed);
      const size = sizeOf(content);
      const full =
        commands + size > BATCH_BOUNDS.commands || bytes + packed.length > BATCH_BOUNDS.bytes;
      if (entries.length > 0 && (full || this.careful)) break;
      entries.push({ id, bytes: packed, content });
      commands += size;
      bytes += packed.length;
    }
    this.#queue.splice(0, entries.length);
    this.prepared = entries;
    return commands;
  }

  /** What the prepared commands need and memory lacks. */
  missing(): Missing {
    const contents = this.prepared.flatMap(({ content }) => ("commands" in content ? content : []));
    return this.state.missing(
      contents.flatMap(({ commands }) => commands),
      contents.flatMap(({ facts }) => facts ?? []),
    );
  }

  /** The prepared entries have become a batch. */
  decided(batch: Batch): void {
    this.prepared = [];
    this.pending = batch;
  }

  /** The pending batch is in effect. */
  confirm(batch: Batch): void {
    this.pending = null;
    this.diverged = false;
    this.decidedTo = batch.to;
    this.#carefulLeft = Math.max(0, this.#carefulLeft - Math.max(1, batch.commands));
    this.state.shrink();
  }
}

/** Whether a place, `entry/index`, is still to be decided. */
function isAhead(place: string, checkpoint: Position): boolean {
  const entry = place.slice(0, place.indexOf("/")) as Position;
  return comparePositions(entry, checkpoint) > 0;
}

/** Commands and facts, as they are counted for batches and lag. */
function sizeOf(content: ReadEntry["content"]): number {
  return "commands" in content ? content.commands.length + (content.facts?.length ?? 0) : 0;
}

function unpackOrExplain(bytes: Uint8Array): ReadEntry["content"] {
  try {
    return unpackCommands(bytes);
  } catch (error) {
    return { unreadable: String(error) };
  }
}

function countOf(entries: readonly ReadEntry[]): number {
  return entries.reduce((sum, { content }) => sum + sizeOf(content), 0);
}
