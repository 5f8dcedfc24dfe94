/** What those who attend are told, against what is: any order of reads, bells and tellings. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { HEARD_MAX, PresenceView } from "../../src/edge/presence-view.ts";
import type { RoomId, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { Position } from "../../src/redis/position.ts";
import type { PresenceChange } from "../../src/streams/bell.ts";

const ROOM = "lounge" as RoomId;
const at = (n: number): Position => `${n}-0` as Position;

/** A client that folds frames. */
class Client {
  readonly online = new Set<string>();
  readonly seen = new Map<string, number>();
  count = 0;

  take(frame: ReturnType<PresenceView["flush"]>): void {
    if (!frame) return;
    expect(frame.online.length).toBeLessThanOrEqual(LIMITS.largeRoom);
    expect(frame.offline.length).toBeLessThanOrEqual(LIMITS.largeRoom);
    if (frame.whole) {
      this.online.clear();
      this.seen.clear();
    }
    this.count = frame.count;
    for (const user of frame.online) {
      this.online.add(user);
      this.seen.delete(user);
    }
    for (const { user, lastSeen } of frame.offline) {
      this.online.delete(user);
      this.seen.set(user, lastSeen);
    }
  }
}

/** The room as it is, with the bells of its changes. */
class Truth {
  readonly marks = new Map<UserId, number>();
  readonly bells: { to: Position; change: PresenceChange }[] = [];
  #n = 0;

  change(user: UserId, now: PresenceChange["now"]): void {
    this.#n++;
    if (now === "left") this.marks.delete(user);
    else this.marks.set(user, now === "there" ? 0 : this.#n);
    const sinceMs = now === "there" ? 0 : this.#n;
    this.bells.push({ to: at(this.#n), change: { room: ROOM, user, now, sinceMs } });
  }
  snapshot(members = 3): Parameters<PresenceView["loaded"]>[0] {
    return { position: at(this.#n), marks: new Map(this.marks), members };
  }
  online(): string[] {
    return [...this.marks].filter(([, mark]) => mark === 0).map(([user]) => user);
  }
}

const user = fc.constantFrom("ann", "ben", "cat").map((name) => name as UserId);
const act = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant("change"),
      user,
      now: fc.constantFrom("there", "away", "left"),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constantFrom("hear", "hear", "read", "answer", "tell", "miss", "come"),
    }),
  },
);

describe("presence of a room as it is told", () => {
  it("[PS8] is what it is, to those who were there from the start and to those who came later", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const [truth, view] = [new Truth(), new PresenceView(ROOM)];
        const clients: Client[] = [];
        let heard = 0;
        let answer: ReturnType<Truth["snapshot"]> | null = null;
        const hear = (): void => {
          const bell = truth.bells[heard++];
          if (bell) view.hear(bell.change, bell.to);
        };
        const tell = (): void => {
          if (view.isLoading) return;
          const frame = view.flush();
          for (const client of clients) client.take(frame);
        };
        const answered = (): void => {
          if (!answer) return;
          view.loaded(answer, 1_000_000);
          answer = null;
          tell();
        };
        for (const each of acts as { does: string; user: UserId; now: PresenceChange["now"] }[]) {
          if (each.does === "change") truth.change(each.user, each.now);
          else if (each.does === "hear" && heard < truth.bells.length) hear();
          else if (each.does === "read" && view.isLoading) answer = truth.snapshot();
          else if (each.does === "answer") answered();
          else if (each.does === "tell") tell();
          else if (each.does === "miss") {
            // Some bells are passed over; the edge knows, and reads again after it.
            heard = truth.bells.length;
            view.reload();
            answer = null;
          } else if (each.does === "come" && !view.isLoading) {
            const client = new Client();
            client.take(view.whole());
            clients.push(client);
          }
        }
        if (view.isLoading) answer = truth.snapshot();
        answered();
        while (heard < truth.bells.length) hear();
        tell();
        for (const client of clients) {
          expect([...client.online].sort()).toEqual(truth.online().sort());
          expect(client.count).toBe(client.online.size);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("[PS7] of a large room is a count and a sample that is followed, past the limit and not at it", () => {
    for (const size of [LIMITS.largeRoom, LIMITS.largeRoom + 1]) {
      const [truth, view, client] = [new Truth(), new PresenceView(ROOM), new Client()];
      for (let i = 0; i < 200; i++) truth.change(`user-${i}` as UserId, "there");
      view.loaded(truth.snapshot(size), 0);
      client.take(view.flush());
      const isLarge = size > LIMITS.largeRoom;
      expect(client.online.size).toBe(isLarge ? LIMITS.presenceSample : 200);
      for (const name of [...client.online].slice(0, 7)) truth.change(name as UserId, "away");
      for (const { change, to } of truth.bells.slice(200)) view.hear(change, to);
      client.take(view.flush());
      expect(client.count).toBe(193);
      expect(client.online.size).toBe(isLarge ? LIMITS.presenceSample : 193);
      for (const name of client.online) expect(truth.marks.get(name as UserId)).toBe(0);
    }
  });

  it("[PS7] turns into a sample when so many have been there, and tells all of that", () => {
    const [truth, view, client] = [new Truth(), new PresenceView(ROOM), new Client()];
    view.loaded(truth.snapshot(), 0);
    client.take(view.whole());
    const comes = (i: number): void => {
      truth.change(`user-${i}` as UserId, "there");
      const bell = truth.bells.at(-1);
      if (bell) view.hear(bell.change, bell.to);
    };
    for (let i = 0; i < LIMITS.largeRoom; i++) {
      comes(i);
      if (i % 90 === 0) client.take(view.flush());
    }
    client.take(view.flush());
    expect([client.count, client.online.size]).toEqual([LIMITS.largeRoom, LIMITS.largeRoom]);
    // All of them fit into one frame.
    expect(view.whole().online).toHaveLength(LIMITS.largeRoom);
    comes(LIMITS.largeRoom);
    const frame = view.flush();
    expect(frame?.whole).toBe(true);
    client.take(frame);
    expect(client.count).toBe(LIMITS.largeRoom + 1);
    expect(client.online.size).toBe(LIMITS.presenceSample);
  });

  it("[PS6] tells who has left the room while bells were missed", () => {
    const [truth, view, client] = [new Truth(), new PresenceView(ROOM), new Client()];
    for (const name of ["ann", "ben"]) truth.change(name as UserId, "there");
    view.loaded(truth.snapshot(), 0);
    client.take(view.flush());
    truth.change("ben" as UserId, "left");
    view.reload();
    view.loaded(truth.snapshot(), 77);
    client.take(view.flush());
    expect([...client.online, client.count]).toEqual(["ann", 1]);
    expect(client.seen.get("ben")).toBe(77);
  });

  it("[PS6] takes from what was heard during a read just what the read does not have", () => {
    const [truth, view] = [new Truth(), new PresenceView(ROOM)];
    for (const now of ["there", "away", "there"] as const) truth.change("ann" as UserId, now);
    const answer = truth.snapshot();
    truth.change("ben" as UserId, "there");
    for (const { change, to } of [truth.bells[1], truth.bells[3]] as Truth["bells"]) {
      view.hear(change, to);
    }
    view.loaded(answer, 0);
    view.flush();
    expect(view.whole().online).toEqual(["ann", "ben"]);
  });

  it("[PS6] is read once more when more is heard of than is kept meanwhile", () => {
    const [truth, view] = [new Truth(), new PresenceView(ROOM)];
    const before = truth.snapshot();
    for (let i = 0; i <= HEARD_MAX; i++) {
      truth.change("ann" as UserId, i % 2 === 0 ? "there" : "away");
      const bell = truth.bells.at(-1);
      if (bell) view.hear(bell.change, bell.to);
    }
    expect(view.loaded(before, 0)).toBe(false);
    expect(view.isLoading).toBe(true);
    expect(view.loaded(truth.snapshot(), 0)).toBe(true);
    view.flush();
    expect(view.whole().online).toEqual(["ann"]);
  });
});
