/**
 * What a projector counts while it works, in plain numbers; projector-metrics.ts
 * hands them over when somebody scrapes.
 */
import { BATCH_SIZES, countsOf, Distribution, SECONDS } from "../../ops/distribution.ts";
import { ERROR_CODES } from "../../protocol/errors.ts";
import { EVENTS, type ChatEvent } from "../../protocol/frames.ts";
import type { Batch } from "./batch.ts";
import type { Applied } from "./scripts.ts";

const APPLY_OUTCOMES = [
  "applied",
  "already",
  "stale",
  "fenced",
  "truncated",
  "diverged",
] as const satisfies readonly Applied["outcome"][];

/** What an entry can be; `message.folded` is only a form in which pages show one. */
type Happened = Exclude<ChatEvent["type"], "message.folded">;
const EVENT_TYPES = (Object.keys(EVENTS) as ChatEvent["type"][]).filter(
  (type): type is Happened => type !== "message.folded",
);

export class ProjectorTally {
  applied = 0;
  duplicate = 0;
  readonly rejected = countsOf(ERROR_CODES);
  deadLetters = 0;
  logEntries = 0;
  /** `refused`: Redis answered with an error. */
  readonly applies = countsOf([...APPLY_OUTCOMES, "refused"]);
  readonly applySeconds = new Distribution(SECONDS);
  readonly batchCommands = new Distribution(BATCH_SIZES);
  /** Users who came to a room, and who went. */
  readonly presence = countsOf(["came", "went"]);
  /** Entries of conversations, by what happened. */
  readonly events = countsOf(EVENT_TYPES);
  /** Positions that moved because somebody read, or marked as unread. */
  positions = 0;
  foldFailures = 0;
  ticks = 0;
  /** The rest before the last tick. */
  restMs = 0;

  /** A batch is in effect; called once for it, however often it was tried. */
  confirmed(batch: Batch): void {
    const { decided, commands, entries, deadLetters, presence, events, positions } = batch;
    this.presence.came += presence.came;
    this.presence.went += presence.went;
    for (const type of EVENT_TYPES) this.events[type] += events[type] ?? 0;
    this.positions += positions;
    this.applied += decided.applied;
    this.duplicate += decided.duplicate;
    for (const code of ERROR_CODES) this.rejected[code] += decided.rejected[code] ?? 0;
    this.deadLetters += deadLetters;
    this.logEntries += entries;
    this.batchCommands.note(commands);
  }
}
