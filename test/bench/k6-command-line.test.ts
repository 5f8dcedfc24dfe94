import { describe, expect, it } from "vitest";

import { SCENARIOS } from "../../bench/k6/plan.ts";
import { readCommandLine } from "../../bench/k6-runner/command-line.ts";

describe("the command line of npm run bench:k6", () => {
  it("takes the scenario's sizes, those of a smoke test, and those that are given", () => {
    expect(readCommandLine(["soak"])).toEqual({
      kind: "run",
      options: {
        scenario: "soak",
        sizes: SCENARIOS.soak.sizes,
        smoke: false,
        engine: { kind: "private", edges: 1, projectors: 1, ack: "disk" },
        prometheus: null,
        save: false,
        yes: false,
      },
    });
    const given = readCommandLine(["soak", "--smoke", "--vus", "7", "--duration", "2m", "--save"]);
    const { sizes, smoke } = SCENARIOS.soak;
    expect(given).toMatchObject({
      options: { sizes: { ...sizes, ...smoke, vus: 7, seconds: 120 }, smoke: true, save: true },
    });
  });

  it("takes an engine of its own or one that runs", () => {
    const own = readCommandLine(["soak", "--edges", "3", "--projectors", "2", "--ack", "memory"]);
    expect(own).toMatchObject({
      options: { engine: { kind: "private", edges: 3, projectors: 2, ack: "memory" } },
    });
    const urls = ["--url", "http://127.0.0.1:8080/", "--url", "https://chat.example"];
    expect(readCommandLine(["soak", ...urls, "--data-dir", "d"])).toMatchObject({
      options: {
        engine: {
          kind: "running",
          urls: ["http://127.0.0.1:8080", "https://chat.example"],
          dataDir: "d",
        },
      },
    });
  });

  it("completes the address of a Prometheus and leaves another one as it is", () => {
    const written = (address: string): unknown =>
      readCommandLine(["soak", "--prometheus", address]);
    expect(written("http://127.0.0.1:9090")).toMatchObject({
      options: { prometheus: "http://127.0.0.1:9090/api/v1/write" },
    });
    expect(written("http://127.0.0.1:9009/api/v1/push")).toMatchObject({
      options: { prometheus: "http://127.0.0.1:9009/api/v1/push" },
    });
  });

  it.each([
    [[], "which scenario?"],
    [["rates"], "no such scenario: rates"],
    [["soak", "large-room"], "one scenario a run"],
    [["soak", "--vus", "0"], "--vus: a whole number from 1"],
    [["soak", "--vus", "1e9"], "--vus: a whole number"],
    [["soak", "--rate", "1.5"], "--rate: a whole number"],
    [["soak", "--duration", "30"], "--duration: a time like 30s"],
    [["soak", "--duration", "8000h"], "--duration: a time"],
    [["soak", "--edges", "65"], "--edges: a whole number from 1 to 64"],
    [["soak", "--ack", "never"], "--ack: disk or memory"],
    [["soak", "--url", "127.0.0.1:8080"], "--url: the address of an edge"],
    [["soak", "--url", "http://h/v1"], "--url: the address of an edge"],
    [["soak", "--url", "http://h", "--edges", "2"], "are of a private engine"],
    [["soak", "--data-dir", "d"], "--data-dir says where"],
    [["soak", "--prometheus", "9090"], "--prometheus: an address"],
    [["soak", "--vu", "3"], "Unknown option '--vu'"],
    [["soak", "--vus"], "argument missing"],
  ])("refuses %j", (words, problem) => {
    const asked = readCommandLine(words);
    expect(asked).toMatchObject({ kind: "refused" });
    expect(asked.kind === "refused" && asked.text).toContain(problem);
    expect(asked.kind === "refused" && asked.text).toContain("connect-and-chat");
  });

  it("explains itself when asked", () => {
    expect(readCommandLine(["--help"])).toMatchObject({ kind: "help" });
  });
});
