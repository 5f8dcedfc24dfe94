/** The engine as a user starts it: one command, real processes, a Redis of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";

import { ChatClient, type SocketConstructor } from "../../src/client/index.ts";

interface Exit {
  readonly code: number | null;
  readonly text: string;
}
interface Record {
  readonly msg: string;
  readonly name: string;
  readonly [field: string]: unknown;
}

let dir = "";
let children: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-test-"));
});
afterEach(async () => {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map(ended));
  children = [];
  await rm(dir, { recursive: true, force: true });
});

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("close", resolve));
}

function millrace(words: readonly string[], settings?: { [name: string]: string }): ChildProcess {
  return run(process.execPath, ["bin/millrace.mjs", ...words], settings);
}
function run(
  program: string,
  words: readonly string[],
  settings: { [name: string]: string } = {},
): ChildProcess {
  const child = spawn(program, words, {
    env: {
      ...process.env,
      DATA_DIR: dir,
      PORT: "0",
      ACK: "memory",
      LOG_FORMAT: "json",
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}

/** Runs a command to its end. */
async function outcome(
  words: readonly string[],
  settings?: { [name: string]: string },
): Promise<Exit> {
  const child = millrace(words, settings);
  let text = "";
  child.stdout?.on("data", (chunk) => (text += String(chunk)));
  child.stderr?.on("data", (chunk) => (text += String(chunk)));
  return { code: await ended(child), text };
}

/** A running engine and everything it has said. */
class Engine {
  readonly child: ChildProcess;
  readonly #records: Record[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(child = millrace(["start"])) {
    this.child = child;
    for (const output of [this.child.stdout, this.child.stderr]) {
      if (!output) continue;
      createInterface({ input: output }).on("line", (line) => {
        this.#records.push(
          line.startsWith("{") ? (JSON.parse(line) as Record) : { msg: line, name: "" },
        );
        for (const look of this.#waiting) look();
      });
    }
  }

  /** The n-th record with this message, past or to come. */
  said(message: string, nth = 1): Promise<Record> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.#records.filter(({ msg }) => msg === message)[nth - 1];
        if (!found) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async address(): Promise<string> {
    const { addresses } = await this.said("millrace runs");
    return (addresses as string[])[0] as string;
  }
  async pidOf(name: string, nth = 1): Promise<number> {
    return Number((await this.said(`${name} is ready`, nth))["child"]);
  }
  async stop(): Promise<number | null> {
    this.child.kill("SIGTERM");
    return ended(this.child);
  }
}

async function clientOf(user: string, address: string): Promise<ChatClient> {
  const { code, text } = await outcome(["token", "--as", user]);
  expect(code).toBe(0);
  const client = new ChatClient({
    urls: address,
    token: text.trim(),
    WebSocket: WebSocket as unknown as SocketConstructor,
  });
  await client.connect();
  return client;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // there is no such process
  }
}
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("millrace start", () => {
  it("[OP11] runs the engine with demo rooms, and twice changes nothing", async () => {
    const first = new Engine();
    const address = await first.address();
    expect((await fetch(new URL("/health", address))).status).toBe(200);
    const ann = await clientOf("ann", address);
    const rooms = await ann.rooms();
    expect(rooms.map(({ room }) => room).sort()).toEqual(["general", "random"]);
    const before = await outcome(["status"]);
    expect(before.text).toMatch(/commands, lag 0, dead letters 0/);
    ann.close();
    const pids = await Promise.all(["redis", "projector", "edge"].map((name) => first.pidOf(name)));
    expect(await first.stop()).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);

    const second = new Engine();
    await second.address();
    const totals = (text: string): string | undefined => /^totals.*$/m.exec(text)?.[0];
    expect(totals((await outcome(["status"])).text)).toBe(totals(before.text));
    expect(await second.stop()).toBe(0);
  });

  it("[OP6] brings back an edge, a projector and a Redis that were killed", async () => {
    const engine = new Engine();
    const address = await engine.address();
    const ann = await clientOf("ann", address);
    const room = ann.room("general");
    const texts: string[] = [];
    ann.on("entry", ({ entry }) => {
      if (entry.event.type === "message.sent") texts.push(entry.event.text);
    });
    await room.follow();
    for (const name of ["edge", "projector", "redis"]) {
      process.kill(await engine.pidOf(name), "SIGKILL");
      await room.send(`${name} was killed`);
      await engine.pidOf(name, 2);
    }
    while (texts.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(texts).toEqual(["edge was killed", "projector was killed", "redis was killed"]);
    ann.close();
    expect(await engine.stop()).toBe(0);
  });

  it("[OP10] leaves nothing behind when it is killed itself, and starts again over the same data", async () => {
    const first = new Engine();
    await first.address();
    const roles = await Promise.all(["projector", "edge"].map((name) => first.pidOf(name)));
    const redis = await first.pidOf("redis");
    first.child.kill("SIGKILL");
    await Promise.all(roles.map(gone));
    const second = new Engine();
    const address = await second.address();
    await gone(redis);
    const ann = await clientOf("ann", address);
    expect(await ann.rooms()).toHaveLength(2);
    ann.close();
    expect(await second.stop()).toBe(0);
  });

  it("[OP10] leaves nothing behind when npm is told to stop, which tells only what it runs itself", async () => {
    const engine = new Engine(run("npm", ["start"]));
    await engine.address();
    const pids = await Promise.all(
      ["redis", "projector", "edge"].map((name) => engine.pidOf(name)),
    );
    await engine.stop();
    await Promise.all(pids.map(gone));
  });

  it("[OP10] refuses to run twice in one folder", async () => {
    const engine = new Engine();
    await engine.address();
    const { code, text } = await outcome(["start"]);
    expect(text).toMatch(/runs in .* already/);
    expect(code).toBe(2);
    expect(await engine.stop()).toBe(0);
  });

  it("[OP1] can be called off while it starts", async () => {
    const engine = new Engine();
    const redis = await engine.pidOf("redis");
    expect(await engine.stop()).toBe(0);
    expect(isAlive(redis)).toBe(false);
  });

  it("[OP5] refuses bad values, other partitions than the store has, and no key", async () => {
    const bad = await outcome(["start", "--port", "http", "--ack", "never"]);
    expect(bad).toMatchObject({ code: 2 });
    expect(bad.text).toMatch(/--port: expected .*\n.*--ack: expected/);
    expect((await outcome(["start", "--prot", "1"])).code).toBe(2);

    const engine = new Engine();
    await engine.address();
    expect(await engine.stop()).toBe(0);
    const other = await outcome(["start"], { PARTITIONS: "4" });
    expect(other.text).toMatch(/created with PARTITIONS=16, not 4/);
    expect(other.code).toBe(2);
    const noKey = await outcome(["edge"], {
      DATA_DIR: join(dir, "none"),
      REDIS_URL: "redis://127.0.0.1:1",
    });
    expect(noKey).toMatchObject({ code: 2 });
    expect(noKey.text).toContain("AUTH_SECRET");
  });

  it("[OP4] answers help and nothing at all", async () => {
    const help = await outcome(["start", "--help"]);
    expect(help).toMatchObject({ code: 0 });
    expect(help.text).toContain("--lease-ttl-ms");
    expect((await outcome([])).text).toContain("Usage: millrace");
  });
});
