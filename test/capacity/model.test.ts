/** The capacity model, on an engine whose costs are known exactly. */
import { describe, expect, it } from "vitest";

import { check } from "../../bench/capacity/check.ts";
import { costAt, coreShare, fit } from "../../bench/capacity/curve.ts";
import { messageBytes } from "../../bench/capacity/message-bytes.ts";
import { answer, countOf, demandOf, type Answer } from "../../bench/capacity/model.ts";
import { oneMachine } from "../../bench/capacity/one-machine.ts";
import { readQuestion, type InputName } from "../../bench/capacity/question.ts";
import { unitCosts } from "../../bench/capacity/unit-costs.ts";
import { enginePoints } from "../../bench/report/engine-points.ts";
import {
  everything,
  idleResult,
  measured,
  memoryResult,
  RATES,
  ratesResult,
  resultsOf,
  resultWith,
  truth,
} from "./sample-results.ts";

const costs = unitCosts(everything());
function asked(given: Partial<Record<InputName, number>> = {}): Answer {
  const texts = Object.entries(given).map(([name, value]) => [name, String(value)]);
  return answer(costs, readQuestion(Object.fromEntries(texts) as Record<InputName, string>));
}
const inUse = ({ resources }: Answer, name: string): number =>
  resources.find((each) => each.name === name)?.inUse ?? Number.NaN;

describe("a curve", () => {
  const points = (cost: (rate: number) => number): { messagesPerSec: number; us: number }[] =>
    RATES.map((messagesPerSec) => ({ messagesPerSec, us: cost(messagesPerSec) }));

  it("finds the work, the waking and the bend that made its points", () => {
    const curve = fit(points(truth.projector));
    expect(curve.workUs).toBeCloseTo(10, 3);
    expect(curve.wakingUsPerSec).toBeCloseTo(90_000, -1);
    expect(curve.bendPerSec).toBeCloseTo(100, 3);
  });

  it("has no cost below zero where points would ask for one", () => {
    expect(fit(points((rate) => 1e6 / rate ** 1.2))).toMatchObject({ workUs: 0 });
    expect(fit(points((rate) => 10 + rate / 1_000)).wakingUsPerSec).toBe(0);
  });

  it("does not become cheaper above the rates that were measured", () => {
    const curve = fit(points(truth.write));
    expect(costAt(curve, 1e6)).toBe(costAt(curve, 10_000));
    expect(costAt(curve, 5_000)).toBeGreaterThan(costAt(curve, 10_000));
    expect(coreShare(curve, 40_000)).toBeCloseTo(2 * coreShare(curve, 20_000), 9);
  });

  it("needs as many points as it has parameters", () => {
    expect(() => fit(points(truth.write).slice(0, 2))).toThrow("3 points");
  });
});

describe("unit costs", () => {
  it("take a run apart into what it was made of", () => {
    for (const rate of [100, 2_000, 10_000]) {
      expect(costAt(costs.write, rate)).toBeCloseTo(truth.write(rate), 1);
      expect(costAt(costs.read, rate)).toBeCloseTo(truth.read(rate), 1);
      expect(costAt(costs.projector, rate)).toBeCloseTo(truth.projector(rate), 1);
      expect(costAt(costs.hear, rate)).toBeCloseTo(truth.hear(rate), 1);
    }
    expect(costs).toMatchObject({ deliverUs: 5, connectionKib: 2.5, edgeBaseMib: 80 });
    expect(costs.stored.roomBytes).toBe(4_096);
  });

  it("name the file of each cost", () => {
    const files = costs.sources.map(({ from }) => from);
    expect(files.filter((from) => from.startsWith("2030-01-02-rates.json"))).toHaveLength(5);
    expect(files.filter((from) => from.startsWith("2030-01-02-idle.json"))).toHaveLength(2);
    expect(files.at(-1)).toContain("not measured");
  });

  it("take deliveries from a large room, and storage from memory, where these were measured", () => {
    const receivers = 1_000;
    const large = resultWith("large-room", [
      { receivers, engine: measured(20, { receivers, edges: 1 }) },
    ]);
    const more = unitCosts(resultsOf(ratesResult(), idleResult(), large, memoryResult()));
    expect(more.deliverUs).toBeCloseTo(5 + truth.hear(20) / receivers, 6);
    expect(more.stored.historyBytes(64)).toBeCloseTo(164, 6);
    expect(more.stored.historyBytes(1_000)).toBeCloseTo(1_100, 6);
    expect(more.stored.logBytes(64)).toBeCloseTo(114, 6);
    expect(more.stored.roomBytes).toBeCloseTo(900, 6);
    expect(more.stored.membershipBytes).toBeCloseTo(100, 6);
    expect(more.sources.map(({ from }) => from)).toContain("2030-01-02-memory.json");
  });

  it.each([
    ["missing-result", resultsOf(idleResult()), "there is no result of rates"],
    ["missing-result", resultsOf(ratesResult()), "run: npm run bench -- idle"],
    ["bad-result", resultsOf(ratesResult([100, 1_000]), idleResult()), "at 2 rates"],
    [
      "bad-result",
      resultsOf({ ...ratesResult(), faults: ["lost 1"] }, idleResult()),
      "2030-01-02-rates.json: lost 1",
    ],
    ["bad-result", resultsOf(ratesResult(), resultWith("idle", [])), "has no redisKibPerRoom"],
  ])("refuse with %s, case %#", (code, results, message) => {
    expect(() => unitCosts(results)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }),
    );
  });

  it("leave out what lost a message", () => {
    const lossy = resultWith("scale", [measured(100, { lost: 1 }), measured(100)]);
    expect(enginePoints(lossy)).toHaveLength(1);
  });
});

describe("the model", () => {
  it("counts in the right units", () => {
    const question = readQuestion({ users: "864000", msgsPerUserDay: "10", peakFactor: "3" });
    expect(demandOf(question)).toEqual({
      sockets: 129_600,
      meanMessagesPerSec: 100,
      messagesPerSec: 300,
      deliveriesPerSec: 3_000,
      rooms: 691_200,
    });
    const bytes = messageBytes(64);
    expect(messageBytes(164).delivered - bytes.delivered).toBeGreaterThanOrEqual(100);
    expect(bytes.entry).toBeGreaterThan(64);
    const year = asked({ users: 86_400, msgsPerUserDay: 1, archiveDays: 10 });
    expect(year.archiveBytes).toBeCloseTo(10 * 86_400 * bytes.entry, 3);
  });

  it("is the sum of its unit costs", () => {
    const found = asked({
      users: 864_000,
      msgsPerUserDay: 100,
      peakFactor: 1,
      receivers: 5,
      hotDays: 0,
    });
    expect(found.edges).toEqual({ kind: "enough", count: 3 });
    const hearing = (1_000 * truth.hear(1_000)) / 1e6;
    expect(inUse(found, "edge CPU")).toBeCloseTo(hearing + (5_000 / 3) * 5e-6, 4);
    const reading = 4 * truth.read(1_000);
    expect(inUse(found, "Redis CPU")).toBeCloseTo((truth.write(1_000) + reading) / 1e3, 4);
    expect(inUse(found, "projector CPU")).toBeCloseTo(truth.projector(1_000) / 1e3, 4);
  });

  it.each([
    ["users", 1e5, 3e6],
    ["msgsPerUserDay", 1, 100],
    ["peakFactor", 1, 5],
    ["receivers", 1, 10],
    ["textBytes", 10, 4_000],
    ["hotDays", 1, 100],
    ["replicas", 0, 3],
    ["online", 0.01, 1],
    ["roomsPerUser", 1, 100],
  ] as const)("never needs less for more %s", (name, less, more) => {
    const [small, large] = [asked({ [name]: less }), asked({ [name]: more })];
    for (const role of ["edges", "projectors", "masters", "redisServers"] as const) {
      expect(countOf(large[role])).toBeGreaterThanOrEqual(countOf(small[role]) ?? Infinity);
    }
    expect(large.redisBytes).toBeGreaterThanOrEqual(small.redisBytes);
  });

  it("keeps everything at or below the target, with as few processes as that takes", () => {
    const found = asked({ users: 5e6, target: 0.5 });
    for (const { name, inUse: share } of found.resources) {
      expect(share, name).toBeLessThanOrEqual(name === "edge sockets" ? 1 : 0.5);
    }
    expect(countOf(found.edges)).toBe(15);
    const headrooms = found.resources.map(({ headroom }) => headroom);
    expect(headrooms).toEqual([...headrooms].sort((a, b) => a - b));
  });

  it("says when no number of edges is enough", () => {
    const { edges, masters, partitions, resources } = asked({ users: 1e9 });
    expect(edges).toMatchObject({ kind: "never", because: expect.stringContaining("hear") });
    expect(masters).toMatchObject({ kind: "never" });
    expect(partitions).toBeNull();
    expect(resources[0]).toMatchObject({ name: "edge CPU" });
  });

  it("gives each worker the partitions that one was measured with", () => {
    expect(asked({ users: 1_000 }).partitions).toBe(16);
    const large = asked({ users: 10e6 });
    const most = Math.max(countOf(large.projectors) ?? 0, countOf(large.masters) ?? 0);
    expect(large.partitions).toBeGreaterThanOrEqual(16 * most);
    expect(Math.log2(large.partitions ?? 0) % 1).toBe(0);
  });

  it("fills one machine up to the target and says with what", () => {
    const one = oneMachine(costs, 4, 0.6);
    const half = oneMachine(costs, 4, 0.3);
    expect(half.messagesPerSec).toBeLessThan(one.messagesPerSec);
    expect(one.deliveriesPerSec).toBeCloseTo(4 * one.messagesPerSec, 3);
    expect(one.by).toBe("all its cores");
    const rate = one.messagesPerSec;
    const us =
      costAt(costs.write, rate) +
      3 * costAt(costs.read, rate) +
      costAt(costs.projector, rate) +
      2 * costAt(costs.hear, rate) +
      4 * costs.deliverUs;
    expect((rate * us) / 1e6 / 2).toBeCloseTo(0.6, 6);
  });
});

describe("the check", () => {
  it("finds the engine that made the points, at rates and with processes it was not told of", () => {
    const scale = resultWith("scale", [
      { projectors: 4, measured: measured(2_000, { projectors: 4, edges: 3, receivers: 7 }) },
    ]);
    const checked = check(resultsOf(ratesResult(), scale));
    expect(checked).toHaveLength(RATES.length + 1);
    for (const { parts } of checked) {
      for (const { error } of parts) expect(Math.abs(error)).toBeLessThan(0.02);
    }
    expect(checked.at(-1)).toMatchObject({ label: "projectors 4", within: true });
  });

  it("sees a point that is off", () => {
    const rates = ratesResult();
    const twice = { messagesPerSec: 1_000, engine: measured(1_000, { times: 2 }) };
    const [, , found] = check(resultsOf({ ...rates, cases: rates.cases.with(2, twice) }));
    expect(found?.parts[0]?.error).toBeLessThan(-0.3);
  });

  it("leaves out edges that read rooms one by one, which the model does not know", () => {
    const rooms = resultWith("rooms", [
      { mode: "direct", rooms: 100, measured: measured(300) },
      { mode: "bell", rooms: 100, measured: measured(300) },
    ]);
    const labels = check(resultsOf(ratesResult(), rooms)).map(({ label }) => label);
    expect(labels.slice(RATES.length)).toEqual(["mode bell rooms 100"]);
  });
});
