/** The order and the bounds of appends; what Redis does with them is in append.redis.test.ts. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Ingest, INGEST_BOUNDS, type Departure, type Sender } from "../../src/ingest/ingest.ts";
import type { CommandNumber, DeviceId, RoomId, UserId } from "../../src/protocol/ids.ts";
import {
  FACTS_PER_ENTRY_MAX,
  unpackCommands,
  type Fact,
  type LoggedCommand,
} from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";

const BACKLOG = 1_000_000;
const keys = new Keys(4);
/** Two rooms in different partitions. */
const [HERE, THERE] = ["general", "dm.0123456789abcdef"] as [RoomId, RoomId];

function sayHi(k: number, room = HERE, text = "hi"): LoggedCommand {
  return {
    session: 1,
    user: "ann" as UserId,
    device: "d" as DeviceId,
    command: { type: "send", k: k as CommandNumber, room, text },
  };
}

/** Writes down what it is told. */
class Listener implements Sender {
  readonly heard: string[] = [];
  accepted(k: CommandNumber): void {
    this.heard.push(`${k} accepted`);
  }
  deferred(k: CommandNumber, code: string): void {
    this.heard.push(`${k} ${code}`);
  }
}

/** Command numbers of each batch of a departure. */
function numbers({ calls }: Departure): number[][] {
  return calls.map(({ args }) =>
    unpackCommands(args[2] as Uint8Array).commands.map(({ command }) => command.k),
  );
}

const APPENDED = { outcome: "appended" } as const;
const BUSY = { outcome: "busy" } as const;

describe("ingest", () => {
  let ingest: Ingest;
  let listener: Listener;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
    ingest = new Ingest(keys, "edge-1", BACKLOG);
    listener = new Listener();
  });
  afterEach(() => void vi.useRealTimers());

  const submit = (...commands: readonly LoggedCommand[]): void => {
    for (const command of commands) ingest.submit(command, listener);
  };

  it("[IN6] gathers what waits into one entry a partition, in order", () => {
    submit(sayHi(1), sayHi(2, THERE), sayHi(3), sayHi(4, THERE));
    expect(numbers(ingest.begin())).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  it("[IN7] sends a batch of unknown outcome again, the same bytes, before anything younger", () => {
    submit(sayHi(1), sayHi(2));
    const first = ingest.begin();
    submit(sayHi(3));
    first.settle(null);
    const second = ingest.begin();
    expect(second.calls[0]?.args).toEqual(first.calls[0]?.args);
    expect(listener.heard).toEqual([]);
    second.settle([APPENDED]);
    expect(numbers(ingest.begin())).toEqual([[3]]);
    expect(listener.heard).toEqual(["1 accepted", "2 accepted"]);
  });

  it("[IN7] does so too when Redis refuses, for instance while it loads", () => {
    submit(sayHi(1));
    ingest.begin().settle([new Error("LOADING")]);
    expect(numbers(ingest.begin())).toEqual([[1]]);
  });

  it("[IN8] tells everybody who waits after five seconds without an outcome, in order", () => {
    submit(sayHi(1), sayHi(2));
    const first = ingest.begin();
    submit(sayHi(3), sayHi(4, THERE));
    vi.advanceTimersByTime(INGEST_BOUNDS.deadlineMs - 1);
    first.settle(null);
    expect(listener.heard).toEqual([]);
    const again = ingest.begin();
    vi.advanceTimersByTime(1);
    again.settle(null);
    expect(listener.heard).toEqual(["1 unavailable", "2 unavailable", "3 unavailable"]);
    // The other partition has been trying for a millisecond only.
    expect(numbers(ingest.begin())).toEqual([[4]]);
  });

  it("[IN9] defers the whole queue when the projector is behind: nothing younger overtakes", () => {
    submit(sayHi(1));
    const departure = ingest.begin();
    submit(sayHi(2), sayHi(3, THERE));
    departure.settle([BUSY]);
    expect(listener.heard).toEqual(["1 busy", "2 busy"]);
    expect(numbers(ingest.begin())).toEqual([[3]]);
  });

  it("[IN9] holds its bound of waiting commands exactly", () => {
    for (let k = 1; k <= INGEST_BOUNDS.queuedCommands; k++) submit(sayHi(k));
    expect(listener.heard).toEqual([]);
    submit(sayHi(4_097), sayHi(1, THERE));
    expect(listener.heard).toEqual(["4097 busy"]);
  });

  it("[IN6] holds the bound of commands of an entry exactly", () => {
    for (let k = 1; k <= INGEST_BOUNDS.batchCommands + 1; k++) submit(sayHi(k));
    const departure = ingest.begin();
    expect(numbers(departure)[0]).toHaveLength(INGEST_BOUNDS.batchCommands);
    departure.settle([APPENDED]);
    expect(numbers(ingest.begin())).toEqual([[INGEST_BOUNDS.batchCommands + 1]]);
  });

  it("[IN6] begins a new entry when the bytes are too many, and never an empty one", () => {
    const large = "x".repeat(8_000);
    for (let k = 1; k <= 20; k++) submit(sayHi(k, HERE, large));
    const seen: number[] = [];
    while (ingest.hasWork) {
      const departure = ingest.begin();
      const body = departure.calls[0]?.args[2] as Uint8Array;
      expect(body.length).toBeLessThan(INGEST_BOUNDS.batchBytes + 1_000);
      seen.push(...(numbers(departure)[0] ?? []));
      departure.settle([APPENDED]);
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  it("[IN6] wakes its driver once when work comes, and takes work from within an answer", () => {
    let woken = 0;
    ingest.onWork = () => woken++;
    submit(sayHi(1), sayHi(2));
    expect(woken).toBe(1);
    ingest.submit(sayHi(3), {
      accepted: () => submit(sayHi(4)),
      deferred: () => expect.unreachable(),
    });
    ingest.begin().settle([APPENDED]);
    expect(woken).toBe(2);
    expect(numbers(ingest.begin())).toEqual([[4]]);
  });

  it("[IN8] gives everything up at once when Redis is known to be away", () => {
    submit(sayHi(1), sayHi(2, THERE));
    ingest.begin();
    submit(sayHi(3));
    ingest.giveUpAll();
    expect(listener.heard).toEqual(["1 unavailable", "3 unavailable", "2 unavailable"]);
    expect(ingest.hasWork).toBe(false);
  });

  describe("facts", () => {
    const PARTITION = keys.partitionOf(HERE);
    const up = (edge: string): Fact => ({ type: "edgeUp", edge });
    const many = (size: number): Fact[] => Array.from({ length: size }, (_, i) => up(`e${i}`));
    let told: string[];
    beforeEach(() => (told = []));
    const say = (name: string, facts: readonly Fact[]): void =>
      ingest.submitFacts(PARTITION, facts, {
        appended: () => told.push(`${name} appended`),
        refused: () => told.push(`${name} refused`),
        doubtful: () => told.push(`${name} doubtful`),
      });
    const content = ({ calls }: Departure): [number, number, unknown][] =>
      calls.map(({ args }) => {
        const { commands, facts = [] } = unpackCommands(args[2] as Uint8Array);
        return [commands.length, facts.length, args[0]];
      });

    it("[IN10] stand behind the commands of the same entry, and count with them", () => {
      submit(sayHi(1), sayHi(2));
      say("a", many(2));
      const departure = ingest.begin();
      expect(content(departure)).toEqual([[2, 2, 4]]);
      expect(departure.commands).toBe(4);
      departure.settle([APPENDED]);
      expect(told).toEqual(["a appended"]);
      say("b", many(1));
      expect(content(ingest.begin())).toEqual([[0, 1, 1]]);
    });

    it("[IN10] that were said together stay together, and an entry holds 64", () => {
      say("a", many(FACTS_PER_ENTRY_MAX - 1));
      say("b", many(2));
      say("c", many(FACTS_PER_ENTRY_MAX - 2));
      const seen = [];
      while (ingest.hasWork) {
        const departure = ingest.begin();
        seen.push(...content(departure));
        departure.settle([APPENDED]);
      }
      expect(seen.map(([, facts]) => facts)).toEqual([63, 64]);
    });

    it("[IN11] of unknown fate are told so at once and once, while the same bytes go again", () => {
      submit(sayHi(1));
      say("a", many(1));
      const first = ingest.begin();
      first.settle(null);
      expect(told).toEqual(["a doubtful"]);
      const second = ingest.begin();
      expect(second.calls[0]?.args).toEqual(first.calls[0]?.args);
      second.settle([APPENDED]);
      expect(told).toEqual(["a doubtful"]);
      expect(listener.heard).toEqual(["1 accepted"]);
    });

    it("[IN11] are refused by a full backlog, and past the bound of those that wait", () => {
      say("a", many(1));
      const departure = ingest.begin();
      say("b", many(1));
      departure.settle([BUSY]);
      expect(told).toEqual(["a refused", "b refused"]);
      told = [];
      for (let i = 0; i < INGEST_BOUNDS.queuedFacts / FACTS_PER_ENTRY_MAX; i++) {
        say(`${i}`, many(FACTS_PER_ENTRY_MAX));
      }
      expect(told).toEqual([]);
      say("full", many(1));
      expect(told).toEqual(["full refused"]);
    });

    it("[IN11] under way when Redis is given up may be in the log, the others are not", () => {
      say("a", many(1));
      ingest.begin();
      say("b", many(1));
      ingest.giveUpAll();
      expect(told).toEqual(["a doubtful", "b refused"]);
    });
  });

  it("[IN8] forgets an answer to what was given up", () => {
    submit(sayHi(1));
    const departure = ingest.begin();
    ingest.giveUpAll();
    departure.settle([APPENDED]);
    expect(listener.heard).toEqual(["1 unavailable"]);
  });
});
