/** How much a user's list of rooms holds, and what finds no place in it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ListKeeper } from "../../src/projectors/lists/list-keeper.ts";
import type { RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { connectForCommands, pipeline, type Redis } from "../../src/redis/connect.ts";
import { BlockingReader } from "../../src/redis/streams-reader.ts";
import { Subscriber } from "../../src/redis/subscriber.ts";
import { Keys, LISTS_GROUP } from "../../src/streams/keys.ts";
import { unpackListNews } from "../../src/streams/list-news.ts";
import { outboxFields, type MembershipChange } from "../../src/streams/outbox.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { TestRedis } from "../support/redis-server.ts";
import { Chance } from "./chance.ts";
import { SILENT } from "./scene.ts";

const keys = new Keys(1);
const ANN = "ann" as UserId;
const { roomsListed, invitationsListed } = LIMITS;

let server: TestRedis;
let redis: Redis;
let reader: BlockingReader;
let keeper: ListKeeper;
beforeAll(async () => {
  server = await TestRedis.start();
  redis = await connectForCommands({ url: server.url, name: "lists test", log: SILENT });
});
beforeEach(async () => {
  const outbox = keys.outbox(keys.partitionOf("any" as RoomId));
  await redis.xgroup("CREATE", outbox, LISTS_GROUP, "0", "MKSTREAM");
  reader = await BlockingReader.connect({ url: server.url, name: "keeper", log: SILENT });
  keeper = new ListKeeper({
    redis,
    reader,
    keys,
    consumer: "keeper",
    log: SILENT,
    claimAfterMs: 0,
  });
});
afterEach(async () => {
  reader.close();
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

type Role = MembershipChange["role"];

/** Writes changes of Ann's memberships to the outbox. */
async function write(changes: readonly (readonly [room: string, seq: number, role: Role])[]) {
  const outbox = keys.outbox(keys.partitionOf("any" as RoomId));
  await pipeline(
    redis,
    changes.map(([room, seq, role]) => {
      const change = { user: ANN, room: room as RoomId, seq: seq as Seq, role };
      return ["XADD", outbox, "*", ...outboxFields(change)];
    }),
  );
}
/** The same, and has them taken. */
async function happen(...changes: (readonly [room: string, seq: number, role: Role])[]) {
  await write(changes);
  for (let at = 0; at < changes.length; at += 200) await keeper.take(1);
}
/** What may follow a role, and how the rooms of a random run begin. */
const NEXT: Record<string, readonly ("member" | "invited" | null)[]> = {
  none: ["invited", "invited", "member"],
  invited: ["member", null],
  member: [null],
};
const FIRST: Record<string, "member" | "invited"> = { of: "member", in: "invited" };

/** `count` rooms that Ann is in, or is invited to. */
function rooms(name: string, count: number, role: Role) {
  return Array.from({ length: count }, (_, i) => [`${name}${i}`, 1, role] as const);
}
async function listed(): Promise<Record<string, string>> {
  return redis.hgetall(keys.list(ANN));
}
async function counts(): Promise<{ joined: number; invited: number }> {
  const roles = Object.values(await listed()).map((value) => value.split(":")[1]);
  const invited = roles.filter((role) => role === "invited").length;
  return { joined: roles.length - invited, invited };
}

describe("a user's list of rooms", () => {
  it("[LI5] shows a bounded number of invitations, which keep out no room that is joined or accepted", async () => {
    await happen(...rooms("in", invitationsListed, "invited"), ["one-more", 1, "invited"]);
    expect(await counts()).toEqual({ joined: 0, invited: invitationsListed });
    expect(await listed()).not.toHaveProperty("one-more");
    await happen(["joined", 1, "member"], ["mine", 1, "owner"], ["one-more", 2, "member"]);
    expect(await listed()).toMatchObject({
      joined: "1:member",
      mine: "1:owner",
      "one-more": "2:member",
    });
    await happen(["in7", 2, "member"], ["later", 1, "invited"], ["too-late", 1, "invited"]);
    expect(await listed()).toMatchObject({ in7: "2:member", later: "1:invited" });
    expect(await listed()).not.toHaveProperty("too-late");
    expect(keeper.tally).toMatchObject({ unlisted: 2 });
  });

  it("[LI5] shows a bounded number of rooms; a listed invitation keeps its place when it is accepted", async () => {
    await happen(...rooms("of", roomsListed, "member"), ["past", 1, "member"]);
    expect(await counts()).toEqual({ joined: roomsListed, invited: 0 });
    expect(await listed()).not.toHaveProperty("past");
    await happen(...rooms("in", invitationsListed, "invited"));
    expect(await counts()).toEqual({ joined: roomsListed, invited: invitationsListed });
    await happen(["in3", 2, "member"], ["new", 1, "invited"]);
    expect(await counts()).toEqual({ joined: roomsListed + 1, invited: invitationsListed - 1 });
    expect(await listed()).toMatchObject({ in3: "2:member" });
    expect(await listed()).not.toHaveProperty("new");
    await happen(["of5", 3, null], ["past", 3, "member"], ["new", 2, "invited"]);
    expect(await listed()).toMatchObject({ new: "2:invited" });
    expect(await listed()).not.toHaveProperty("past");
    await happen(["of6", 3, null], ["past", 5, "member"], ["of6", 5, "member"]);
    expect(await listed()).toMatchObject({ past: "5:member" });
    expect(await listed()).not.toHaveProperty("of6");
  });

  it("[LI5] nobody is told of what is not listed", async () => {
    const told: string[] = [];
    const link = { url: server.url, name: "news", log: SILENT };
    const news = await Subscriber.connect(link, keys.listNews());
    news.onMessage = (_, message) => told.push(...unpackListNews(message).map(({ room }) => room));
    await happen(...rooms("in", invitationsListed, "invited"));
    await happen(["unheard", 1, "invited"], ["heard", 1, "member"]);
    await expect.poll(() => told, { timeout: PATIENCE_MS }).toContain("heard");
    expect(told).toHaveLength(invitationsListed + 1);
    news.close();
  });

  it("[LI1] [LI5] what found no place and is handed out again does not come after what was later", async () => {
    await happen(...rooms("in", invitationsListed, "invited"));
    const outbox = keys.outbox(keys.partitionOf("any" as RoomId));
    await write([["twice", 1, "invited"]]);
    await redis.xreadgroup("GROUP", LISTS_GROUP, "dead", "COUNT", 9, "STREAMS", outbox, ">");
    // Declined, and there is a place again: the invitation of before comes too late.
    await happen(["twice", 2, null], ["in1", 2, null]);
    await keeper.claim();
    expect(await listed()).not.toHaveProperty("twice");
    expect(await counts()).toEqual({ joined: 0, invited: invitationsListed - 1 });
    await happen(["twice", 3, "invited"]);
    expect(await listed()).toMatchObject({ twice: "3:invited" });
  });

  it("[LI5] keeps its bounds whatever comes, in whatever order and how often", async () => {
    for (const seed of [1, 2, 3]) {
      const chance = new Chance(seed);
      await redis.del(keys.list(ANN), keys.listLeft(ANN));
      await happen(...rooms("of", roomsListed - 1, "member"));
      await happen(...rooms("in", invitationsListed - 1, "invited"));
      const newest = new Map<string, "member" | "invited" | null>();
      const made: (readonly [string, number, Role])[] = [];
      const seen = { unlisted: keeper.tally.unlisted, full: 0 };
      for (let seq = 2; seq < 400; seq++) {
        const room = `${chance.pick(["of", "in", "x"])}${chance.between(0, 12)}`;
        const before = newest.has(room) ? newest.get(room) : FIRST[room.replace(/\d+/, "")];
        const role = chance.pick(NEXT[before ?? "none"] ?? []);
        made.push([room, seq, role]);
        newest.set(room, role);
        const copies = chance.often(0.3) ? [chance.pick(made)] : [];
        await happen([room, seq, role], ...copies);
        const { joined, invited } = await counts();
        expect(joined + invited, `seed ${seed}`).toBeLessThanOrEqual(
          roomsListed + invitationsListed,
        );
        expect(invited, `seed ${seed}`).toBeLessThanOrEqual(invitationsListed);
        if (joined >= roomsListed || invited === invitationsListed) seen.full++;
        const list = await listed();
        if (role === null) expect(list, `seed ${seed}`).not.toHaveProperty(room);
        if (room in list) expect(newest.get(room)).not.toBe(null);
      }
      expect(keeper.tally.unlisted).toBeGreaterThan(seen.unlisted);
      expect(seen.full).toBeGreaterThan(10);
    }
  }, 60_000);
});
