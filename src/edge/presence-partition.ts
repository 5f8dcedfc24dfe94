/**
 * What this edge says of who is there, in one partition. It speaks as an
 * incarnation, which holds a lease; one that is in doubt is left to run out, and
 * a new one says everything again, so that nothing said has to be numbered.
 *
 *            somebody is there             lease held
 *   silent ────────────────────▶ rising ──────────────▶ up ──┐ one batch of facts
 *     ▲  ▲                        │  ▲                  │ ▲──┘ under way at a time
 *     │  │ lease unknown          │  │                  │
 *     │  └── nobody is there ─────┘  │ pause is over    │
 *     │                           fallen ◀──────────────┤ lease gone | facts doubtful
 *     └────────── renewal is due, nobody is there ──────┘
 *
 * No clock and no I/O in here: the caller brings both. `#become` is the only
 * writer of the state.
 */
import type { RoomId, UserId } from "../protocol/ids.ts";
import {
  FACT_USERS_MAX,
  FACTS_PER_ENTRY_MAX,
  type Fact,
  type FactOf,
} from "../streams/command-log.ts";

export interface PresenceTimes {
  /** Life of a lease without a renewal. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** From the end of a user's last device in a room until that is said: a reload is no leaving. */
  readonly graceMs: number;
}
export const PRESENCE_TIMES: PresenceTimes = { leaseMs: 6_000, renewMs: 2_000, graceMs: 5_000 };

/** Users in one batch of facts; further ones wait for the next. */
export const BATCH_USERS_MAX = 500;
/** Before something that was refused or is in doubt is tried again. */
const RETRY_MS = 500;

export type PresenceState =
  | { readonly name: "silent" }
  | { readonly name: "rising"; readonly incarnation: string; readonly asked: boolean }
  | {
      readonly name: "up";
      readonly incarnation: string;
      /** Its `edgeUp` is in the log. */
      readonly announced: boolean;
      readonly renewAtMs: number;
    }
  | { readonly name: "fallen"; readonly untilMs: number };

export interface LeaseRequest {
  readonly incarnation: string;
  /** A renewal is only for a lease that is there still. */
  readonly isNew: boolean;
}
export type LeaseAnswer = "held" | "gone" | "unknown";

/** One user in one room. Said as `in` or `out` by the present incarnation, or it is not sure which. */
interface Person {
  readonly room: RoomId;
  readonly user: UserId;
  devices: number;
  /** When the last device went, until that has been accepted as gone. */
  leftAtMs: number | null;
  said: "in" | "out" | "unsure";
}

/** Facts under way. */
export interface Saying {
  readonly facts: readonly Fact[];
  readonly people: readonly Person[];
  readonly incarnation: string;
}

export class PartitionPresence {
  readonly #times: PresenceTimes;
  readonly #nextName: () => string;
  readonly #people = new Map<string, Person>();
  /** Those of whom there may be something to say. */
  readonly #changed = new Set<Person>();
  /** Those whose last device has gone lately, the longest first. */
  readonly #leaving = new Set<Person>();
  #state: PresenceState = { name: "silent" };
  #saying: Saying | null = null;
  #quietUntilMs = 0;
  /** Incarnations, by why they were needed. */
  readonly raised = { first: 0, gone: 0, doubtful: 0 };
  #why: keyof PartitionPresence["raised"] = "first";

  /** `nextName` never gives the same name twice, on any edge. */
  constructor(times: PresenceTimes, nextName: () => string) {
    this.#times = times;
    this.#nextName = nextName;
  }

  #become(state: PresenceState): void {
    this.#state = state;
  }

  get state(): PresenceState {
    return this.#state;
  }
  /** Users it holds to be there, the leaving ones included. */
  get size(): number {
    return this.#people.size;
  }

  /** A device of the user attends the room. */
  enter(room: RoomId, user: UserId): void {
    const key = `${room} ${user}`;
    let person = this.#people.get(key);
    if (!person) {
      person = { room, user, devices: 0, leftAtMs: null, said: "out" };
      this.#people.set(key, person);
    }
    person.devices++;
    person.leftAtMs = null;
    this.#leaving.delete(person);
    this.#changed.add(person);
    if (this.#state.name === "silent") this.#rise();
  }

  /** One of them does no more. */
  leave(room: RoomId, user: UserId, nowMs: number): void {
    const person = this.#people.get(`${room} ${user}`);
    if (!person || --person.devices > 0) return;
    person.leftAtMs = nowMs;
    this.#leaving.add(person);
  }

  /** The log may hold something else than what was said, for instance after the user left the room. */
  doubt(room: RoomId, user: UserId): void {
    const person = this.#people.get(`${room} ${user}`);
    if (!person) return;
    person.said = "unsure";
    if (person.devices === 0) this.#acceptGone(person);
    this.#changed.add(person);
  }

  #acceptGone(person: Person): void {
    person.leftAtMs = null;
    this.#leaving.delete(person);
    this.#changed.add(person);
  }

  #rise(): void {
    this.raised[this.#why]++;
    this.#why = "first";
    this.#become({ name: "rising", incarnation: this.#nextName(), asked: false });
  }

  #fall(why: "gone" | "doubtful", untilMs: number): void {
    this.#why = why;
    this.#saying = null;
    this.#become({ name: "fallen", untilMs });
  }

  /** What the passing of time brings about; call it now and then. */
  tick(nowMs: number): void {
    for (const person of this.#leaving) {
      if (nowMs - (person.leftAtMs ?? 0) < this.#times.graceMs) break;
      this.#acceptGone(person);
    }
    const state = this.#state;
    if (state.name === "fallen" && nowMs >= state.untilMs) this.#startOver();
    const due = state.name === "up" && nowMs >= state.renewAtMs;
    if (due && this.#people.size === 0) this.#become({ name: "silent" });
  }

  /** A new incarnation has said nothing yet. */
  #startOver(): void {
    this.#changed.clear();
    for (const [key, person] of this.#people) {
      person.said = "out";
      if (isThere(person)) this.#changed.add(person);
      else this.#people.delete(key);
    }
    if (this.#people.size === 0) this.#become({ name: "silent" });
    else this.#rise();
  }

  /** The lease that is to be asked for now, if any; `leased` follows. */
  leaseDue(nowMs: number): LeaseRequest | null {
    const state = this.#state;
    if (state.name === "rising" && !state.asked) {
      this.#become({ ...state, asked: true });
      return { incarnation: state.incarnation, isNew: true };
    }
    if (state.name !== "up" || nowMs < state.renewAtMs) return null;
    this.#become({ ...state, renewAtMs: nowMs + this.#times.renewMs });
    return { incarnation: state.incarnation, isNew: false };
  }

  leased({ incarnation }: LeaseRequest, answer: LeaseAnswer, nowMs: number): void {
    const state = this.#state;
    if (state.name === "rising" && state.incarnation === incarnation) {
      if (answer === "held") {
        const renewAtMs = nowMs + this.#times.renewMs;
        this.#become({ name: "up", incarnation, announced: false, renewAtMs });
      } else {
        this.#fall("doubtful", nowMs + RETRY_MS);
      }
    }
    // What is unknown is asked again with the next renewal.
    if (state.name === "up" && state.incarnation === incarnation && answer === "gone") {
      this.#fall("gone", nowMs);
    }
  }

  /** The next facts to append, if any; `settled` follows. */
  depart(nowMs: number): Saying | null {
    const state = this.#state;
    if (state.name !== "up" || this.#saying || nowMs < this.#quietUntilMs) return null;
    const people = this.#nextPeople();
    if (people.length === 0) return null;
    const { incarnation } = state;
    const facts = attendance(incarnation, people);
    for (const person of people) person.said = isThere(person) ? "in" : "out";
    const up: Fact[] = state.announced ? [] : [{ type: "edgeUp", edge: incarnation }];
    this.#saying = { facts: [...up, ...facts], people, incarnation };
    return this.#saying;
  }

  /** Those of whom something is to be said, as many as one entry takes. */
  #nextPeople(): Person[] {
    const people: Person[] = [];
    const rooms = new Set<RoomId>();
    for (const person of this.#changed) {
      const wanted = isThere(person) ? "in" : "out";
      if (person.said !== wanted) {
        const full = rooms.size >= ROOMS_MAX && !rooms.has(person.room);
        if (full || people.length >= BATCH_USERS_MAX) break;
        people.push(person);
        rooms.add(person.room);
      } else if (wanted === "out") {
        this.#forget(person);
      }
      this.#changed.delete(person);
    }
    return people;
  }

  #forget(person: Person): void {
    this.#people.delete(`${person.room} ${person.user}`);
  }

  settled(saying: Saying, fate: "appended" | "refused" | "doubtful", nowMs: number): void {
    // Of an incarnation that has fallen meanwhile, or of a batch that was given up.
    if (saying !== this.#saying || this.#state.name !== "up") return;
    this.#saying = null;
    if (fate === "doubtful") {
      this.#fall("doubtful", nowMs + RETRY_MS);
      return;
    }
    if (fate === "appended") this.#become({ ...this.#state, announced: true });
    else this.#quietUntilMs = nowMs + RETRY_MS;
    for (const person of saying.people) {
      if (fate === "refused") person.said = "unsure";
      this.#changed.add(person);
    }
  }
}

/** An entry holds an `edgeUp` and a fact for each room, or two where more users than fit into one changed. */
const ROOMS_MAX = FACTS_PER_ENTRY_MAX - 1 - Math.ceil(BATCH_USERS_MAX / FACT_USERS_MAX);

function isThere({ devices, leftAtMs }: Person): boolean {
  return devices > 0 || leftAtMs !== null;
}

function attendance(edge: string, people: readonly Person[]): FactOf<"attendance">[] {
  const byRoom = new Map<RoomId, Person[]>();
  for (const person of people) {
    const some = byRoom.get(person.room);
    if (some) some.push(person);
    else byRoom.set(person.room, [person]);
  }
  return [...byRoom].flatMap(([room, all]) => {
    const facts: FactOf<"attendance">[] = [];
    for (let at = 0; at < all.length; at += FACT_USERS_MAX) {
      const some = all.slice(at, at + FACT_USERS_MAX);
      const entered = some.filter(isThere).map(({ user }) => user);
      const left = some.filter((person) => !isThere(person)).map(({ user }) => user);
      facts.push({ type: "attendance", edge, room, entered, left });
    }
    return facts;
  });
}
