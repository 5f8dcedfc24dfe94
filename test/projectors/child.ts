/** Projectors as processes that may be killed, suspended and stopped. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

import type { ProjectorOptions } from "../../src/projectors/worker.ts";
import type { Compiled } from "./compiled.ts";
import type { Killable } from "./storm.ts";

const MAIN = fileURLToPath(new URL("projector-child.mjs", import.meta.url));
const STOP_MS = 5_000;

export class ProjectorChild implements Killable {
  readonly worker: string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly #process: ChildProcess;
  #resume: NodeJS.Timeout | undefined;

  private constructor(worker: string, process: ChildProcess, exited: ProjectorChild["exited"]) {
    this.worker = worker;
    this.#process = process;
    this.exited = exited;
  }

  /** Resolves when it folds; rejects when it ends before that. */
  static async start(
    compiled: Compiled,
    options: Omit<ProjectorOptions, "log">,
  ): Promise<ProjectorChild> {
    const base = `${pathToFileURL(compiled.dir).href}/`;
    const child = spawn(process.execPath, [MAIN, base, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    child.stdin.on("error", () => {}); // it may be dead already
    const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
      child.once("exit", (code, signal) => resolve(code ?? signal));
    });
    const ready = new Promise<string>((resolve) => {
      createInterface(child.stdout).on("line", (line) => {
        if (line.startsWith("ready ")) resolve(line.slice(6));
      });
    });
    const worker = await Promise.race([ready, exited.then(() => null)]);
    if (worker === null) throw new Error("the projector ended before it was ready");
    return new ProjectorChild(worker, child, exited);
  }

  kill(): void {
    clearTimeout(this.#resume);
    this.#process.kill("SIGKILL");
  }

  suspend(ms: number): void {
    clearTimeout(this.#resume);
    this.#process.kill("SIGSTOP");
    this.#resume = setTimeout(() => this.#process.kill("SIGCONT"), ms);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#resume);
    this.#process.kill("SIGCONT");
    this.#process.stdin?.end();
    const timer = setTimeout(() => this.kill(), STOP_MS);
    await this.exited;
    clearTimeout(timer);
  }
}
