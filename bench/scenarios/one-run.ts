/** One load on one thing that is started for it and ended after it. */
import { startFloor } from "../engine/floor.ts";
import { startPeer, type Peer, type PeerChoice } from "../engine/peer.ts";
import { Stack } from "../engine/stack.ts";
import { Load, type Measured } from "../load/measure.ts";
import type { Plan } from "../load/plan.ts";
import type { Bench } from "./scenario.ts";

export type Shape = Omit<Plan, "target">;

export async function onFloor(bench: Bench, name: string, shape: Shape): Promise<Measured> {
  await bench.untilQuiet();
  const floor = await startFloor();
  try {
    const load = await Load.connect({ ...shape, target: floor.target });
    const say = (text: string): void => bench.say(`floor, ${name}: ${text}`);
    const measured = await load.measure(floor.watched, null, say);
    await load.close();
    return measured;
  } finally {
    await floor.stop();
  }
}

/** Two edges and one projector; `meanwhile` begins with the warm-up. */
export async function onEngine<T = void>(
  bench: Bench,
  name: string,
  shape: Shape,
  meanwhile?: (stack: Stack) => Promise<T>,
): Promise<{ readonly measured: Measured; readonly seen: T | undefined }> {
  const say = (text: string): void => bench.say(`engine, ${name}: ${text}`);
  await bench.untilQuiet();
  const stack = await Stack.start({ edges: 2, projectors: 1, say });
  try {
    const load = await Load.connect({ ...shape, target: stack.target });
    const [measured, seen] = await Promise.all([
      load.measure(stack.watched, stack.redis, say),
      meanwhile?.(stack),
    ]);
    await load.close();
    return { measured, seen };
  } finally {
    await stack.stop();
  }
}

/** Two nodes; `meanwhile` begins with the warm-up. */
export async function onPeer(
  bench: Bench,
  choice: PeerChoice,
  name: string,
  shape: Shape,
  meanwhile?: (peer: Peer) => Promise<void>,
): Promise<Measured> {
  const say = (text: string): void => bench.say(`${choice.kind}, ${name}: ${text}`);
  await bench.untilQuiet();
  const peer = await startPeer(choice, 2);
  try {
    const load = await Load.connect({ ...shape, target: peer.target });
    const [measured] = await Promise.all([
      load.measure(peer.watched, peer.redis, say),
      meanwhile?.(peer),
    ]);
    await load.close();
    return measured;
  } finally {
    await peer.stop();
  }
}

/** What is to be measured beside the engine, by the names of the tables. */
export function peersOf({ peers, centrifugo: binary }: Bench): Map<string, PeerChoice> {
  const found = new Map<string, PeerChoice>();
  if (!peers) return found;
  found.set("Socket.IO", { kind: "socket-io" }).set("pub/sub", { kind: "pub-sub" });
  if (binary !== null) found.set("Centrifugo", { kind: "centrifugo", binary });
  return found;
}
