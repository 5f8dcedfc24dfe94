import { expect, it } from "vitest";

import { engineOfFile } from "./engine.ts";
import { createRoom } from "./peer.ts";
import { tailerContract } from "./tailer.contract.ts";

tailerContract({
  name: "reading conversations",
  options: { directRoomsMax: 1_000 },
  mode: "direct",
});
tailerContract({ name: "hearing bells", options: { directRoomsMax: 0 }, mode: "bell" });

const start = engineOfFile();

it("[TA28] the tailer changes its mode under traffic without a gap", async () => {
  const engine = await start();
  const edge = await engine.edge({ directRoomsMax: 3 });
  const ann = await engine.peer(edge, "ann");
  const bob = await engine.peer(edge, "bob");
  const rooms = ["s0", "s1", "s2", "s3", "s4", "s5"];
  for (const room of rooms) await createRoom(ann, room, [bob]);
  const [always, ...others] = rooms as [string, ...string[]];
  await bob.follow(always);
  const modes = new Set<string>();
  const silence = new AbortController();
  const talk = (async () => {
    while (!silence.signal.aborted) for (const room of rooms) await ann.say(room, "text");
  })();
  for (let round = 0; round < 12; round++) {
    for (const room of others) await bob.follow(room, bob.rooms.get(room)?.at(-1)?.cursor ?? null);
    modes.add(await mode(edge.address));
    await new Promise((resolve) => setTimeout(resolve, 20));
    bob.send({ type: "unsubscribe", rooms: others as never[] });
    // An answer to anything sent later shows that the rooms were given up.
    const asked = bob.frames.length;
    bob.send({ type: "ping" });
    await bob.next("beat", () => true, asked);
    await bob.until("a live one", () => bob.frames.length > asked + 1 || null);
    modes.add(await mode(edge.address));
  }
  silence.abort();
  await talk;
  const { head } = await ann.resume(always, null, 1);
  await bob.hasSeq(always, head);
  expect(bob.seqs(always)).toEqual(Array.from({ length: head }, (_, i) => i + 1));
  expect(bob.violations).toEqual([]);
  expect([...modes].toSorted()).toEqual(["bell", "direct"]);
});

async function mode(address: string): Promise<string> {
  const report = (await (await fetch(`${address}/health`)).json()) as { tailer: string };
  return report.tailer;
}
