/** A redis-server of a test's own, on a unix socket in a temporary folder. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  findRedisBinary,
  startRedisProcess,
  type RedisProcess,
} from "../../src/cli/redis-process.ts";
import type { AckLevel } from "../../src/protocol/frames.ts";

const STOP_MS = 10_000;

export interface TestRedisOptions {
  /** What an append survives; `memory` (the default) costs no fsync. */
  readonly ack?: AckLevel;
  /** False keeps nothing over a restart. */
  readonly appendonly?: boolean;
  /** Further settings, by their names in redis.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

export class TestRedis {
  /** Stays the same over restarts. */
  readonly url: string;
  /** Path of the unix socket; the target of a fault proxy. */
  readonly socket: string;
  readonly #dir: string;
  readonly #start: () => Promise<RedisProcess>;
  #process: RedisProcess;

  private constructor(dir: string, start: () => Promise<RedisProcess>, process: RedisProcess) {
    this.#dir = dir;
    this.#start = start;
    this.#process = process;
    this.socket = join(dir, "redis.sock");
    this.url = process.url;
  }

  static async start(options: TestRedisOptions = {}): Promise<TestRedis> {
    const binary = await findRedisBinary();
    if (binary === null) throw new Error("the tests need redis-server or valkey-server on PATH");
    const dir = await mkdtemp(join(tmpdir(), "millrace-test-"));
    const appendonly = (options.appendonly ?? true) ? "yes" : "no";
    const start = (): Promise<RedisProcess> =>
      startRedisProcess({
        binary,
        dir,
        socket: join(dir, "redis.sock"),
        ack: options.ack ?? "memory",
        settings: { appendonly, ...options.settings },
      });
    return new TestRedis(dir, start, await start());
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  /** Stops answering without closing a connection, until `resume`. */
  pause(): void {
    this.#process.kill("SIGSTOP");
  }
  resume(): void {
    this.#process.kill("SIGCONT");
  }

  /** Starts again over the same data and socket; ends the running process first. */
  async restart(): Promise<void> {
    await this.#process.stop(STOP_MS);
    this.#process = await this.#start();
  }

  /** Ends the process and removes its data. */
  async stop(): Promise<void> {
    this.#process.kill("SIGCONT"); // a paused process would not see the rest
    await this.#process.stop(STOP_MS);
    await rm(this.#dir, { recursive: true, force: true });
  }
}
