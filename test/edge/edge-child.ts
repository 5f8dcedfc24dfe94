/** Edges as processes that may be killed and suspended. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

import type { EdgeOptions } from "../../src/edge/edge.ts";
import type { Compiled } from "../projectors/compiled.ts";
import { AUDIENCE, SECRET } from "./engine.ts";

const MAIN = fileURLToPath(new URL("edge-child.mjs", import.meta.url));
const STOP_MS = 5_000;

export class EdgeChild {
  readonly address: string;
  /** Part of the names under which it speaks of presence. */
  readonly incarnation: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(ready: readonly string[], process: ChildProcess, exited: Promise<unknown>) {
    const [address = "", incarnation = ""] = ready;
    this.address = address;
    this.incarnation = incarnation;
    this.#process = process;
    this.#exited = exited;
  }

  /** Resolves when it listens; rejects when it ends before that. */
  static async start(
    compiled: Compiled,
    options: Omit<EdgeOptions, "auth" | "log">,
  ): Promise<EdgeChild> {
    const base = `${pathToFileURL(compiled.dir).href}/`;
    const text = JSON.stringify({ ...options, secret: SECRET, audience: AUDIENCE });
    const child = spawn(process.execPath, [MAIN, base, text], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    child.stdin.on("error", () => {}); // it may be dead already
    const exited = new Promise<null>((resolve) => {
      child.once("exit", () => resolve(null));
    });
    const ready = new Promise<string>((resolve) => {
      createInterface(child.stdout).on("line", (line) => {
        if (line.startsWith("ready ")) resolve(line.slice(6));
      });
    });
    const line = await Promise.race([ready, exited]);
    if (line === null) throw new Error("the edge ended before it was ready");
    return new EdgeChild(line.split(" "), child, exited);
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }
  suspend(): void {
    this.#process.kill("SIGSTOP");
  }
  resume(): void {
    this.#process.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGCONT");
    this.#process.stdin?.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}
