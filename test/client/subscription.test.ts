/** One room, without sockets: the frames come from the test. */
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Agenda } from "../../src/client/agenda.ts";
import {
  HEAD_GRACE_MS,
  RESUME_PATIENCE_MS,
  Subscription,
  type ResumeRequest,
} from "../../src/client/subscription.ts";
import type { Entry, ServerFrameOf } from "../../src/protocol/frames.ts";
import type { Epoch, Seq } from "../../src/protocol/ids.ts";
import { FakeClock } from "./fake-clock.ts";
import { entriesFrom, entryAt, ROOM } from "./scripted-server.ts";

const SEED = 20_241_123;

/** A subscription with everything that it told its client. */
function newSubscription(entriesKept = 100) {
  const clock = new FakeClock();
  const asked: ResumeRequest[] = [];
  const shown: number[] = [];
  const told: string[] = [];
  const link = { up: true };
  const subscription: Subscription = new Subscription(ROOM, {
    clock,
    agenda: new Agenda(clock),
    random: () => 0.5,
    entriesKept,
    me: () => null,
    restarted: () => undefined,
    connected: () => link.up,
    mayFollow: () => true,
    requestResume: () => asked.push(subscription.request()),
    unsubscribe: () => told.push("unsubscribe"),
    entry: ({ seq }) => shown.push(seq),
    reset: () => told.push("reset"),
    gap: (after, before) => told.push(`gap ${after}-${before}`),
    stateChanged: () => undefined,
  });
  return { subscription, clock, asked, shown, told, link };
}

function page(entries: readonly Entry[], fields: Partial<ServerFrameOf<"resumed">> = {}) {
  const head = entries.at(-1)?.seq ?? (0 as Seq);
  const about = { room: ROOM, status: "ok", epoch: 1 as Epoch, head, more: false } as const;
  return { type: "resumed", ...about, entries, ...fields } as const;
}

let made: ReturnType<typeof newSubscription>;
beforeEach(() => {
  made = newSubscription();
});

function followed(seq: number): void {
  void made.subscription.follow({});
  made.subscription.resumed(page(entriesFrom(1, seq), { status: "snapshot" }));
  made.asked.length = 0;
}

describe("reading from the origin", () => {
  it("[CL2] asks again with the epoch that the room turns out to have", () => {
    const { subscription, asked, told } = made;
    void subscription.follow({ from: "origin", limit: 200 });
    subscription.resumed(page(entriesFrom(40, 50), { status: "reset", epoch: 3 as Epoch }));
    expect(asked.map(({ cursor }) => cursor)).toEqual(["1.0.0-0", "3.0.0-0"]);
    subscription.resumed(page(entriesFrom(1, 2), { epoch: 3 as Epoch }));
    expect(made.shown).toEqual([1, 2]);
    expect(told).toEqual([]);
    expect(subscription.epoch).toBe(3);
  });

  it("[CL4] says how much is gone when the beginning is not kept", () => {
    void made.subscription.follow({ from: "origin" });
    made.subscription.resumed(page(entriesFrom(40, 41), { status: "gap" }));
    expect(made.told).toEqual(["gap 0-40"]);
  });
});

describe("a followed room", () => {
  it("[CL2] continues from a cursor that was kept from before", () => {
    const { subscription, asked } = made;
    void subscription.follow({ from: entryAt(7).cursor });
    expect(asked[0]?.cursor).toBe(entryAt(7).cursor);
    subscription.resumed(page([], { head: 7 as Seq }));
    subscription.received([entryAt(7), entryAt(8)]);
    expect(made.shown).toEqual([8]);
  });

  it("[CL2] has one resume under way, however many holes show meanwhile", () => {
    followed(2);
    made.subscription.received([entryAt(4)]);
    made.subscription.received([entryAt(6)]);
    made.subscription.headIs(9 as Seq);
    expect(made.asked).toHaveLength(1);
  });

  it("[CL2] pauses before it asks again for a page that did not connect", () => {
    followed(2);
    made.subscription.received([entryAt(4)]);
    made.subscription.resumed(page(entriesFrom(5, 6)));
    expect(made.subscription.state).toEqual({ name: "paused", delayMs: 125 });
    expect(made.asked).toHaveLength(1);
    made.clock.advance(125);
    expect(made.asked).toHaveLength(2);
    expect(made.shown).toEqual([1, 2]);
  });

  it("[CL2] asks again when no answer comes", () => {
    void made.subscription.follow({});
    made.clock.advance(RESUME_PATIENCE_MS);
    expect(made.asked).toHaveLength(2);
  });

  it("[CL3] gives an announced head its grace, and asks only if it is still not there", () => {
    followed(2);
    made.subscription.headIs(3 as Seq);
    made.clock.advance(HEAD_GRACE_MS - 1);
    made.subscription.received([entryAt(3)]);
    made.clock.advance(10 * HEAD_GRACE_MS);
    expect(made.asked).toEqual([]);
    made.subscription.headIs(5 as Seq);
    made.clock.advance(HEAD_GRACE_MS);
    expect(made.asked.map(({ cursor }) => cursor)).toEqual([entryAt(3).cursor]);
  });

  it("[CL3] believes a reset that the head is lower now", () => {
    followed(9);
    made.subscription.received([entryAt(11)]);
    made.subscription.resumed(page(entriesFrom(1, 3), { status: "reset", epoch: 2 as Epoch }));
    made.asked.length = 0;
    made.clock.advance(10 * HEAD_GRACE_MS);
    expect(made.asked).toEqual([]);
    expect(made.told).toEqual(["reset"]);
  });

  it("[CL1] shows no entry before the page that it begins with", () => {
    void made.subscription.follow({});
    made.subscription.received([entryAt(8)]);
    made.subscription.resumed(page(entriesFrom(5, 8), { status: "snapshot" }));
    expect(made.shown).toEqual([5, 6, 7, 8]);
    expect(made.told).toEqual([]);
  });

  it("[CL1] keeps only its newest entries in memory", () => {
    made = newSubscription(3);
    followed(5);
    expect(made.subscription.timeline.entries.map(({ seq }) => seq)).toEqual([3, 4, 5]);
    expect(made.shown).toHaveLength(5);
  });

  it("[CL15] waits for the connection and is silent once it was ended", async () => {
    const { subscription, asked, link } = made;
    link.up = false;
    const live = subscription.follow({});
    expect(asked).toEqual([]);
    link.up = true;
    subscription.connected();
    expect(asked).toHaveLength(1);
    subscription.unsubscribed("forbidden");
    await expect(live).rejects.toMatchObject({ code: "forbidden" });
    subscription.resumed(page(entriesFrom(1, 2), { status: "snapshot" }));
    subscription.received([entryAt(3)]);
    subscription.connected();
    made.clock.advance(RESUME_PATIENCE_MS);
    expect(asked).toHaveLength(1);
    expect(made.shown).toEqual([]);
  });

  it.each([
    [{ limit: 0 }, "limit"],
    [{ limit: 201 }, "limit"],
    [{ from: "yesterday" as never }, "from"],
  ])("[CL2] refuses to begin with %j", async (options, message) => {
    await expect(made.subscription.follow(options)).rejects.toThrow(message);
    expect(made.subscription.state.name).toBe("idle");
  });
});

it(`[CL1] shows 1, 2, 3 … whatever is dropped, doubled or shuffled (seed ${SEED})`, () => {
  const total = 30;
  const arrivals = fc.array(fc.integer({ min: 1, max: total }), { maxLength: 60 });
  const holds = fc.property(arrivals, (arrivals) => {
    made = newSubscription();
    const { subscription, asked, shown } = made;
    void subscription.follow({ from: "origin" });
    const answer = (): void => {
      while (asked.length > 0) {
        asked.pop();
        const last = shown.at(-1) ?? 0;
        // Pages of seven, up to an entry past the one that showed the hole.
        const until = Math.min(total, last + 7);
        const head = total as Seq;
        subscription.resumed(page(entriesFrom(last + 1, until), { head, more: until < total }));
      }
    };
    for (const [i, seq] of arrivals.entries()) {
      subscription.received([entryAt(seq)]);
      if (i % 3 === 0) answer();
    }
    answer();
    made.clock.advance(HEAD_GRACE_MS);
    answer();
    expect(shown).toEqual(Array.from({ length: total }, (_, i) => i + 1));
  });
  fc.assert(holds, { seed: SEED, numRuns: 300 });
});
