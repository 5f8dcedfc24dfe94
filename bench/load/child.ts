/** A script of this folder in a process of its own, spoken with over its channel. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

interface Named {
  readonly type: string;
}

export class Child<To extends Named, From extends Named> {
  readonly #process: ChildProcess;
  readonly #name: string;

  /** `name` is that of its file; a child ends by itself when its channel does. */
  constructor(name: string) {
    this.#name = name;
    this.#process = fork(fileURLToPath(new URL(`${name}.js`, import.meta.url)));
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  tell(message: To): void {
    this.#process.send(message);
  }

  /** The next message of this type. Rejects when the process ends. */
  heard<T extends From["type"]>(type: T): Promise<From & { type: T }> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        reject(new Error(`the ${this.#name} ended with ${code}`));
      };
      const listen = (message: From): void => {
        if (message.type !== type) return;
        this.#process.off("message", listen).off("exit", onExit);
        resolve(message as From & { type: T });
      };
      this.#process.on("message", listen).once("exit", onExit);
    });
  }

  /** Calls `each` with every message of this type. */
  on<T extends From["type"]>(type: T, each: (message: From & { type: T }) => void): void {
    this.#process.on("message", (message: From) => {
      if (message.type === type) each(message as From & { type: T });
    });
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const gone = once(this.#process, "exit");
    if (this.#process.connected) this.#process.disconnect();
    await gone;
  }
}
