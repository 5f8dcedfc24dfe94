/** Presence from socket to socket, over several edges and a real log. */
import { beforeAll, describe, expect, it } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import type { Position } from "../../src/redis/position.ts";
import { packBellHeader } from "../../src/streams/bell.ts";
import { packCommands, type Fact } from "../../src/streams/command-log.ts";
import { pause } from "../projectors/talkers.ts";
import { type Engine, engineOfFile } from "./engine.ts";
import { applied, createRoom } from "./peer.ts";
import { attend, present, presenceFrames, QUICK, sees, stateOf } from "./watch.ts";

const open = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
let other: RunningEdge;
beforeAll(async () => {
  engine = await open();
  edge = await engine.edge({ presenceTimes: QUICK });
  other = await engine.edge({ presenceTimes: QUICK });
});

describe("presence", () => {
  it("[PS1] tells the whole state once, then changes, to those who attend and nobody else", async () => {
    const [ann, ben, cat] = [
      await engine.peer(edge, "ann"),
      await engine.peer(other, "ben", { encoding: "json" }),
      await engine.peer(edge, "cat"),
    ];
    await createRoom(ann, "one", [ben, cat]);
    await present(ann, "one");
    await sees(ann, "one", "ann");
    await cat.follow("one");
    await present(ben, "one");
    await sees(ann, "one", "ann", "ben");
    await sees(ben, "one", "ann", "ben");
    for (const peer of [ann, ben]) {
      expect(presenceFrames(peer, "one").map(({ whole }) => whole)[0]).toBe(true);
      expect(presenceFrames(peer, "one").filter(({ whole }) => whole)).toHaveLength(1);
    }
    expect(presenceFrames(cat, "one")).toEqual([]);
    // Who follows unseen is not there for the others either.
    expect(stateOf(ann, "one").count).toBe(2);
  });

  it("[PS2] counts devices: the user is there while one is, and the end is told after a grace, with the time", async () => {
    const [dan, eve] = [await engine.peer(edge, "dan"), await engine.peer(edge, "eve")];
    const tablet = await engine.peer(other, "eve", { device: "tablet" });
    const laptop = await engine.peer(edge, "eve", { device: "laptop" });
    await createRoom(dan, "two", [eve]);
    for (const peer of [dan, eve, tablet, laptop]) await present(peer, "two");
    await sees(dan, "two", "dan", "eve");
    eve.terminate();
    tablet.terminate();
    await pause(QUICK.graceMs + 600);
    expect(stateOf(dan, "two").online).toEqual(["dan", "eve"]);
    const [seconds] = await engine.admin.time();
    laptop.terminate();
    await sees(dan, "two", "dan");
    const seen = stateOf(dan, "two").lastSeen.get("eve") ?? 0;
    expect(seen).toBeGreaterThanOrEqual(Number(seconds) * 1_000);
    const again = await engine.peer(other, "dan", { device: "other" });
    await present(again, "two");
    expect(stateOf(again, "two").lastSeen.get("eve")).toBe(seen);
  });

  it("[PS2] a reload within the grace is no change for anybody", async () => {
    // Long enough for whoever comes back, however busy the machine is.
    const graceMs = 2_000;
    const patient = await engine.edge({ presenceTimes: { ...QUICK, graceMs } });
    const [fay, gil] = [await engine.peer(patient, "fay"), await engine.peer(patient, "gil")];
    await createRoom(fay, "three", [gil]);
    await present(fay, "three");
    await present(gil, "three");
    await sees(fay, "three", "fay", "gil");
    const before = presenceFrames(fay, "three").length;
    gil.terminate();
    // Time in which it would be told that nobody is there.
    await pause(graceMs / 4);
    await present(await engine.peer(patient, "gil", { device: "reloaded" }), "three");
    await pause(graceMs + 700);
    expect(presenceFrames(fay, "three").slice(before)).toEqual([]);
  });

  it("[PS3] ends with unsubscribing, and with leaving the room at that place of the log", async () => {
    const [hal, ida, jon] = [
      await engine.peer(edge, "hal"),
      await engine.peer(other, "ida"),
      await engine.peer(edge, "jon"),
    ];
    await createRoom(hal, "four", [ida, jon]);
    for (const peer of [hal, ida, jon]) await present(peer, "four");
    await sees(hal, "four", "hal", "ida", "jon");
    jon.send({ type: "unsubscribe", rooms: ["four" as RoomId] });
    await sees(hal, "four", "hal", "ida");
    await applied(ida.insist({ type: "leave", room: "four" }));
    await sees(hal, "four", "hal");
    const key = engine.keys.presence(engine.keys.partitionOf("four" as RoomId), "four" as RoomId);
    expect(await engine.admin.hkeys(key)).not.toContain("ida");
    // And back again: what the edge remembers of before is in nobody's way.
    await applied(ida.insist({ type: "join", room: "four" }));
    await present(ida, "four");
    await sees(hal, "four", "hal", "ida");
  });

  it("[PS4] is for followed rooms: every other one is refused alike, whether it exists or not", async () => {
    const [kim, lea] = [await engine.peer(edge, "kim"), await engine.peer(edge, "lea")];
    await createRoom(kim, "five");
    const answers = [];
    for (const room of ["five", "nowhere"]) {
      const since = lea.frames.length;
      attend(lea, room);
      answers.push(await lea.next("error", () => true, since));
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.code).toBe("forbidden");
    expect(await engine.admin.keys("*presence:five")).toEqual([]);
  });

  it("[PS5] goes on when the room is resumed anew, and is told whole again then", async () => {
    const [max, nia] = [await engine.peer(edge, "max"), await engine.peer(edge, "nia")];
    await createRoom(max, "six", [nia]);
    await present(max, "six");
    await present(nia, "six");
    await sees(nia, "six", "max", "nia");
    const since = max.frames.length;
    await max.follow("six");
    await max.next("presence", ({ whole }) => whole, since);
    await pause(QUICK.graceMs + 700);
    expect(stateOf(nia, "six").online).toEqual(["max", "nia"]);
  });

  it("[PS6] is read again when bells were missed", async () => {
    const oli = await engine.peer(edge, "oli");
    await createRoom(oli, "seven");
    await present(oli, "seven");
    await sees(oli, "seven", "oli");
    const partition = engine.keys.partitionOf("seven" as RoomId);
    const key = engine.keys.presence(partition, "seven" as RoomId);
    // A change that no bell tells of, then a bell that shows that one before it was missed.
    await engine.admin.hset(key, "pia", "- 1234");
    const later = (n: number): Position => `${Date.now() + 10_000}-${n}` as Position;
    const lists = { outcomes: [], entries: [], rooms: [] };
    const header = packBellHeader({ from: later(1), to: later(2), ...lists });
    await engine.admin.xadd(engine.keys.bell(partition), "*", "h", header as Buffer);
    await oli.until("pia", () => stateOf(oli, "seven").lastSeen.get("pia") ?? null);
    expect(stateOf(oli, "seven").lastSeen.get("pia")).toBe(1234);
  });

  it("[PS1] in a storm of comings everybody sees everybody, and was told the whole state once", async () => {
    const rooms = ["storm-0", "storm-1", "storm-2", "storm-3"];
    const host = await engine.peer(edge, "host");
    for (const room of rooms) await createRoom(host, room);
    const names = Array.from({ length: 25 }, (_, i) => `guest-${i}`);
    const guests = await Promise.all(
      rooms.flatMap((room) =>
        names.map(async (name, i) => {
          const user = `${name}-${room}`;
          const peer = await engine.peer(i % 2 === 0 ? edge : other, user);
          await applied(peer.insist({ type: "join", room }));
          return { room, user, peer };
        }),
      ),
    );
    await Promise.all(guests.map(({ peer, room }) => present(peer, room)));
    for (const { peer, room } of guests) {
      await sees(peer, room, ...names.map((name) => `${name}-${room}`));
      expect(presenceFrames(peer, room).filter(({ whole }) => whole)).toHaveLength(1);
    }
    for (const { peer } of guests) peer.terminate();
    await present(host, "storm-0");
    await sees(host, "storm-0", "host");
    expect(stateOf(host, "storm-0").lastSeen.size).toBe(names.length);
  });

  it("[PS7] a large room tells a count and a sample, whose changes are told as well", async () => {
    const una = await engine.peer(edge, "una");
    await createRoom(una, "large");
    const room = "large" as RoomId;
    const partition = engine.keys.partitionOf(room);
    // Members as if they had joined; who is there as an edge would say.
    await engine.stopProjector();
    const names = Array.from({ length: LIMITS.largeRoom + 20 }, (_, i) => `user-${i}`);
    const members = engine.keys.members(partition, room);
    await engine.admin.hset(members, ...names.flatMap((name) => [name, "member:1"]));
    await engine.startProjector();
    await engine.admin.zadd(engine.keys.edges(partition), "9999999999999", "crowd");
    const say = async (entered: string[], left: string[]): Promise<void> => {
      const facts = [
        { type: "edgeUp", edge: "crowd" },
        { type: "attendance", edge: "crowd", room, entered, left },
      ] as Fact[];
      const events = engine.keys.events(partition);
      await engine.admin.xadd(events, "*", "b", packCommands("e", [], facts) as Buffer);
    };
    for (let at = 0; at < names.length; at += 200) await say(names.slice(at, at + 200), []);
    await present(una, "large");
    await una.until("the count", () => stateOf(una, "large").count === names.length + 1 || null);
    const { online } = stateOf(una, "large");
    expect(online.length).toBe(LIMITS.presenceSample);
    const gone = online.filter((user) => user !== "una").slice(0, 5);
    await say([], gone);
    await una.until("fewer", () => stateOf(una, "large").count === names.length - 4 || null);
    const after = stateOf(una, "large").online;
    expect(after.length).toBe(LIMITS.presenceSample);
    expect(after.filter((user) => gone.includes(user))).toEqual([]);
  });
});
