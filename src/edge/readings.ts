/**
 * How far the people on this edge say they have read, on its way into the log. Of
 * one person and room only the furthest position is kept, and the furthest private one
 * beside it, since that says nothing to others. What has gathered for some time goes out
 * as one fact a room: reading along in a busy room costs a fraction of a command.
 *
 * A position that could not be appended is said again; what an edge loses, the
 * client says again, because it has not heard it back.
 */
import type { Ingest } from "../ingest/ingest.ts";
import { originCursor, parseCursor, type Cursor } from "../protocol/cursor.ts";
import type { Epoch, RoomId, UserId } from "../protocol/ids.ts";
import { FACT_USERS_MAX, FACTS_PER_ENTRY_MAX, type FactOf } from "../streams/command-log.ts";
import type { Keys } from "../streams/keys.ts";
import type { PartitionId } from "../streams/partitions.ts";

/** For how long positions gather. */
export const GATHER_MS = 200;
/** Positions that wait on this edge, private ones for themselves; past it new ones are not taken. */
export const WAITING_MAX = 20_000;

/** A position before the first entry, which is news to nobody. */
const NOWHERE = originCursor(1 as Epoch);

interface Mark {
  readonly user: UserId;
  through: Cursor;
  readonly private?: boolean;
}
interface Reading extends FactOf<"reading"> {
  readonly marks: Mark[];
}

export class Readings {
  readonly #ingest: Pick<Ingest, "submitFacts">;
  readonly #keys: Keys;
  /** By room, then by user and kind: see `placeOf`. */
  readonly #waiting = new Map<RoomId, Map<string, Mark>>();
  /** On their way into the log. */
  readonly #leaving = new Set<readonly Reading[]>();
  #count = 0;
  #timer: NodeJS.Timeout | null = null;
  readonly tally = { taken: 0, replaced: 0, appended: 0, refused: 0 };

  constructor(ingest: Pick<Ingest, "submitFacts">, keys: Keys) {
    this.#ingest = ingest;
    this.#keys = keys;
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Null when it is taken; `invalid` for a cursor that no server made, `busy` when too many wait. */
  take(room: RoomId, mark: Readonly<Mark>): "invalid" | "busy" | null {
    const seq = parseCursor(mark.through)?.seq;
    if (seq === undefined) return "invalid";
    const marks = this.#waiting.get(room) ?? new Map<string, Mark>();
    const place = placeOf(mark.user, mark.private);
    const before = marks.get(place);
    if (before === undefined) {
      if (this.#count >= WAITING_MAX) {
        this.tally.refused++;
        return "busy";
      }
      this.#count++;
      this.tally.taken++;
      this.#waiting.set(room, marks);
    } else {
      this.tally.replaced++;
      if ((parseCursor(before.through)?.seq ?? 0) >= seq) return null;
    }
    marks.set(place, { ...mark });
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
    return null;
  }

  /** The user goes back: what was said before must not come after it. */
  drop(user: UserId, room: RoomId): void {
    for (const isPrivate of [false, true]) {
      if (this.#waiting.get(room)?.delete(placeOf(user, isPrivate))) this.#count--;
    }
    // They stand behind the commands of their entry, or may have to be said again.
    for (const reading of [...this.#leaving].flat()) {
      if (reading.room !== room) continue;
      for (const mark of reading.marks) if (mark.user === user) mark.through = NOWHERE;
    }
  }

  #flush(): void {
    this.#timer = null;
    const byPartition = new Map<PartitionId, Reading[]>();
    for (const [room, marks] of this.#waiting) {
      const partition = this.#keys.partitionOf(room);
      const facts = byPartition.get(partition) ?? [];
      byPartition.set(partition, facts);
      if (marks.size === 0) continue;
      const all = [...marks.values()];
      for (let at = 0; at < all.length; at += FACT_USERS_MAX) {
        facts.push({ type: "reading", room, marks: all.slice(at, at + FACT_USERS_MAX) });
      }
    }
    this.#waiting.clear();
    this.#count = 0;
    for (const [partition, facts] of byPartition) {
      for (let at = 0; at < facts.length; at += FACTS_PER_ENTRY_MAX) {
        this.#submit(partition, facts.slice(at, at + FACTS_PER_ENTRY_MAX));
      }
    }
  }

  #submit(partition: PartitionId, facts: readonly Reading[]): void {
    // Said twice they do no harm, so what is in doubt is said again too.
    const again = (): void => {
      this.#leaving.delete(facts);
      for (const { room, marks } of facts) {
        for (const mark of marks) if (mark.through !== NOWHERE) this.take(room, mark);
      }
    };
    this.#leaving.add(facts);
    this.#ingest.submitFacts(partition, facts, {
      appended: () => {
        this.#leaving.delete(facts);
        this.tally.appended += facts.length;
      },
      refused: again,
      doubtful: again,
    });
  }
}

function placeOf(user: UserId, isPrivate = false): string {
  return `${isPrivate ? "-" : "+"}${user}`;
}
