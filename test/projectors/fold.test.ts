import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Batch } from "../../src/projectors/runtime/batch.ts";
import { Fold } from "../../src/projectors/runtime/fold.ts";
import { PartitionState } from "../../src/projectors/runtime/partition-state.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import type { DeviceId, Epoch, UserId } from "../../src/protocol/ids.ts";
import type { Position } from "../../src/redis/position.ts";
import { BELL_INLINE_BYTES, readBell } from "../../src/streams/bell.ts";
import type { Command, LoggedCommand } from "../../src/streams/command-log.ts";
import { Keys } from "../../src/streams/keys.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";

const keys = new Keys(1);
const PARTITION = 0 as PartitionId;
const HISTORY = 1_000;

function emptyState(commands: readonly LoggedCommand[]): PartitionState {
  const state = new PartitionState(keys, PARTITION, 1 as Epoch);
  const { requests, fill } = state.missing(commands);
  fill(requests.map(([name]) => (name === "GET" ? null : [])));
  return state;
}

function logged(user: string, command: Record<string, unknown>, k: number): LoggedCommand {
  return {
    session: 3,
    user: user as UserId,
    device: `${user}-1` as DeviceId,
    command: { room: "lounge", ...command, k } as unknown as Command,
  };
}

function fold(commands: readonly LoggedCommand[]): Batch {
  const batch = new Fold(keys, PARTITION, emptyState(commands), HISTORY);
  const entry = "100-0" as Position;
  commands.forEach((each, index) => batch.command({ entry, index, edge: "e1" }, each, null));
  return batch.finish({ from: "99-0" as Position, first: entry, to: entry, entries: 1 });
}

/** The bell as a reader would meet it. */
function bellOf(batch: Batch): ReturnType<typeof readBell> {
  const payloads = batch.inline.flatMap((blob) => [
    "d",
    batch.operations.blobs[blob - 1] as Buffer,
  ]);
  return readBell(["h", batch.bellHeader, ...payloads].map((part) => Buffer.from(part)));
}

const CREATE = { type: "create", kind: "public", name: "Lounge", members: ["ann"] };
const command = fc.oneof(
  fc.constant(CREATE),
  fc.record({ type: fc.constant("send"), text: fc.string({ unit: "grapheme", maxLength: 20 }) }),
  fc.record({ type: fc.constantFrom("join", "leave") }),
  fc.record({ type: fc.constant("invite"), user: fc.constantFrom("ann", "ben", "cat") }),
  fc.record({ type: fc.constant("rename"), name: fc.constantFrom("A", "B") }),
);
const log = fc
  .array(fc.tuple(fc.constantFrom("ann", "ben", "cat"), command, fc.nat(2)), { minLength: 1 })
  .map((rows) => {
    const next = new Map<string, number>();
    return [["ann", CREATE, 0] as const, ...rows].map(([user, body, back]) => {
      const k = (next.get(user) ?? 0) + 1;
      next.set(user, k);
      return logged(user, body, Math.max(1, k - back));
    });
  });

describe("fold", () => {
  it("[PR9] the same log gives the same operations, byte for byte", () => {
    fc.assert(
      fc.property(log, (commands) => {
        const [one, other] = [fold(commands), fold(commands)];
        expect(one.operations.list).toEqual(other.operations.list);
        expect(one.operations.blobs).toEqual(other.operations.blobs);
        expect(one.operations.keys).toEqual(other.operations.keys);
        expect(one.bellHeader).toEqual(other.bellHeader);
      }),
    );
  });

  it("[PR5] rings with every outcome and every entry, once and in order", () => {
    fc.assert(
      fc.property(log, (commands) => {
        const { outcomes, entries } = bellOf(fold(commands));
        expect(outcomes.map(({ k, session, edge }) => [k, session, edge])).toEqual(
          commands.map((each) => [each.command.k, 3, "e1"]),
        );
        expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1));
        for (const { payload, seq } of entries) expect(decodeEntry(payload).seq).toBe(seq);
      }),
    );
  });

  it("[IN3] decides a command once, and answers its copies with the first outcome", () => {
    const send = logged("ann", { type: "send", text: "hi" }, 2);
    const batch = fold([logged("ann", CREATE, 1), send, send, logged("ann", CREATE, 1)]);
    const { outcomes, entries } = bellOf(batch);
    expect(entries).toHaveLength(2);
    expect(outcomes.map(({ again, result }) => [again, result])).toEqual([
      [false, { status: "applied", seq: 1 }],
      [false, { status: "applied", seq: 2 }],
      [true, { status: "applied", seq: 2 }],
      [true, { status: "applied", seq: 1 }],
    ]);
  });

  it("[IN3] keeps the windows of one device name under two users apart", () => {
    const shared = (user: string, body: Record<string, unknown>): LoggedCommand => ({
      ...logged(user, body, 1),
      device: "phone" as DeviceId,
    });
    const { outcomes } = bellOf(fold([shared("ann", CREATE), shared("ben", { type: "join" })]));
    expect(outcomes.map(({ again }) => again)).toEqual([false, false]);
  });

  it("[PR5] names the rooms instead when the payloads of a bell would be too large", () => {
    const text = "x".repeat(1_000);
    const sends = Array.from({ length: 20 }, (_, i) =>
      logged("ann", { type: "send", text }, i + 2),
    );
    const small = bellOf(fold([logged("ann", CREATE, 1), ...sends.slice(0, 5)]));
    expect([small.entries.length, small.rooms]).toEqual([6, []]);
    const large = fold([logged("ann", CREATE, 1), ...sends]);
    expect(large.inline).toEqual([]);
    expect(bellOf(large).rooms).toEqual(["lounge"]);
    expect(bellOf(large).outcomes).toHaveLength(21);
    const carried = small.entries.reduce((sum, { payload }) => sum + payload.length, 0);
    expect(carried).toBeLessThanOrEqual(BELL_INLINE_BYTES);
  });

  it("[PR7] puts a poison command aside with its reason, and goes on", () => {
    const commands = [CREATE, { type: "send", text: "a" }, { type: "send", text: "b" }].map(
      (body, i) => logged("ann", body, i + 1),
    );
    const batch = new Fold(keys, PARTITION, emptyState(commands), HISTORY);
    const entry = "100-0" as Position;
    commands.forEach((each, index) =>
      batch.command({ entry, index, edge: "e1" }, each, index === 1 ? "it kills" : null),
    );
    const range = { from: "99-0" as Position, first: entry, to: entry, entries: 1 };
    const done = batch.finish(range);
    expect(done.deadLetters).toBe(1);
    expect(done.operations.list.flat()).toContain("it kills");
    expect(done.operations.list.flat()).toContain("100-0/1");
    const { outcomes } = bellOf(done);
    expect(outcomes[1]?.result).toEqual({ status: "rejected", code: "internal" });
    expect(outcomes[2]?.result).toEqual({ status: "applied", seq: 2 });
  });

  it("[HI2] writes seq, previous id and head as they chain", () => {
    const commands = [CREATE, { type: "send", text: "a" }, { type: "rename", name: "New" }].map(
      (body, i) => logged("ann", body, i + 1),
    );
    const { entries } = bellOf(fold(commands));
    expect(entries.map(({ id, prev, seq }) => [id, prev, seq])).toEqual([
      ["100-0", "0-0", 1],
      ["100-1", "100-0", 2],
      ["100-2", "100-1", 3],
    ]);
  });
});
