/** What an edge says of who is there, step by step, without clock and Redis. */
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";

import {
  BATCH_USERS_MAX,
  type LeaseAnswer,
  type LeaseRequest,
  PartitionPresence,
  type Saying,
} from "../../src/edge/presence-partition.ts";
import type { RoomId, UserId } from "../../src/protocol/ids.ts";
import { FACT_USERS_MAX, FACTS_PER_ENTRY_MAX, type Fact } from "../../src/streams/command-log.ts";

const TIMES = { leaseMs: 6_000, renewMs: 2_000, graceMs: 5_000 };
const [ROOM, OTHER] = ["lounge", "attic"] as [RoomId, RoomId];
const [ANN, BEN] = ["ann", "ben"] as [UserId, UserId];

/** Facts in short: `+edge`, `room +ann -ben`. */
function words(saying: Saying | null): string[] | null {
  return (
    saying?.facts.map((fact) => {
      if (fact.type !== "attendance") return fact.type;
      const users = [...fact.entered.map((u) => `+${u}`), ...fact.left.map((u) => `-${u}`)];
      return [fact.room, ...users].join(" ");
    }) ?? null
  );
}

let partition: PartitionPresence;
let names: number;
beforeEach(() => {
  names = 0;
  partition = new PartitionPresence(TIMES, () => `e.${++names}`);
});

/** Up to the state in which it may speak. */
function rise(nowMs = 0): void {
  const request = partition.leaseDue(nowMs);
  if (!request) throw new Error("no lease is due");
  partition.leased(request, "held", nowMs);
}
/** Says what there is to say, as many batches as it takes. */
function sayAll(nowMs = 0): (string[] | null)[] {
  const said = [];
  for (let saying = partition.depart(nowMs); saying; saying = partition.depart(nowMs)) {
    said.push(words(saying));
    partition.settled(saying, "appended", nowMs);
  }
  return said;
}

describe("what an edge says of one partition", () => {
  it("[PS9] holds a lease before the first word, and says the first and the last device only", () => {
    partition.enter(ROOM, ANN);
    expect(partition.depart(0)).toBe(null);
    const request = partition.leaseDue(0);
    expect(request).toEqual({ incarnation: "e.1", isNew: true });
    expect(partition.leaseDue(0)).toBe(null);
    expect(partition.depart(0)).toBe(null);
    if (request) partition.leased(request, "held", 0);
    partition.enter(ROOM, ANN);
    partition.enter(ROOM, BEN);
    expect(sayAll()).toEqual([["edgeUp", "lounge +ann +ben"]]);
    partition.leave(ROOM, ANN, 0);
    partition.leave(ROOM, BEN, 0);
    partition.tick(TIMES.graceMs - 1);
    expect(sayAll()).toEqual([]);
    partition.tick(TIMES.graceMs);
    expect(sayAll()).toEqual([["lounge -ben"]]);
    expect(partition.size).toBe(1);
  });

  it("[PS2] says nothing of one who is back within the grace", () => {
    partition.enter(ROOM, ANN);
    rise();
    sayAll();
    partition.leave(ROOM, ANN, 0);
    partition.enter(ROOM, ANN);
    partition.tick(10 * TIMES.graceMs);
    expect(sayAll(10 * TIMES.graceMs)).toEqual([]);
  });

  it("[PS9] has one batch under way; what changes meanwhile is said by the next, as it came out", () => {
    partition.enter(ROOM, ANN);
    rise();
    const first = partition.depart(0);
    partition.enter(OTHER, ANN);
    partition.enter(OTHER, BEN);
    partition.doubt(OTHER, BEN);
    partition.leave(ROOM, ANN, 0);
    partition.tick(TIMES.graceMs);
    expect(partition.depart(0)).toBe(null);
    if (first) partition.settled(first, "appended", 0);
    expect(sayAll()).toEqual([["attic +ann +ben", "lounge -ann"]]);
  });

  it("[PS10] says it again, later, when it was refused", () => {
    partition.enter(ROOM, ANN);
    rise();
    const saying = partition.depart(0);
    if (saying) partition.settled(saying, "refused", 0);
    expect(partition.depart(100)).toBe(null);
    expect(sayAll(500)).toEqual([["edgeUp", "lounge +ann"]]);
    expect(names).toBe(1);
  });

  it("[PS10] is another one, and says everything again, after facts of unknown fate", () => {
    partition.enter(ROOM, ANN);
    rise();
    sayAll();
    partition.enter(ROOM, BEN);
    const saying = partition.depart(0);
    partition.leave(ROOM, ANN, 0);
    if (saying) partition.settled(saying, "doubtful", 0);
    partition.tick(499);
    expect(partition.leaseDue(499)).toBe(null);
    partition.tick(500);
    rise(500);
    // Ann is in her grace: nobody sees her go for the sake of an edge's trouble.
    expect(sayAll(500)).toEqual([["edgeUp", "lounge +ann +ben"]]);
    if (saying) partition.settled(saying, "appended", 600);
    expect(partition.state).toMatchObject({ name: "up", incarnation: "e.2" });
    expect(partition.raised).toEqual({ first: 1, gone: 0, doubtful: 1 });
  });

  it("[PS10] is another one at once when the lease is found gone, and asks again when that is unknown", () => {
    partition.enter(ROOM, ANN);
    rise();
    sayAll();
    expect(partition.leaseDue(TIMES.renewMs - 1)).toBe(null);
    const renewal = partition.leaseDue(TIMES.renewMs);
    expect(renewal).toEqual({ incarnation: "e.1", isNew: false });
    if (renewal) partition.leased(renewal, "unknown", TIMES.renewMs);
    const second = partition.leaseDue(2 * TIMES.renewMs);
    if (second) partition.leased(second, "gone", 2 * TIMES.renewMs);
    partition.tick(2 * TIMES.renewMs);
    rise(2 * TIMES.renewMs);
    expect(sayAll(2 * TIMES.renewMs)).toEqual([["edgeUp", "lounge +ann"]]);
    expect(partition.raised).toEqual({ first: 1, gone: 1, doubtful: 0 });
  });

  it("[PS3] says of one who left the room that they are out, and once more that they are in", () => {
    partition.enter(ROOM, ANN);
    rise();
    sayAll();
    partition.leave(ROOM, ANN, 0);
    partition.doubt(ROOM, ANN);
    expect(sayAll()).toEqual([["lounge -ann"]]);
    expect(partition.size).toBe(0);
    partition.enter(ROOM, ANN);
    partition.doubt(ROOM, ANN);
    expect(sayAll()).toEqual([["lounge +ann"]]);
    partition.doubt(ROOM, ANN);
    expect(sayAll()).toEqual([["lounge +ann"]]);
  });

  it("[PS9] lets the lease run out when nobody is there, and is another one afterwards", () => {
    partition.enter(ROOM, ANN);
    rise();
    sayAll();
    partition.leave(ROOM, ANN, 0);
    partition.tick(TIMES.graceMs);
    sayAll(TIMES.graceMs);
    partition.tick(TIMES.graceMs);
    expect(partition.state.name).toBe("silent");
    expect(partition.leaseDue(100_000)).toBe(null);
    partition.enter(ROOM, ANN);
    expect(partition.leaseDue(100_000)?.incarnation).toBe("e.2");
  });

  it("[PS9] keeps its bounds of users and facts in a storm, and leaves nobody out", () => {
    const expected = new Set<string>();
    for (let i = 0; i < 3_000; i++) {
      const [room, user] = [`r${i % 700}` as RoomId, `u${i}` as UserId];
      partition.enter(room, user);
      expected.add(`${room} ${user}`);
    }
    for (let i = 0; i < 1_000; i++) {
      partition.enter(ROOM, `w${i}` as UserId);
      expected.add(`${ROOM} w${i}`);
    }
    rise();
    const said = new Set<string>();
    for (let saying = partition.depart(0); saying; saying = partition.depart(0)) {
      expect(saying.facts.length).toBeLessThanOrEqual(FACTS_PER_ENTRY_MAX);
      let users = 0;
      for (const fact of saying.facts as Fact[]) {
        if (fact.type !== "attendance") continue;
        expect(fact.entered.length).toBeLessThanOrEqual(FACT_USERS_MAX);
        users += fact.entered.length;
        for (const user of fact.entered) said.add(`${fact.room} ${user}`);
      }
      expect(users).toBeLessThanOrEqual(BATCH_USERS_MAX);
      partition.settled(saying, "appended", 0);
    }
    expect(said).toEqual(expected);
  });

  it("[PS8] whatever happens, what the log holds by the last incarnation is who is there", () => {
    const act = fc.oneof(
      fc.record({
        does: fc.constantFrom("enter", "leave", "doubt", "forgotten"),
        room: fc.constantFrom(ROOM, OTHER),
        user: fc.constantFrom(ANN, BEN),
      }),
      fc.record({
        does: fc.constantFrom(
          "time",
          "depart",
          "lease held",
          "lease gone",
          "lease unknown",
          "appended",
          "refused",
          "doubtful, and in the log",
          "doubtful, and lost",
        ),
      }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const run = new Run();
        for (const each of acts) run.act(each as Act);
        run.settle();
        expect([...run.log].sort()).toEqual([...run.devices.keys()].sort());
      }),
      { numRuns: 2_000 },
    );
  });
});

interface Act {
  readonly does: string;
  readonly room: RoomId;
  readonly user: UserId;
}

/**
 * A partition under acts by chance, with what the log holds of its newest
 * incarnation: nothing any more once its lease has run out, for good.
 */
class Run {
  readonly devices = new Map<string, number>();
  readonly log = new Set<string>();
  /** Of the newest incarnation; Infinity before it holds a lease. */
  #leaseEndsAtMs = Infinity;
  #partition: PartitionPresence;
  #names = 0;
  #nowMs = 0;
  #saying: Saying | null = null;

  constructor() {
    this.#partition = new PartitionPresence(TIMES, () => {
      this.log.clear();
      this.#leaseEndsAtMs = Infinity;
      return `e.${++this.#names}`;
    });
  }

  act({ does, room, user }: Act): void {
    const pair = `${room} ${user}`;
    const devices = this.devices.get(pair) ?? 0;
    if (does === "enter") {
      this.devices.set(pair, devices + 1);
      this.#partition.enter(room, user);
    } else if (does === "leave" && devices > 0) {
      if (devices === 1) this.devices.delete(pair);
      else this.devices.set(pair, devices - 1);
      this.#partition.leave(room, user, this.#nowMs);
    } else if (does === "doubt" || does === "forgotten") {
      // As of a user who left the room.
      if (does === "forgotten") this.log.delete(pair);
      this.#partition.doubt(room, user);
    } else if (does.startsWith("lease")) {
      const request = this.#partition.leaseDue(this.#nowMs);
      const answer = does.split(" ")[1] as "held" | "gone" | "unknown";
      if (request) this.#lease(request, answer);
    } else if (does !== "leave") {
      this.#pass(does);
    }
  }

  #lease(request: LeaseRequest, wanted: LeaseAnswer): void {
    const answer = wanted === "held" && this.#hasEnded ? "gone" : wanted;
    if (answer === "held") this.#leaseEndsAtMs = this.#nowMs + TIMES.leaseMs;
    if (answer === "gone") this.#end();
    this.#partition.leased(request, answer, this.#nowMs);
  }

  get #hasEnded(): boolean {
    return this.#nowMs >= this.#leaseEndsAtMs;
  }
  #end(): void {
    this.#leaseEndsAtMs = -Infinity;
    this.log.clear();
  }

  #pass(does: string): void {
    if (does === "time") {
      this.#nowMs += 1_000;
      if (this.#hasEnded) this.#end();
      this.#partition.tick(this.#nowMs);
      return;
    }
    this.#saying ??= this.#partition.depart(this.#nowMs);
    const saying = this.#saying;
    if (!saying || does === "depart") return;
    this.#saying = null;
    const counts = saying.incarnation === `e.${this.#names}` && !this.#hasEnded;
    if (counts && does !== "refused" && does !== "doubtful, and lost") this.#append(saying);
    const fate = does.split(",")[0] as "appended" | "refused" | "doubtful";
    this.#partition.settled(saying, fate, this.#nowMs);
  }

  #append({ facts }: Saying): void {
    for (const fact of facts) {
      if (fact.type !== "attendance") continue;
      for (const user of fact.entered) this.log.add(`${fact.room} ${user}`);
      for (const user of fact.left) this.log.delete(`${fact.room} ${user}`);
    }
  }

  /** All goes well for long enough. */
  settle(): void {
    for (let i = 0; i < 40; i++) {
      this.#pass("appended");
      this.#pass("time");
      this.act({ does: "lease held", room: ROOM, user: ANN });
      this.#pass("appended");
    }
  }
}
