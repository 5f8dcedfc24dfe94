/** The floor's process, see peers/floor.ts. */
import type { Target } from "../load/plan.ts";
import { startNodeServer } from "./node-server.ts";
import type { Watched } from "./process-usage.ts";

export interface Floor {
  readonly target: Target;
  readonly watched: readonly Watched[];
  stop(): Promise<void>;
}

export async function startFloor(): Promise<Floor> {
  const server = await startNodeServer("floor");
  return {
    target: { kind: "floor", addresses: [server.address] },
    watched: [{ name: "floor", pid: server.pid }],
    stop: () => server.stop(),
  };
}
