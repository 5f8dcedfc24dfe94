import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClientError } from "../../src/client/client-error.ts";
import { Device, memoryDevice } from "../../src/client/device.ts";
import { Outbox, OUTBOX_COMMANDS_MAX, type OutboxItem } from "../../src/client/outbox.ts";
import type { CommandNumber, RoomId, Seq } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";

const SEED = 20_241_123;
const ROOM = "general" as RoomId;
const k = (n: number): CommandNumber => n as CommandNumber;
const outcome = { room: ROOM, seq: 1 as Seq, again: false };

function newOutbox(): { outbox: Outbox; say: (text?: string) => OutboxItem } {
  const outbox = new Outbox(new Device(memoryDevice(), Math.random), () => undefined);
  const say = (text = "hi"): OutboxItem => outbox.add({ type: "send", room: ROOM, text });
  return { outbox, say };
}
const numbers = (outbox: Outbox, nowMs = 0): number[] =>
  outbox.takeSendable(nowMs).map(({ k }) => k);

describe("the outbox", () => {
  it("[CL5] gives numbers in order and gives each command to the wire once", () => {
    const { outbox, say } = newOutbox();
    for (let i = 0; i < 3; i++) say();
    expect(numbers(outbox)).toEqual([1, 2, 3]);
    expect(numbers(outbox)).toEqual([]);
    outbox.reconnected();
    expect(numbers(outbox)).toEqual([1, 2, 3]);
  });

  it("[CL5] takes no number for what it refuses", () => {
    const { outbox, say } = newOutbox();
    expect(() => say("a".repeat(LIMITS.textBytes + 1))).toThrow(ClientError);
    expect(() => outbox.add({ type: "join", room: "no room" as RoomId })).toThrow(ClientError);
    expect(say("e\u0301").command).toMatchObject({ k: 1, text: "\u00e9" });
  });

  it("[CL8] holds so many commands, and not one more", () => {
    const { outbox, say } = newOutbox();
    for (let i = 0; i < OUTBOX_COMMANDS_MAX; i++) say();
    expect(() => say()).toThrow(new ClientError("outboxFull"));
    outbox.takeSendable(0);
    outbox.applied(k(1), outcome);
    expect(say().k).toBe(OUTBOX_COMMANDS_MAX + 1);
  });

  it("[CL8] counts numbers, not commands: a slow one holds the later ones back", () => {
    const { outbox, say } = newOutbox();
    for (let i = 0; i < LIMITS.commandsInFlight + 2; i++) say();
    expect(numbers(outbox)).toHaveLength(LIMITS.commandsInFlight);
    for (let i = 2; i <= LIMITS.commandsInFlight; i++) outbox.applied(k(i), outcome);
    expect(numbers(outbox)).toEqual([]);
    outbox.applied(k(1), outcome);
    expect(numbers(outbox)).toEqual([LIMITS.commandsInFlight + 1, LIMITS.commandsInFlight + 2]);
  });

  it("[CL6] sends what the server awaits although its outcome came in the pause", () => {
    const { outbox, say } = newOutbox();
    for (let i = 0; i < 3; i++) say();
    outbox.takeSendable(0);
    expect(outbox.deferred(k(2), 100)).toBe(true);
    outbox.applied(k(2), outcome);
    say();
    expect(numbers(outbox, 99)).toEqual([]);
    expect(numbers(outbox, 100)).toEqual([2, 3, 4]);
    expect(numbers(outbox, 100)).toEqual([]);
    expect(outbox.size).toBe(3);
    expect(outbox.deferred(k(2), 0)).toBe(false);
  });

  it("[CL6] forgets what an earlier connection awaited, and its pause", () => {
    const { outbox, say } = newOutbox();
    for (let i = 0; i < 2; i++) say();
    outbox.takeSendable(0);
    outbox.deferred(k(1), 1_000);
    outbox.applied(k(1), outcome);
    outbox.reconnected();
    expect(numbers(outbox, 0)).toEqual([2]);
  });

  it("[CL14] sends again what has had no outcome for long, and everything after it", () => {
    const { outbox, say } = newOutbox();
    say();
    outbox.takeSendable(0);
    say();
    outbox.takeSendable(50);
    outbox.accepted(k(1));
    outbox.overdue(-1);
    expect(numbers(outbox, 60)).toEqual([]);
    outbox.overdue(0);
    expect(numbers(outbox, 60)).toEqual([1, 2]);
  });

  it("[CL7] takes no second outcome", async () => {
    const { outbox, say } = newOutbox();
    const item = say();
    outbox.takeSendable(0);
    outbox.applied(k(1), outcome);
    outbox.rejected(k(1), new ClientError("forbidden"));
    outbox.accepted(k(1));
    expect(await item.outcome).toEqual(outcome);
    expect(item.state.name).toBe("applied");
  });
});

/**
 * The server's side of the rules, as the protocol document states them: it
 * defers what it pleases, then refuses later numbers until it sees that one
 * again, and applies a number once.
 */
class ModelServer {
  readonly applied: number[] = [];
  #heldFrom: number | null = null;

  receive(number: number, defer: boolean): "applied" | "deferred" {
    if (this.#heldFrom !== null && number > this.#heldFrom) return "deferred";
    if (number === this.#heldFrom) this.#heldFrom = null;
    if (defer) {
      this.#heldFrom = number;
      return "deferred";
    }
    if (!this.applied.includes(number)) this.applied.push(number);
    return "applied";
  }
  reconnect(): void {
    this.#heldFrom = null;
  }
}

it(`[CL5] every command takes effect once and in order, whatever is deferred or lost (seed ${SEED})`, () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant("say" as const) },
    { weight: 4, arbitrary: fc.constant("flush" as const) },
    { weight: 2, arbitrary: fc.constant("defer" as const) },
    { weight: 1, arbitrary: fc.constant("losing reply" as const) },
    { weight: 1, arbitrary: fc.constant("reconnect" as const) },
  );
  const holds = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const { outbox, say } = newOutbox();
    const server = new ModelServer();
    let nowMs = 0;
    const flush = (defer: boolean, deaf: boolean): void => {
      nowMs += 10;
      // All frames of a flush are on the wire before the first answer is back.
      const answers = outbox.takeSendable(nowMs).map((command, i) => {
        return { number: command.k, answer: server.receive(command.k, defer && i === 0) };
      });
      for (const { number, answer } of deaf ? [] : answers) {
        if (answer === "applied") outbox.applied(number, outcome);
        else expect(outbox.deferred(number, nowMs + 5)).toBe(true);
      }
      if (deaf) reconnect();
    };
    const reconnect = (): void => {
      server.reconnect();
      outbox.reconnected();
    };
    let said = 0;
    for (const step of steps) {
      if (step === "say") said = say().k;
      else if (step === "reconnect") reconnect();
      else flush(step === "defer", step === "losing reply");
    }
    for (let i = 0; i < 3; i++) flush(false, false);
    expect(outbox.size).toBe(0);
    expect(server.applied).toEqual(Array.from({ length: said }, (_, i) => i + 1));
  });
  fc.assert(holds, { seed: SEED, numRuns: 500 });
});
