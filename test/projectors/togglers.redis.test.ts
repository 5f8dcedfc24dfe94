/** A thousand people press the same two buttons at once. */
import { afterAll, beforeAll, expect, it } from "vitest";

import { MessageReader } from "../../src/edge/message-reader.ts";
import { RoomReader } from "../../src/edge/room-reader.ts";
import { Ingest } from "../../src/ingest/ingest.ts";
import { startProjector } from "../../src/projectors/worker.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import { formatCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { Epoch, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { halves, type Position } from "../../src/redis/position.ts";
import { runScripts } from "../../src/redis/script.ts";
import { Chance } from "./chance.ts";
import { Hand } from "./commands.ts";
import { Deployment } from "./deployment.ts";

const TOGGLERS = 1_000;
const EACH = 6;
const EDGES = 4;
const ROOM = "lounge" as RoomId;
const ANN = "ann" as UserId;
const TARGET = (1 + TOGGLERS + 1) as Seq;

let deployment: Deployment;
beforeAll(async () => (deployment = await Deployment.start(2)));
afterAll(() => deployment.stop());

it("[MS3] a thousand concurrent togglers end with exact counts", { timeout: 60_000 }, async () => {
  const { redis, keys } = deployment;
  // The message has to be among the kept entries to the end.
  const options = { ...deployment.options, historyPerRoom: 20_000 };
  const projectors = [await startProjector(options), await startProjector(options)];
  const ann = new Hand("ann");
  const hands = Array.from({ length: TOGGLERS }, (_, i) => new Hand(`user-${i}`));
  await deployment.write(ann.creates(ROOM));
  for (let i = 0; i < TOGGLERS; i += 250) {
    const joins = hands.slice(i, i + 250).map((hand) => hand.does({ type: "join" }, ROOM));
    await deployment.write(...joins);
  }
  const said = await deployment.write(ann.says("press one", ROOM));
  const [ms, n] = halves(said as Position);
  const message = formatCursor(1 as Epoch, TARGET, ms, n * 4_096);
  await deployment.folded();

  const on = await toggle(hands, message);
  await deployment.folded();
  await Promise.all(projectors.map((projector) => projector.stop()));

  const rooms = new RoomReader(redis, keys);
  const page = await rooms.history(ANN, ROOM, { after: TARGET - 1, limit: 1 });
  if ("refused" in page) throw new Error(page.refused);
  const { event } = decodeEntry(page.entries[0]?.payload as Uint8Array);
  if (event.type !== "message.folded") throw new Error(event.type);
  const counts = (event.reactions ?? []).map(({ reaction, count }) => [reaction, count]);
  expect(new Map(counts as [string, number][])).toEqual(
    new Map([...on].map(([reaction, users]) => [reaction, users.size])),
  );
  for (const { users } of event.reactions ?? []) {
    expect(users.length).toBeLessThanOrEqual(LIMITS.reactorsShown);
  }
  expect(await everybody(new MessageReader(rooms, keys))).toEqual(on);
});

/** Over several edges at once, each with a share of the users; who reacts with what in the end. */
async function toggle(hands: readonly Hand[], message: Cursor): Promise<Map<string, Set<string>>> {
  const chance = new Chance(7);
  const on = new Map<string, Set<string>>();
  const edges = Array.from(
    { length: EDGES },
    (_, i) => new Ingest(deployment.keys, `e${i}`, 100_000),
  );
  const waiting = { accepted: () => {}, deferred: () => expect.unreachable("put off") };
  for (let round = 0; round < EACH; round++) {
    hands.forEach((hand, i) => {
      const reaction = chance.pick(["+1", "\u{1f44e}"]);
      const users = on.get(reaction) ?? new Set();
      on.set(reaction, users);
      const type = chance.often(0.5) ? "react" : "unreact";
      if (type === "react") users.add(hand.user);
      else users.delete(hand.user);
      edges[i % EDGES]?.submit(hand.does({ type, message, reaction }, ROOM), waiting);
    });
    // Edges in turn, so that their batches lie between each other in the log.
    while (edges.some((edge) => edge.hasWork)) {
      const departures = edges.map((edge) => edge.begin());
      const calls = departures.map((departure) => runScripts(deployment.redis, departure.calls));
      const replies = await Promise.all(calls);
      departures.forEach((departure, i) => departure.settle(replies[i] ?? null));
    }
  }
  return on;
}

/** All users of each reaction, page by page. */
async function everybody(reader: MessageReader): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (let after: string | null = "0"; after !== null;) {
    const page = await reader.reactions(ANN, ROOM, TARGET, after);
    if ("refused" in page) throw new Error(page.refused);
    for (const { reaction, users } of page.reactions) {
      const all = found.get(reaction) ?? new Set();
      for (const user of users) all.add(user);
      found.set(reaction, all);
    }
    after = page.next;
  }
  return found;
}
