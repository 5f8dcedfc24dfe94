/**
 * What one run is: the scenarios with their sizes, and the plan that the runner
 * hands to k6. Read on both sides, so it imports nothing.
 */

export const SCENARIO_NAMES = [
  "connect-and-chat",
  "large-room",
  "reconnect-storm",
  "presence-storm",
  "history-paging",
  "soak",
] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

/** What `--vus`, `--rate` and so on set. */
export interface Sizes {
  /** Virtual users of k6, each one user of the chat. */
  readonly vus: number;
  /** Sockets of each of them, each one device. */
  readonly sockets: number;
  readonly rooms: number;
  /** Messages a second, all senders together. */
  readonly rate: number;
  /** How long is chatted, without connecting before and draining after. */
  readonly seconds: number;
  /** Messages that are in each room before anybody comes. */
  readonly messages: number;
  /** The run fails when p95 of the deliveries is above it. */
  readonly p95Ms: number;
}

export interface Scenario {
  readonly about: string;
  readonly sizes: Sizes;
  /** For tests and CI: whether it works, not how fast. */
  readonly smoke: Partial<Sizes>;
}

export const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  "connect-and-chat": {
    about: "People buy tickets, connect, join rooms of ten and talk.",
    sizes: { vus: 20, sockets: 4, rooms: 8, rate: 40, seconds: 30, messages: 0, p95Ms: 500 },
    smoke: { vus: 2, sockets: 3, rooms: 2, rate: 10, seconds: 2 },
  },
  "large-room": {
    about: "A few talk in one room that everybody follows.",
    sizes: { vus: 20, sockets: 10, rooms: 1, rate: 10, seconds: 30, messages: 0, p95Ms: 500 },
    smoke: { vus: 2, sockets: 5, rate: 10, seconds: 2 },
  },
  "reconnect-storm": {
    about: "Everybody loses the connection at once, three times, and keeps typing.",
    sizes: { vus: 20, sockets: 10, rooms: 10, rate: 40, seconds: 40, messages: 0, p95Ms: 500 },
    smoke: { vus: 2, sockets: 3, rooms: 2, rate: 20, seconds: 3 },
  },
  "presence-storm": {
    about: "Everybody comes to rooms of fifty at once and attends; then a third drops.",
    sizes: { vus: 100, sockets: 50, rooms: 100, rate: 0, seconds: 40, messages: 0, p95Ms: 20_000 },
    smoke: { vus: 2, sockets: 6, rooms: 2, seconds: 10 },
  },
  "history-paging": {
    about: "Long histories are read by HTTP and by socket while they grow.",
    sizes: { vus: 4, sockets: 2, rooms: 3, rate: 6, seconds: 20, messages: 2_000, p95Ms: 500 },
    smoke: { vus: 1, sockets: 2, rooms: 2, rate: 4, seconds: 2, messages: 300 },
  },
  soak: {
    about: "A quiet day: rooms of ten, and people who come and go.",
    sizes: { vus: 10, sockets: 4, rooms: 4, rate: 8, seconds: 600, messages: 0, p95Ms: 500 },
    smoke: { vus: 2, sockets: 2, rooms: 1, rate: 8, seconds: 3 },
  },
};

export interface Plan extends Sizes {
  readonly scenario: ScenarioName;
  /** `http://host:port` of each edge. */
  readonly urls: readonly string[];
  /** HS256 secret that the engine trusts, and the audience it expects. */
  readonly secret: string;
  readonly audience: string;
  /** In every room, user and device, so that runs against one engine stay apart. */
  readonly run: string;
  /** False where only completeness decides, as in a smoke test. */
  readonly timed: boolean;
  /** Where k6 writes what it measured. */
  readonly summaryPath: string;
}

/** The environment variable that carries the plan to k6, as JSON. */
export const PLAN_VARIABLE = "MILLRACE_K6_PLAN";
