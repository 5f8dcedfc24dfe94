/**
 * The presence projection: what edges say of who is there, folded in the order
 * of the log. Each key is written once a batch, with what it came to.
 */
import {
  counted,
  ended,
  enter,
  leave,
  raised,
  vanish,
  writeIncarnation,
  writeWhereabouts,
  type Step,
} from "../../domain/presence.ts";
import type { RoomId, UserId } from "../../protocol/ids.ts";
import type { PresenceChange } from "../../streams/bell.ts";
import type { Fact, FactOf } from "../../streams/command-log.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import type { Operations } from "../runtime/operations.ts";
import type { PresenceState } from "./presence-state.ts";

export type PresenceFact = Exclude<Fact, { type: "reading" }>;

/** Users who came to a room, and who went; twice in a batch counts twice. */
export interface PresenceSteps {
  came: number;
  went: number;
}

export class PresenceProjection {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  readonly #state: PresenceState;
  /** Incarnations that changed. */
  readonly #incarnations = new Set<string>();
  /** For each incarnation, `room user` and whether that is in now. */
  readonly #attends = new Map<string, Map<string, boolean>>();
  /** Users of each room whose whereabouts changed. */
  readonly #users = new Map<RoomId, Set<UserId>>();
  /** What the bell tells of them, by room and user. */
  readonly #changes = new Map<string, PresenceChange>();
  readonly steps: PresenceSteps = { came: 0, went: 0 };

  constructor(keys: Keys, partition: PartitionId, state: PresenceState) {
    this.#keys = keys;
    this.#partition = partition;
    this.#state = state;
  }

  /** `isMember` as the room stands at this place in the log; `atMs` by the log's clock. */
  fact(fact: PresenceFact, isMember: (room: RoomId, user: UserId) => boolean, atMs: number): void {
    if (fact.type === "attendance") {
      this.#attendance(fact, isMember, atMs);
      return;
    }
    const known = this.#state.incarnation(fact.edge);
    this.#setIncarnation(fact.edge, fact.type === "edgeUp" ? raised(known) : ended(known));
  }

  /** Only one that is up lets in; also one that has ended takes out, there it is the sweep that speaks. */
  #attendance(
    { edge, room, entered, left }: FactOf<"attendance">,
    isMember: (room: RoomId, user: UserId) => boolean,
    atMs: number,
  ): void {
    const known = this.#state.incarnation(edge);
    if (!known) return;
    const presence = this.#state.room(room);
    for (const user of known.state === "up" ? entered : []) {
      // Who has left the room before this place in the log is not let in by an edge that knew it later.
      if (!isMember(room, user)) continue;
      const step = enter(presence, user, edge);
      if (step !== "nothing") this.#count(edge, room, user, true);
      this.#note(room, user, step, atMs);
    }
    for (const user of left) {
      const step = leave(presence, user, edge, atMs);
      if (step !== "nothing") this.#count(edge, room, user, false);
      this.#note(room, user, step, atMs);
    }
  }

  #count(edge: string, room: RoomId, user: UserId, isIn: boolean): void {
    let attends = this.#attends.get(edge);
    if (!attends) {
      attends = new Map();
      this.#attends.set(edge, attends);
    }
    attends.set(`${room} ${user}`, isIn);
    this.#setIncarnation(edge, counted(this.#state.incarnation(edge), isIn ? 1 : -1));
  }

  #setIncarnation(edge: string, incarnation: Parameters<PresenceState["setIncarnation"]>[1]): void {
    this.#state.setIncarnation(edge, incarnation);
    this.#incarnations.add(edge);
  }

  #note(room: RoomId, user: UserId, step: Step, sinceMs: number): void {
    if (step === "nothing") return;
    this.#touch(room, user);
    if (step === "by") return;
    this.steps[step]++;
    const now = step === "came" ? "there" : "away";
    this.#tell({ room, user, now, sinceMs: now === "there" ? 0 : sinceMs });
  }

  #touch(room: RoomId, user: UserId): void {
    const users = this.#users.get(room);
    if (users) users.add(user);
    else this.#users.set(room, new Set([user]));
  }

  #tell(change: PresenceChange): void {
    this.#changes.set(`${change.room} ${change.user}`, change);
  }

  /** The user is no member of the room any more. */
  memberLeft(room: RoomId, user: UserId, atMs: number): void {
    const presence = this.#state.room(room);
    if (!presence.has(user)) return;
    const by = vanish(presence, user);
    for (const edge of by) this.#count(edge, room, user, false);
    this.#touch(room, user);
    if (by.length > 0) this.steps.went++;
    this.#tell({ room, user, now: "left", sinceMs: atMs });
  }

  /** Writes what has changed; returns what the bell is to tell. */
  finish(operations: Operations): readonly PresenceChange[] {
    this.#writeIncarnations(operations);
    this.#writeAttends(operations);
    this.#writeRooms(operations);
    return [...this.#changes.values()];
  }

  #writeIncarnations(operations: Operations): void {
    const key = this.#keys.live(this.#partition);
    for (const name of this.#incarnations) {
      const incarnation = this.#state.incarnation(name);
      if (incarnation) operations.setFields(key, [name, writeIncarnation(incarnation)]);
      else operations.removeField(key, name);
    }
  }

  #writeAttends(operations: Operations): void {
    for (const [edge, attends] of this.#attends) {
      const key = this.#keys.attends(this.#partition, edge);
      const pairs = [...attends];
      const ins = pairs.filter(([, isIn]) => isIn).map(([pair]) => pair);
      const outs = pairs.filter(([, isIn]) => !isIn).map(([pair]) => pair);
      operations.addMembers(key, ins);
      operations.removeMembers(key, outs);
    }
  }

  #writeRooms(operations: Operations): void {
    for (const [room, users] of this.#users) {
      const key = this.#keys.presence(this.#partition, room);
      const presence = this.#state.room(room);
      const fields: string[] = [];
      for (const user of users) {
        const where = presence.get(user);
        if (where) fields.push(user, writeWhereabouts(where));
        else operations.removeField(key, user);
      }
      operations.setFields(key, fields);
    }
  }
}
