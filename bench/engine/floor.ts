/** The floor's process, see peers/floor.ts. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { Target } from "../load/plan.ts";
import type { Watched } from "./process-usage.ts";

export interface Floor {
  readonly target: Target;
  readonly watched: readonly Watched[];
  stop(): Promise<void>;
}

export async function startFloor(): Promise<Floor> {
  const child = fork(fileURLToPath(new URL("../peers/floor.js", import.meta.url)));
  const [message] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => {
      throw new Error("the floor ended before it listened");
    }),
  ])) as [{ address: string }];
  return {
    target: { kind: "floor", addresses: [message.address] },
    watched: [{ name: "floor", pid: child.pid as number }],
    async stop() {
      const gone = once(child, "exit");
      child.disconnect();
      await gone;
    },
  };
}
