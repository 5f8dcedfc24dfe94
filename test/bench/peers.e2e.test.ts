/** Each peer of the benchmark works, so that what the table says of it is not our own mistake. */
import { spawnSync } from "node:child_process";

import { beforeAll, describe, expect, it } from "vitest";

const RUN_MS_MAX = 150_000;
const COMPLETE = "lost 0 doubled 0 reordered 0";

describe("npm run bench -- rates", () => {
  let rows: string[][] = [];
  beforeAll(() => {
    const words = ["bin/bench.mjs", "rates", "--quick", "--points", "200"];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect({ status, complaints: /not a result.*/.exec(stderr)?.[0] }).toEqual({ status: 0 });
    const lines = stdout.split("\n").filter((line) => line.startsWith("| 200"));
    rows = lines.map((line) => line.split("|").map((cell) => cell.trim()));
  }, RUN_MS_MAX);

  it.each(["floor", "engine", "Socket.IO", "pub/sub"])("delivers everything over %s", (name) => {
    const row = rows.find((cells) => cells[2] === name);
    expect(row?.join(" | ")).toContain(COMPLETE);
  });

  it("gives the engine's cost as a share of the floor's and of Socket.IO's", () => {
    const row = rows.find((cells) => cells[2] === "engine");
    expect(row?.[3]).toMatch(/^\d+ \(\d+(\.\d+)? × floor, \d+(\.\d+)? × Socket\.IO\)$/);
  });

  it("says that it has no Centrifugo where none was given", () => {
    expect(rows.find((cells) => cells[2] === "Centrifugo")?.[3]).toBe("not given");
  });
});
