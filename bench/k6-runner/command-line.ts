/** What was asked for on the command line of `npm run bench:k6`. */
import { parseArgs } from "node:util";

import { SCENARIO_NAMES, SCENARIOS, type ScenarioName, type Sizes } from "../k6/plan.ts";

/** Where the engine comes from. */
export type EngineWanted =
  | {
      readonly kind: "private";
      readonly edges: number;
      readonly projectors: number;
      readonly ack: Ack;
    }
  /** One that runs; `dataDir` is where its secret is looked for when AUTH_SECRET is not set. */
  | { readonly kind: "running"; readonly urls: readonly string[]; readonly dataDir: string | null };
type Ack = "disk" | "memory";

export interface RunOptions {
  readonly scenario: ScenarioName;
  readonly sizes: Sizes;
  readonly smoke: boolean;
  readonly engine: EngineWanted;
  /** Address for remote write. */
  readonly prometheus: string | null;
  readonly save: boolean;
  /** Install a missing Redis without asking. */
  readonly yes: boolean;
}

export type Asked =
  | { readonly kind: "run"; readonly options: RunOptions }
  | { readonly kind: "help" | "refused"; readonly text: string };

interface SizeFlag {
  readonly size: keyof Sizes;
  readonly min: number;
  readonly max: number;
  readonly about: string;
}

const WEEK_SEC = 7 * 24 * 3_600;
const SIZE_FLAGS: Readonly<Record<string, SizeFlag>> = {
  vus: { size: "vus", min: 1, max: 10_000, about: "virtual users, each one user of the chat" },
  sockets: { size: "sockets", min: 1, max: 1_000, about: "sockets of each" },
  rooms: { size: "rooms", min: 1, max: 100_000, about: "rooms" },
  rate: { size: "rate", min: 1, max: 100_000, about: "messages a second, all together" },
  duration: { size: "seconds", min: 1, max: WEEK_SEC, about: "how long is talked: 30s, 5m, 2h" },
  messages: { size: "messages", min: 0, max: 1_000_000, about: "in each room from the start" },
  p95: { size: "p95Ms", min: 1, max: 600_000, about: "ms; more than that fails the run" },
};
const PROCESSES_MAX = 64;

const FLAGS = {
  ...Object.fromEntries(Object.keys(SIZE_FLAGS).map((name) => [name, { type: "string" }] as const)),
  edges: { type: "string" },
  projectors: { type: "string" },
  ack: { type: "string" },
  url: { type: "string", multiple: true },
  "data-dir": { type: "string" },
  prometheus: { type: "string" },
  smoke: { type: "boolean" },
  save: { type: "boolean" },
  yes: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** A value that is not taken, with what is. */
class Refusal extends Error {}

export function readCommandLine(words: readonly string[]): Asked {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: FLAGS,
      allowPositionals: true,
    });
    if (values.help === true) return { kind: "help", text: usage() };
    const scenario = readScenario(positionals);
    const given = readSizes(values);
    const { sizes, smoke: small } = SCENARIOS[scenario];
    const smoke = values.smoke === true;
    const options: RunOptions = {
      scenario,
      sizes: { ...sizes, ...(smoke ? small : {}), ...given },
      smoke,
      engine: readEngine(values),
      prometheus: values.prometheus === undefined ? null : readWriteAddress(values.prometheus),
      save: values.save === true,
      yes: values.yes === true,
    };
    return { kind: "run", options };
  } catch (error) {
    const isMistake = error instanceof Refusal || error instanceof TypeError;
    if (!isMistake) throw error;
    return { kind: "refused", text: `${error.message}\n\n${usage()}` };
  }
}

function readScenario(words: readonly string[]): ScenarioName {
  const [first, ...rest] = words;
  if (first === undefined) throw new Refusal("which scenario?");
  const name = SCENARIO_NAMES.find((each) => each === first);
  if (name === undefined) throw new Refusal(`no such scenario: ${first}`);
  if (rest.length > 0) throw new Refusal(`one scenario a run, not also ${rest.join(" ")}`);
  return name;
}

type Values = { readonly [flag: string]: string | boolean | string[] | undefined };

function readSizes(values: Values): Partial<Sizes> {
  const found = Object.entries(SIZE_FLAGS).flatMap(([name, { size, min, max }]) => {
    const text = values[name];
    if (typeof text !== "string") return [];
    const read = name === "duration" ? readSeconds : readCount;
    return [[size, read(`--${name}`, text, min, max)]];
  });
  return Object.fromEntries(found) as Partial<Sizes>;
}

function readEngine(values: Values): EngineWanted {
  const { url, edges, projectors, ack, "data-dir": dataDir } = values;
  if (Array.isArray(url)) {
    if (edges !== undefined || projectors !== undefined || ack !== undefined) {
      throw new Refusal("--edges, --projectors and --ack are of a private engine, not of --url");
    }
    return {
      kind: "running",
      urls: url.map(readAddress),
      dataDir: typeof dataDir === "string" ? dataDir : null,
    };
  }
  if (dataDir !== undefined) throw new Refusal("--data-dir says where the secret of --url is");
  if (ack !== undefined && ack !== "disk" && ack !== "memory") {
    throw new Refusal(`--ack: disk or memory, not "${String(ack)}"`);
  }
  const count = (flag: string, text: unknown): number =>
    typeof text === "string" ? readCount(flag, text, 1, PROCESSES_MAX) : 1;
  return {
    kind: "private",
    edges: count("--edges", edges),
    projectors: count("--projectors", projectors),
    ack: ack ?? "disk",
  };
}

function readCount(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Refusal(`${flag}: a whole number from ${min} to ${max}, not "${text}"`);
}

function readSeconds(flag: string, text: string, min: number, max: number): number {
  const match = /^(\d{1,6})([smh])$/.exec(text);
  const value = Number(match?.[1]) * ({ s: 1, m: 60, h: 3_600 }[match?.[2] ?? ""] ?? Number.NaN);
  if (value >= min && value <= max) return value;
  throw new Refusal(`${flag}: a time like 30s, 5m or 2h of at most 7 days, not "${text}"`);
}

/** Without a slash at its end. */
function readAddress(text: string): string {
  if (!/^https?:\/\/[^/?#]+\/?$/.test(text) || !URL.canParse(text)) {
    throw new Refusal(`--url: the address of an edge like http://127.0.0.1:8080, not "${text}"`);
  }
  return new URL(text).origin;
}

/** The address of a Prometheus is enough. */
function readWriteAddress(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new Refusal(`--prometheus: an address like http://127.0.0.1:9090, not "${text}"`);
  }
  const url = new URL(text);
  if (url.pathname === "/") url.pathname = "/api/v1/write";
  return url.href;
}

export function usage(): string {
  const scenarios = SCENARIO_NAMES.map((name) => {
    const { vus, sockets, rooms, rate, seconds } = SCENARIOS[name].sizes;
    return [
      `  ${name.padEnd(17)} ${SCENARIOS[name].about}`,
      `  ${" ".repeat(17)} ${vus} users × ${sockets} sockets, rooms ${rooms}, ${rate} messages/s, ${seconds} s`,
    ].join("\n");
  });
  const rows: [string, string][] = [
    ...Object.entries(SIZE_FLAGS).map(([name, { about }]): [string, string] => [name, about]),
    ["edges", "of the engine that is started for the run; 1"],
    ["projectors", "of the same; 1"],
    ["ack", "of the same: disk or memory; disk"],
    ["url", "use a running engine instead; once for each edge. Its secret: AUTH_SECRET, or"],
    ["data-dir", "the folder that it is in"],
    ["prometheus", "address to which k6 writes what it measures"],
    ["smoke", "a few seconds, and only completeness decides"],
    ["save", "keep the result as JSON in bench/results"],
    ["yes", "install a missing redis-server without asking"],
  ];
  const flags = rows.map(([name, about]) => `  --${name.padEnd(15)} ${about}`);
  return [
    "npm run bench:k6 -- <scenario> [flags]",
    "",
    ...scenarios,
    "",
    ...flags,
    "",
    "Exit code: that of k6, 0 when every threshold held and 99 when one did not.",
    "",
  ].join("\n");
}
