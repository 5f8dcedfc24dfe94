/**
 * The container files, as far as they can be tried without a container engine:
 * they name settings that exist, a Redis that the engine accepts, stages that
 * are there; and what the image does to node_modules leaves a loadable binary.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { describe, expect, it } from "vitest";

import { ensurePrometheus } from "../../bin/prometheus.mjs";
import { engineSettings } from "../../src/cli/redis-process.ts";
import { environmentName, SETTINGS, type SettingName } from "../../src/config.ts";

const COMPOSE = readFileSync("deploy/compose.yaml", "utf8");
const DOCKERFILE = readFileSync("deploy/Dockerfile", "utf8");
const VARIABLES = (Object.keys(SETTINGS) as SettingName[]).map(environmentName);

/** The lines of one service. */
function service(name: string): string {
  const from = COMPOSE.indexOf(`\n  ${name}:\n`);
  expect(from, name).toBeGreaterThan(0);
  const rest = COMPOSE.slice(from + 1);
  const end = rest.search(/\n(?=\S|  \w+:\n)/);
  return rest.slice(0, end);
}

describe("containers", () => {
  it.each(["edge", "projector"])("[OB13] the %s is set by settings that exist", (name) => {
    const text = service(name);
    const own = [...text.matchAll(/^ {6}([A-Z_]+):/gm)].map(([, variable]) => variable as string);
    expect(own).toContain("REDIS_URL");
    const image = [...DOCKERFILE.matchAll(/(?:^ENV | {4})([A-Z_]+)=/gm)].map(
      ([, v]) => v as string,
    );
    expect(image).toContain("METRICS_HOST");
    const known = new Set([...VARIABLES, "NODE_ENV"]);
    expect([...own, ...image].filter((variable) => !known.has(variable))).toEqual([]);
    expect(text).toContain(`target: ${name}`);
    expect(DOCKERFILE).toContain(`FROM engine AS ${name}\n`);
    expect(DOCKERFILE).toContain(`CMD ["node", "dist/main.js", "${name}"]`);
  });

  it("[OB13] every service has a health check and no image is without a version", () => {
    expect(DOCKERFILE.match(/^HEALTHCHECK /gm)).toHaveLength(2);
    expect(DOCKERFILE).toContain("\nUSER node\n");
    for (const name of ["redis", "prometheus", "grafana"]) {
      expect(service(name)).toContain("healthcheck:");
      expect(service(name)).toMatch(/image: \S+:v?\d+\.\d+/);
    }
  });

  it("[OB13] Redis has the engine's settings", () => {
    const words = [...service("redis").matchAll(/^ {6}- (.*)$/gm)].map(([, word]) =>
      String(word).replaceAll('"', ""),
    );
    for (const [name, value] of Object.entries(engineSettings("disk"))) {
      expect(words[words.indexOf(`--${name}`) + 1], name).toBe(value);
    }
  });

  it("[OB13] Prometheus takes its configuration", () => {
    const { promtool } = ensurePrometheus();
    const args = ["check", "config", "--syntax-only", "deploy/prometheus.yml"];
    expect(execFileSync(promtool, args, { encoding: "utf8" })).toContain("SUCCESS");
  });

  it("[OB13] the image keeps the one binary that it can load", () => {
    const dir = mkdtempSync(join(tmpdir(), "millrace-test-"));
    try {
      const target = join(dir, "node_modules", "uWebSockets.js");
      cpSync("node_modules/uWebSockets.js", target, { recursive: true, dereference: true });
      execFileSync(process.execPath, [resolve("deploy/prune-uws.mjs")], { cwd: dir });
      const left = readdirSync(target, { recursive: true, encoding: "utf8" });
      const binaries = left.filter((name) => name.endsWith(".node"));
      expect(binaries).toHaveLength(1);
      execFileSync(process.execPath, ["bin/build.mjs"]);
      // The place that server-uws.ts looks into: its loader is asked, in that folder.
      for (const layer of ["edge", "ops", "protocol"]) {
        cpSync(join("dist", layer), join(dir, "dist", layer), { recursive: true });
      }
      writeFileSync(join(dir, "package.json"), '{"type":"module"}');
      const load = `import("${join(dir, "dist/edge/sockets/server-uws.js")}").then((m) => m.loadUws())`;
      execFileSync(process.execPath, ["--input-type=module", "-e", load]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
