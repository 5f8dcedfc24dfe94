import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ScrapeTargets, targetsFile } from "../../src/cli/scrape-targets.ts";
import { readConfig } from "../../src/config.ts";
import { createLog } from "../../src/ops/log.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const log = createLog({ level: "silent", format: "json", name: "test" });
let dataDir = "";
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "millrace-test-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

async function written(): Promise<unknown> {
  return JSON.parse(await readFile(targetsFile(dataDir), "utf8"));
}

describe("the list of targets", () => {
  it("[OB8] names every role where it answers, also after it has moved", async () => {
    const targets = new ScrapeTargets({ dataDir, firstPort: 9464, log });
    expect([targets.portOf("projector"), targets.portOf("edge")]).toEqual([9464, 9465]);
    targets.found("projector", "projector", "127.0.0.1:9464");
    targets.found("edge", "edge", "127.0.0.1:40001");
    await expect.poll(written, { timeout: PATIENCE_MS }).toEqual([
      { targets: ["127.0.0.1:9464"], labels: { role: "projector", instance: "projector" } },
      { targets: ["127.0.0.1:40001"], labels: { role: "edge", instance: "edge" } },
    ]);
    expect(targets.portOf("edge")).toBe(40_001);
  });

  it("[OB8] is gone after a stop in order, with nothing beside it", async () => {
    const targets = new ScrapeTargets({ dataDir, firstPort: 0, log });
    expect([targets.portOf("a"), targets.portOf("b")]).toEqual([0, 0]);
    targets.found("a", "edge", "127.0.0.1:1");
    await targets.remove();
    expect(await readdir(dataDir)).toEqual([]);
  });

  it("[OB8] asks for no port where metrics are off", () => {
    const { metricsPort: firstPort } = readConfig("start", {}, { METRICS_PORT: "off" });
    const targets = new ScrapeTargets({ dataDir, firstPort, log });
    expect(targets.portOf("edge")).toBeNull();
  });

  it("counts no further than there are ports", () => {
    const targets = new ScrapeTargets({ dataDir, firstPort: 65_535, log });
    expect([targets.portOf("a"), targets.portOf("b")]).toEqual([65_535, 0]);
  });

  it("[OB7] refuses a port that is none", () => {
    for (const METRICS_PORT of ["on", "-1", "65536"]) {
      const read = (): unknown => readConfig("edge", {}, { METRICS_PORT });
      expect(read).toThrow(/METRICS_PORT: expected a whole number from 0 to 65535, or off/);
    }
  });
});
