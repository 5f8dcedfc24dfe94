/** Back-off and the agenda: everything about time that needs no socket. */
import { describe, expect, it } from "vitest";
import { Agenda } from "../../src/client/agenda.ts";
import { BACKOFF, Backoff, backoffMs } from "../../src/client/backoff.ts";
import { FakeClock } from "./fake-clock.ts";

const almostOne = (): number => 1 - Number.EPSILON;

describe("back-off", () => {
  it("[CL11] doubles its ceiling to a cap and spreads below it", () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 8, 2_000].map((attempt) =>
      backoffMs(attempt, almostOne),
    );
    expect(ceilings).toEqual([249, 499, 999, 1_999, 3_999, 7_999, 9_999, 9_999, 9_999]);
    expect(backoffMs(7, () => 0)).toBe(0);
    expect(backoffMs(7, () => 0.5)).toBe(5_000);
  });

  it("[CL11] starts over only after a success that lasted", () => {
    const backoff = new Backoff(almostOne);
    for (let i = 0; i < 3; i++) backoff.failed(0);
    backoff.succeeded(1_000);
    expect(backoff.failed(1_000 + BACKOFF.steadyMs - 1)).toBe(1_999);
    backoff.succeeded(10_000);
    expect(backoff.failed(10_000 + BACKOFF.steadyMs)).toBe(249);
    expect(backoff.attempt).toBe(1);
  });
});

describe("the agenda", () => {
  it("[CL11] rings each appointment once, in time, on one timer", () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    const rung: string[] = [];
    for (const [name, atMs] of [
      ["c", 30],
      ["a", 10],
      ["b", 20],
      ["moved", 5],
    ] as const) {
      agenda.set(name, atMs, () => rung.push(name));
    }
    agenda.set("moved", 40, () => rung.push("moved"));
    agenda.set("gone", 15, () => rung.push("gone"));
    agenda.cancel("gone");
    expect(clock.timers).toBe(1);
    clock.advance(25);
    expect(rung).toEqual(["a", "b"]);
    clock.advance(100);
    expect(rung).toEqual(["a", "b", "c", "moved"]);
    expect(clock.timers).toBe(0);
  });

  it("[CL11] may be changed by what rings", () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    const rung: string[] = [];
    agenda.set("first", 10, () => {
      rung.push("first");
      agenda.cancel("second");
      agenda.set("again", 10, () => rung.push("again"));
    });
    agenda.set("second", 10, () => rung.push("second"));
    clock.advance(10);
    expect(rung).toEqual(["first", "again"]);
  });

  it("[CL11] waits longer than a timer can", () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    let rung = 0;
    agenda.set("far", 2 ** 32, () => (rung += 1));
    clock.advance(2 ** 32 - 1);
    expect(rung).toBe(0);
    clock.advance(1);
    expect(rung).toBe(1);
    agenda.set("never", clock.now() + 1, () => (rung += 1));
    agenda.clear();
    expect(clock.timers).toBe(0);
  });
});
