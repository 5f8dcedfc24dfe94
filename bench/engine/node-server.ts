/** One of the small servers of peers/ as a process: it says where it listens and ends with its channel. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** An overloaded server may not come to hear that it is to end. */
const STOP_MS = 5_000;

export interface NodeServer {
  readonly address: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** `name` is that of its file. */
export async function startNodeServer(
  name: string,
  args: readonly string[] = [],
): Promise<NodeServer> {
  const child = fork(fileURLToPath(new URL(`../peers/${name}.js`, import.meta.url)), args);
  const [message] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => {
      throw new Error(`${name} ended before it listened`);
    }),
  ])) as [{ address: string }];
  return {
    address: message.address,
    pid: child.pid as number,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.disconnect();
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}
