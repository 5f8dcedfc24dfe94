/** At which size a room tells counts and samples of its people: presence and receipts alike. */
import { expect, it } from "vitest";
import { RoomList } from "../../src/edge/room-list.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { packCommands, type Fact } from "../../src/streams/command-log.ts";
import { engineOfFile } from "./engine.ts";
import { applied, createRoom } from "./peer.ts";
import { present, presenceFrames, QUICK, stateOf } from "./watch.ts";

const open = engineOfFile();

it("[PS7] [UN8] five hundred people are told as lists, and one more as counts and a sample", async () => {
  const engine = await open();
  const edge = await engine.edge({ presenceTimes: QUICK });
  const una = await engine.peer(edge, "una");
  const room = "hall" as RoomId;
  await createRoom(una, room);
  const partition = engine.keys.partitionOf(room);
  // Members as if they had joined; who is there as an edge would say.
  await engine.stopProjector();
  const names = Array.from({ length: LIMITS.largeRoom - 1 }, (_, i) => `user-${i}`);
  const members = names.flatMap((name) => [name, "member:1"]);
  await engine.admin.hset(engine.keys.members(partition, room), ...members);
  const marks = names.flatMap((name) => [`r:${name}`, "1:0"]);
  await engine.admin.hset(engine.keys.room(partition, room), ...marks);
  await engine.admin.zadd(engine.keys.edges(partition), "9999999999999", "crowd");
  const facts = [{ type: "edgeUp", edge: "crowd" }] as Fact[];
  for (let at = 0; at < names.length; at += 200) {
    const entered = names.slice(at, at + 200);
    facts.push({ type: "attendance", edge: "crowd", room, entered, left: [] } as never);
  }
  const body = packCommands("e", [], facts) as Buffer;
  await engine.admin.xadd(engine.keys.events(partition), "*", "b", body);
  await engine.startProjector();

  await present(una, room);
  await una.until("everybody", () => stateOf(una, room).count === LIMITS.largeRoom || null);
  const tablet = await engine.peer(edge, "una", { device: "tablet" });
  await present(tablet, room);
  const [whole] = presenceFrames(tablet, room);
  expect(whole).toMatchObject({ whole: true, count: LIMITS.largeRoom });
  expect(new Set(whole?.online)).toEqual(new Set(["una", ...names]));
  const receipts = await tablet.next("receipts", (frame) => frame.whole);
  expect(receipts.marks).toHaveLength(LIMITS.largeRoom);
  expect(tablet.frames.some(({ type }) => type === "readers")).toBe(false);

  const one = await engine.peer(edge, "one-more");
  await applied(one.run({ type: "join", room }));
  await present(one, room);
  await one.until("a sample", () => {
    const { count, online } = stateOf(one, room);
    return count === LIMITS.largeRoom + 1 && online.length === LIMITS.presenceSample ? true : null;
  });
  const { steps } = await one.next("readers");
  expect(steps.at(-1)).toEqual({ through: 1, readers: LIMITS.largeRoom + 1 });
  expect(one.frames.some(({ type }) => type === "receipts")).toBe(false);

  // As it is read when members come between the two reads.
  await engine.admin.hdel(engine.keys.members(partition, room), ...names);
  const found = await new RoomList(engine.admin, engine.keys).readings(room);
  expect("steps" in found && found.steps.at(-1)).toEqual(steps.at(-1));
}, 60_000);
