import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { buildProgram, type Actions } from "../src/cli/program.ts";
import {
  COMMANDS,
  ConfigError,
  SETTINGS,
  childEnvironment,
  environmentName,
  flagName,
  readConfig,
  settingsTable,
  type Config,
  type SettingName,
} from "../src/config.ts";

const NAMES = Object.keys(SETTINGS) as SettingName[];
const SECRET = "s".repeat(32);

function problemOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the settings were taken");
}

describe("settings", () => {
  it("[OP4] defaults fit together for every command", () => {
    for (const command of COMMANDS) expect(readConfig(command, {}, {}).partitions).toBe(16);
  });

  it("[OP4] a flag goes before the environment, the environment before the default", () => {
    const environment = { PORT: "9000", HOST: "0.0.0.0" };
    const config = readConfig("edge", { port: "9001" }, environment);
    expect([config.port, config.host, config.beatMs]).toEqual([9001, "0.0.0.0", 15_000]);
  });

  it("[OP4] a variable that is set to nothing counts as not set", () => {
    expect(readConfig("edge", {}, { PORT: "", REDIS_URL: "" })).toEqual(readConfig("edge", {}, {}));
  });

  it("[OP4] a command ignores variables of settings that it does not take", () => {
    expect(readConfig("token", {}, { PORT: "no number" }).port).toBe(8080);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      "a word for a number",
      { PORT: "http" },
      /PORT: expected a whole number from 0 to 65535, not "http"/,
    ],
    ["one past the range", { PARTITIONS: "1025" }, /PARTITIONS: .* from 1 to 1024/],
    ["a fraction", { BEAT_MS: "1.5e3" }, /BEAT_MS/],
    ["a word not in the set", { ACK: "maybe" }, /ACK: expected one of disk, memory, not "maybe"/],
    ["another scheme", { REDIS_URL: "http://x" }, /REDIS_URL: .*redis:\/\//],
    ["an origin with a path", { ALLOWED_ORIGINS: "https://a.example/x" }, /ALLOWED_ORIGINS/],
    ["leases that cannot lose a renewal", { LEASE_RENEW_MS: "2001" }, /a third of LEASE_TTL_MS/],
    ["ports past the last one", { PORT: "65535", EDGES: "2" }, /PORT leaves no room/],
  ])("[OP5] refuses %s with the reason", (_what, environment, reason) => {
    expect(problemOf(() => readConfig("start", {}, environment))).toMatch(reason);
  });

  it("[OP5] takes values at their limits", () => {
    const environment = { PARTITIONS: "1024", LEASE_TTL_MS: "6000", LEASE_RENEW_MS: "2000" };
    expect(readConfig("start", {}, environment).partitions).toBe(1024);
    expect(readConfig("start", {}, { PORT: "65535" }).port).toBe(65_535);
    expect(readConfig("start", {}, { AUTH_SECRET: SECRET }).authSecret).toBe(SECRET);
  });

  it("[OP5] names everything that is wrong at once", () => {
    const lines = problemOf(() => readConfig("start", { port: "x" }, { ACK: "y", EDGES: "0" }));
    expect(lines.split("\n").map((line) => line.split(":")[0])).toEqual(["--port", "ACK", "EDGES"]);
  });

  it("[OP3] a refused secret or address is not repeated", () => {
    const environment = { AUTH_SECRET: "too-short-secret", REDIS_URL: "http://:hunter2@h" };
    const text = problemOf(() => readConfig("start", {}, environment));
    expect(text).toMatch(/AUTH_SECRET: expected at least 32 bytes/);
    expect(text).not.toMatch(/too-short-secret|hunter2/);
  });

  it("[OP4] a child reads back exactly what its parent decided", () => {
    const environment = { ALLOWED_ORIGINS: "https://a.example, https://b.example", ACK: "memory" };
    const parent = readConfig("start", { port: "0" }, environment);
    const child = readConfig("edge", {}, childEnvironment(parent));
    const taken = NAMES.filter((name) => SETTINGS[name].takenBy.includes("edge" as never));
    const of = (config: Config): unknown[] => taken.map((name) => config[name]);
    expect(of(child)).toEqual(of(parent));
    expect(parent.allowedOrigins).toEqual(["https://a.example", "https://b.example"]);
  });
});

describe("command line", () => {
  const seen: [string, Config][] = [];
  const actions = Object.fromEntries(
    COMMANDS.map((name) => [name, async (config: Config) => void seen.push([name, config])]),
  ) as unknown as Actions;
  const run = async (...words: string[]): Promise<unknown> => {
    const program = buildProgram(actions);
    for (const command of [program, ...program.commands]) {
      command
        .exitOverride()
        .configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    }
    return program.parseAsync(words, { from: "user" }).then(
      () => null,
      (error: unknown) => error,
    );
  };

  it("[OP4] every flag reaches its setting", async () => {
    expect(
      await run("start", "--port", "9002", "--lease-ttl-ms", "9000", "--no-demo", "--yes"),
    ).toBeNull();
    const [command, config] = seen.at(-1) ?? [];
    expect(command).toBe("start");
    expect(config).toMatchObject({ port: 9002, leaseTtlMs: 9000, demo: false, yes: true });
  });

  it.each([
    [["start", "--prot", "1"], "unknown option '--prot'"],
    [["fly"], "unknown command 'fly'"],
    [["edge", "surplus"], "too many arguments"],
    [["token"], "required option '--as <user>'"],
    [["edge", "--port"], "argument missing"],
  ])("[OP5] refuses %j", async (words, reason) => {
    expect(String(await run(...words))).toContain(reason);
  });

  it("[OP4] help names every flag and variable of a command", () => {
    const help = buildProgram(actions)
      .commands.find((each) => each.name() === "edge")
      ?.helpInformation();
    for (const name of NAMES.filter((each) => SETTINGS[each].takenBy.includes("edge" as never))) {
      if (name === "authSecret") continue; // a secret on a command line is seen by everybody
      expect(help).toContain(flagName(name));
      expect(help?.replaceAll(/\s+/g, " ")).toContain(`(${environmentName(name)}`);
    }
  });
});

it("[OP4] the README's table of settings is the one of the schema", () => {
  const readme = readFileSync("README.md", "utf8");
  const between = /<!-- settings -->([^]*)<!-- \/settings -->/.exec(readme)?.[1] ?? "";
  // A formatter may pad the columns.
  const bare = (table: string): string =>
    table
      .trim()
      .replaceAll(/ *\| */g, "|")
      .replaceAll(/-{3,}/g, "---");
  expect(bare(between), `the table should be:\n${settingsTable()}\n`).toBe(bare(settingsTable()));
});
