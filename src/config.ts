/**
 * The only module that reads the environment. One table describes every
 * setting; the environment variables, the flags, `--help`, the README's table
 * and the type `Config` are derived from it.
 *
 * If you add a setting: a row here, and `npm test` prints the README's new table.
 */
import { LOG_FORMATS, LOG_LEVELS } from "./ops/log.ts";
import { LIMITS } from "./protocol/limits.ts";
import { PARTITIONS_MAX } from "./streams/partitions.ts";
import {
  flag,
  integer,
  list,
  optional,
  switchable,
  text,
  word,
  type Kind,
} from "./setting-kinds.ts";

export const COMMANDS = [
  "start",
  "edge",
  "projector",
  "token",
  "status",
  "chat",
  "replay",
  "observe",
] as const;
export type CommandName = (typeof COMMANDS)[number];

/** A value, or a set of values that do not fit together, with what is wrong about it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

interface Setting<T> {
  readonly kind: Kind<T>;
  readonly default: NoInfer<T>;
  readonly unit?: string;
  readonly takenBy: readonly CommandName[];
  readonly about: string;
  /** Absent: both the variable and the flag, named after the setting. */
  readonly source?: "environment" | "flag";
}
const setting = <T>(row: Setting<T>): Setting<T> => row;

/** Commands that run whole engines. */
const ENGINES = ["start", "replay"] as const;
const ROLES = [...ENGINES, "edge", "projector"] as const;
const WITH_REDIS = [...ROLES, "status"] as const;
const WITH_TOKENS = ["start", "edge", "token", "chat", "replay"] as const;
const SECRET_BYTES_MIN = 32;

export const SETTINGS = {
  host: setting({
    kind: text("address"),
    default: "127.0.0.1",
    takenBy: ["start", "edge", "chat"],
    about: "Address that edges listen on.",
  }),
  port: setting({
    kind: integer(0, 65_535),
    default: 8080,
    takenBy: ["start", "edge", "chat"],
    about:
      "Port of the edge; 0 takes a free one. Further edges of `start` take the ports after it.",
  }),
  redisUrl: setting({
    kind: optional(text("url", redisAddress)),
    default: null,
    takenBy: WITH_REDIS,
    about:
      "`redis://`, `rediss://` or `unix://` address. Without it `start` runs a private Redis in DATA_DIR, which the other roles use, and `replay` one in a temporary folder.",
  }),
  dataDir: setting({
    kind: text("folder"),
    default: ".millrace",
    takenBy: [...WITH_REDIS, "token", "chat", "observe"],
    about: "Folder of the private Redis and of the secret that signs demo tokens.",
  }),
  partitions: setting({
    kind: integer(1, PARTITIONS_MAX),
    default: 16,
    takenBy: ROLES,
    about: "Streams that rooms are spread over. Fixed when the store is first used.",
  }),
  ack: setting({
    kind: word(["disk", "memory"]),
    default: "disk",
    takenBy: ROLES,
    about:
      "What an acknowledged message survives: `disk` the loss of power, `memory` the death of any process.",
  }),
  transport: setting({
    kind: word(["auto", "uws", "ws"]),
    default: "auto",
    takenBy: [...ENGINES, "edge"],
    about: "WebSocket server. `auto` takes uWebSockets.js where its binary loads, else `ws`.",
  }),
  authSecret: setting({
    kind: optional(text("secret", longSecret)),
    default: null,
    takenBy: WITH_TOKENS,
    source: "environment",
    about: `HS256 secret of at least ${SECRET_BYTES_MIN} bytes for tokens. \`start\` makes one in DATA_DIR when no key is configured.`,
  }),
  authJwksFile: setting({
    kind: optional(text("file")),
    default: null,
    takenBy: ["start", "edge"],
    about: "JSON Web Key Set with the EdDSA and HS256 keys that tokens may be signed with.",
  }),
  authAudience: setting({
    kind: text("name"),
    default: "millrace",
    takenBy: WITH_TOKENS,
    about: "The `aud` that a token must have.",
  }),
  allowedOrigins: setting({
    kind: list("origins", exactOrigin),
    default: [],
    takenBy: ["start", "edge"],
    about:
      "Origins of web pages that may connect, separated by commas. Empty: the edge's own origin and clients that are no browser.",
  }),
  historyPerRoom: setting({
    kind: integer(LIMITS.pageEntries, 10_000_000),
    default: 10_000,
    unit: "entries",
    takenBy: ["start", "projector"],
    about: "Newest entries of each room that stay in Redis.",
  }),
  backlogMax: setting({
    kind: integer(1, 100_000_000),
    default: 100_000,
    unit: "commands",
    takenBy: [...ENGINES, "edge"],
    about: "Commands of a partition that may wait for a projector; past it edges answer `busy`.",
  }),
  leaseTtlMs: setting({
    kind: integer(300, 600_000),
    default: 6_000,
    unit: "ms",
    takenBy: [...ENGINES, "projector"],
    about: "A projector that is not heard of for this long loses its partitions to another.",
  }),
  leaseRenewMs: setting({
    kind: integer(50, 200_000),
    default: 2_000,
    unit: "ms",
    takenBy: [...ENGINES, "projector"],
    about: "Pause between two renewals of a lease; at most a third of LEASE_TTL_MS.",
  }),
  beatMs: setting({
    kind: integer(100, 300_000),
    default: 15_000,
    unit: "ms",
    takenBy: [...ENGINES, "edge"],
    about: "A client hears from its edge at least this often.",
  }),
  directRoomsMax: setting({
    kind: integer(0, 1_000),
    default: 64,
    unit: "rooms",
    takenBy: [...ENGINES, "edge"],
    about:
      "Up to so many rooms an edge blocks on the conversations themselves; above it, on the bells.",
  }),
  edges: setting({
    kind: integer(1, 64),
    default: 1,
    unit: "processes",
    takenBy: ENGINES,
    about: "Edges to run.",
  }),
  projectors: setting({
    kind: integer(1, 64),
    default: 1,
    unit: "processes",
    takenBy: ENGINES,
    about: "Projectors to run.",
  }),
  logLevel: setting({
    kind: word(LOG_LEVELS),
    default: "info",
    takenBy: ["start", "edge", "projector"],
    about: "Least level that is logged.",
  }),
  logFormat: setting({
    kind: word(LOG_FORMATS),
    default: "pretty",
    takenBy: ["start", "edge", "projector"],
    about: "`pretty` for people, `json` for machines: one object a line on stdout.",
  }),
  metricsHost: setting({
    kind: text("address"),
    default: "127.0.0.1",
    takenBy: ["start", "edge", "projector"],
    about: "Address that `/metrics` of every role listens on; it tells who asks how busy you are.",
  }),
  metricsPort: setting({
    kind: switchable(integer(0, 65_535)),
    default: 9464,
    takenBy: ["start", "edge", "projector"],
    about:
      "Port of `/metrics`; the roles of `start` count up from it. 0 takes a free one, as does a role whose port is taken.",
  }),
  prometheus: setting({
    kind: text("file"),
    default: "prometheus",
    takenBy: ["observe"],
    about: "The Prometheus to run; without this setting one is installed where there is none.",
  }),
  prometheusPort: setting({
    kind: integer(0, 65_535),
    default: 9090,
    takenBy: ["observe"],
    about: "Port of that Prometheus on 127.0.0.1; 0 takes a free one.",
  }),
  demo: setting({
    kind: flag,
    default: true,
    takenBy: ["start"],
    source: "flag",
    about: "Whether to create the demo users' rooms, once.",
  }),
  yes: setting({
    kind: flag,
    default: false,
    takenBy: ENGINES,
    source: "flag",
    about: "Install a missing redis-server without asking.",
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
export type Config = {
  readonly [K in SettingName]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never;
};
export type Flags = Readonly<Record<string, string | boolean | undefined>>;
type Environment = Readonly<Record<string, string | undefined>>;
type Row = Setting<unknown>;
const ROWS = Object.entries(SETTINGS) as [SettingName, Row][];

/** `leaseTtlMs` is LEASE_TTL_MS in the environment and --lease-ttl-ms on the command line. */
export function environmentName(name: SettingName): string {
  return name.replaceAll(/[A-Z]/g, "_$&").toUpperCase();
}
export function flagName(name: SettingName): string {
  const words = name.replaceAll(/[A-Z]/g, "-$&").toLowerCase();
  return SETTINGS[name].default === true ? `--no-${words}` : `--${words}`;
}

export interface Flag {
  readonly name: SettingName;
  /** As commander takes it, for instance `--port <number>`. */
  readonly syntax: string;
  readonly about: string;
}

/** The flags of one command. */
export function flagsOf(command: CommandName): readonly Flag[] {
  return ROWS.filter(
    ([, row]) => row.takenBy.includes(command) && row.source !== "environment",
  ).map(([name, row]) => {
    const value = row.kind === flag ? "" : ` <${row.kind.label}>`;
    const variable = row.source === "flag" ? "" : ` (${environmentName(name)}${defaultNote(row)})`;
    return { name, syntax: flagName(name) + value, about: plain(row.about) + variable };
  });
}

/**
 * The settings of one command: flags before the environment before defaults.
 * Settings that the command does not take keep their defaults.
 *
 * @throws ConfigError with one line for everything that is wrong.
 */
export function readConfig(
  command: CommandName,
  flags: Flags = {},
  environment: Environment = process.env,
): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, row] of ROWS) {
    values[name] = row.default;
    const given = row.takenBy.includes(command) ? givenValue(name, row, flags, environment) : null;
    if (given === null) continue;
    const parsed = row.kind.parse(given.text);
    if ("problem" in parsed) {
      problems.push(`${given.from}: expected ${parsed.problem}${shown(name, given.text)}`);
    } else values[name] = parsed.value;
  }
  const config = values as Config;
  if (problems.length === 0) problems.push(...conflicts(config));
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return config;
}

function givenValue(
  name: SettingName,
  row: Row,
  flags: Flags,
  environment: Environment,
): { readonly text: string; readonly from: string } | null {
  const given = flags[name];
  if (given !== undefined && row.source !== "environment") {
    return { text: String(given), from: flagName(name) };
  }
  // A variable that is set to nothing counts as not set, as compose files leave them.
  const variable = environmentName(name);
  const found = row.source === "flag" ? undefined : environment[variable];
  return found === undefined || found === "" ? null : { text: found, from: variable };
}

/** What a wrong value looked like; a wrong secret is a secret still. */
function shown(name: SettingName, value: string): string {
  return name === "authSecret" || name === "redisUrl" ? "" : `, not "${value}"`;
}

function conflicts(config: Config): string[] {
  const found: string[] = [];
  // Two renewals may be lost before the lease is.
  if (config.leaseRenewMs * 3 > config.leaseTtlMs) {
    found.push("LEASE_RENEW_MS must be at most a third of LEASE_TTL_MS");
  }
  if (config.port !== 0 && config.port + config.edges - 1 > 65_535) {
    found.push("PORT leaves no room for the ports of all EDGES below 65536");
  }
  return found;
}

/** The environment of a child role: ours, with these settings in place of those it had. */
export function childEnvironment(settings: Partial<Config>): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const [name, row] of ROWS) {
    const value = settings[name];
    if (value === undefined || row.source === "flag") continue;
    environment[environmentName(name)] = row.kind.format(value);
  }
  return environment;
}

/** The README's table, in Markdown. */
export function settingsTable(): string {
  const head = ["Variable", "Flag", "Values", "Default", "Taken by", "What it does"];
  const rows = ROWS.map(([name, row]) => [
    row.source === "flag" ? "–" : `\`${environmentName(name)}\``,
    row.source === "environment" ? "–" : `\`${flagName(name)}\``,
    row.kind.values + (row.unit ? ` ${row.unit}` : ""),
    row.kind === flag ? "–" : code(row.kind.format(row.default)),
    row.takenBy.join(", "),
    row.about,
  ]);
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const code = (value: string): string => (value === "" ? "–" : `\`${value}\``);
const plain = (about: string): string => about.replaceAll("`", "");
function defaultNote(row: Row): string {
  const value = row.kind.format(row.default);
  return value === "" ? "" : `, default ${value}`;
}

function redisAddress(value: string): string | null {
  const known = /^(rediss?|unix):\/\/\S+$/.test(value) && URL.canParse(value);
  return known ? null : "an address that starts with redis://, rediss:// or unix://";
}

function longSecret(value: string): string | null {
  const long = Buffer.byteLength(value) >= SECRET_BYTES_MIN;
  return long ? null : `at least ${SECRET_BYTES_MIN} bytes`;
}

function exactOrigin(value: string): string | null {
  const exact = URL.canParse(value) && new URL(value).origin === value;
  return exact ? null : "origins like https://chat.example.org, separated by commas";
}
