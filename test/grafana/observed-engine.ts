/** An engine as `millrace start` runs it, people who chat on it, and a Prometheus that watches. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { WebSocket } from "ws";

import { ensurePrometheus } from "../../bin/prometheus.mjs";
import { scrapeConfig, startPrometheus, type RunningPrometheus } from "../../src/cli/prometheus.ts";
import { targetsFile } from "../../src/cli/scrape-targets.ts";
import { signToken } from "../../src/cli/token.ts";
import { ChatClient, type SocketConstructor } from "../../src/client/index.ts";
import type { UserId } from "../../src/protocol/ids.ts";

const SECRET = "a secret of the tests, 32 bytes or more";
const MESSAGE_EVERY_MS = 10;
/** Windows and pauses of the rules, so short that a test can wait for them. */
const SCRAPES = { interval: "1s", timeout: "900ms" } as const;
const SCALED: readonly (readonly [RegExp, string])[] = [
  [/\[15m\]/g, "[30s]"],
  [/\[5m\]/g, "[10s]"],
  [/for: \w+/g, "for: 2s"],
];

export class ObservedEngine {
  readonly dataDir: string;
  readonly prometheus: RunningPrometheus;
  readonly #start: ChildProcess;
  readonly #pids = new Map<string, number>();
  readonly #clients: ChatClient[] = [];
  #chatting = true;

  private constructor(dataDir: string, start: ChildProcess, prometheus: RunningPrometheus) {
    this.dataDir = dataDir;
    this.#start = start;
    this.prometheus = prometheus;
  }

  static async start(): Promise<ObservedEngine> {
    const dataDir = await mkdtemp(join(tmpdir(), "millrace-test-"));
    const rules = join(dataDir, "rules.yaml");
    let text = await readFile("grafana/alerts/millrace.yaml", "utf8");
    for (const [pattern, short] of SCALED) text = text.replaceAll(pattern, short);
    await writeFile(rules, text);
    const prometheus = await startPrometheus({
      binary: resolve(ensurePrometheus().prometheus),
      dir: join(dataDir, "prometheus"),
      port: 0,
      config: scrapeConfig(targetsFile(dataDir), [rules], SCRAPES),
      signal: new AbortController().signal,
    });
    const child = spawn(process.execPath, ["bin/millrace.mjs", "start"], {
      env: {
        ...process.env,
        DATA_DIR: dataDir,
        PORT: "0",
        METRICS_PORT: "0",
        EDGES: "2",
        ACK: "memory",
        AUTH_SECRET: SECRET,
        LOG_FORMAT: "json",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const engine = new ObservedEngine(dataDir, child, prometheus);
    try {
      await engine.#chat(await engine.#addresses());
      return engine;
    } catch (error) {
      await engine.stop();
      throw error;
    }
  }

  /** The process that runs a role at the moment. */
  pidOf(name: string): number {
    return this.#pids.get(name) as number;
  }

  #addresses(): Promise<readonly string[]> {
    return new Promise((found, failed) => {
      this.#start.once("exit", (code) => failed(new Error(`start ended with ${code}`)));
      createInterface({ input: this.#start.stdout as NodeJS.ReadableStream }).on("line", (line) => {
        const record = JSON.parse(line) as { msg: string; child?: number; addresses?: string[] };
        const role = /^(\S+) is ready$/.exec(record.msg)?.[1];
        if (role !== undefined && record.child !== undefined) this.#pids.set(role, record.child);
        if (record.addresses) found(record.addresses);
      });
    });
  }

  /** Two people on two edges talk until the end. */
  async #chat(addresses: readonly string[]): Promise<void> {
    for (const [i, user] of ["ann", "bob"].entries()) {
      const token = await signToken({
        user: user as UserId,
        secret: SECRET,
        audience: "millrace",
        lifeSeconds: 3_600,
      });
      const urls = addresses[i] as string;
      const client = new ChatClient({
        urls,
        token,
        WebSocket: WebSocket as unknown as SocketConstructor,
      });
      this.#clients.push(client);
      await client.connect();
      await client.room("general").follow();
      void this.#talk(client);
    }
  }

  async #talk(client: ChatClient): Promise<void> {
    while (this.#chatting) {
      // A message under way when the test ends is rejected, as is one that has to wait too long.
      client
        .room("general")
        .send("hello")
        .catch(() => undefined);
      await new Promise((resume) => setTimeout(resume, MESSAGE_EVERY_MS));
    }
  }

  /** The series that an expression has now. */
  async query(expr: string): Promise<readonly { readonly metric: Record<string, string> }[]> {
    const url = new URL("/api/v1/query", this.prometheus.address);
    url.searchParams.set("query", expr);
    const answer = (await (await fetch(url)).json()) as {
      status: string;
      error?: string;
      data?: { result: { metric: Record<string, string> }[] };
    };
    if (!answer.data) throw new Error(`${expr}: ${answer.error}`);
    return answer.data.result;
  }

  /** Alerts that fire, as `name instance`. */
  async firing(): Promise<readonly string[]> {
    const alerts = await this.query('ALERTS{alertstate="firing"}');
    return alerts.map(({ metric }) => `${metric["alertname"]} ${metric["instance"] ?? ""}`.trim());
  }

  async stop(): Promise<void> {
    this.#chatting = false;
    for (const client of this.#clients) client.close();
    const ended = new Promise((resume) => this.#start.once("close", resume));
    this.#start.kill("SIGTERM");
    await ended;
    await this.prometheus.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
