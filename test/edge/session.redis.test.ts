/** What one connection may count on: outcomes, order of what was put off, ends. */
import { beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";

const start = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
let ann: Peer;

beforeAll(async () => {
  engine = await start();
  edge = await engine.edge();
  ann = await engine.peer(edge, "ann");
});

describe("outcomes", () => {
  it("[SE4] every command in a followed room gets an outcome, also one that changes nothing", async () => {
    await createRoom(ann, "nothing");
    await ann.follow("nothing");
    const renamed = await applied(ann.run({ type: "rename", room: "nothing", name: "other" }));
    expect(renamed.seq).toBe(2);
    const same = await applied(ann.run({ type: "rename", room: "nothing", name: "other" }));
    expect(same).toMatchObject({ seq: 2, again: false });
    const member = await applied(ann.run({ type: "join", room: "nothing" }));
    expect(member).toMatchObject({ seq: 1, again: false });
  });
});
