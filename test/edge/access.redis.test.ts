/** Who may do what: every verb, every relation to a room, every path; and that a refusal says nothing. */
import { beforeAll, describe, expect, it, vi } from "vitest";

import type { RunningEdge } from "../../src/edge/edge.ts";
import { encodeServerFrame } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import { COMMANDS, type ClientFrame, type Entry } from "../../src/protocol/frames.ts";
import type { CommandNumber, RoomId } from "../../src/protocol/ids.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { RedisMonitor } from "../support/redis-monitor.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { applied, createRoom, type Draft, type Peer } from "./peer.ts";

const start = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
const people = new Map<string, Peer>();
const as = (name: string): Peer => people.get(name) as Peer;

const RELATIONS = ["stranger", "invited", "member", "owner", "gone"] as const;

beforeAll(async () => {
  engine = await start();
  edge = await engine.edge();
  for (const name of [...RELATIONS, "guest"]) people.set(name, await engine.peer(edge, name));
});

/** A room to which everybody stands as their name says. */
let rooms = 0;
async function roomOf(kind: "public" | "private"): Promise<string> {
  const room = `${kind}-${++rooms}`;
  await createRoom(as("owner"), room, [], kind);
  for (const user of ["invited", "member", "gone"]) {
    await applied(as("owner").run({ type: "invite", room, user }));
  }
  for (const user of ["member", "gone"]) await applied(as(user).run({ type: "join", room }));
  await applied(as("gone").run({ type: "leave", room }));
  await applied(as("owner").run({ type: "send", room, text: "the owner's" }));
  const answer = await engine.http(edge, "owner", `/v1/rooms/${room}/messages?limit=1`);
  const { entries } = (await answer.json()) as { entries: Entry[] };
  cursors.set(room, entries[0]?.cursor as Cursor);
  return room;
}

/** Of the owner's message in each room; those of other rooms name nothing. */
const cursors = new Map<string, Cursor>();
const of = (room: string) => ({
  room,
  message: cursors.get(room) ?? ([...cursors.values()][0] as Cursor),
});

const VERBS: Record<string, (room: string) => Draft> = {
  send: (room) => ({ type: "send", room, text: "text" }),
  join: (room) => ({ type: "join", room }),
  leave: (room) => ({ type: "leave", room }),
  invite: (room) => ({ type: "invite", room, user: "guest" }),
  rename: (room) => ({ type: "rename", room, name: "name" }),
  setReceipts: (room) => ({ type: "setReceipts", room, on: false }),
  create: (room) => ({ type: "create", room, kind: "public", name: "name" }),
  "send to everybody": (room) => ({ type: "send", room, text: "text", everyone: true }),
  reply: (room) => ({ type: "send", room, text: "text", replyTo: of(room).message }),
  edit: (room) => ({ type: "edit", ...of(room), text: "other" }),
  delete: (room) => ({ type: "delete", ...of(room) }),
  react: (room) => ({ type: "react", ...of(room), reaction: "+1" }),
  unreact: (room) => ({ type: "unreact", ...of(room), reaction: "+1" }),
  pin: (room) => ({ type: "pin", ...of(room) }),
  unpin: (room) => ({ type: "unpin", ...of(room) }),
  markUnread: (room) => ({ type: "markUnread", ...of(room) }),
};
const ANY_MEMBER = ["forbidden", "forbidden", "applied", "applied", "forbidden"];
const OWNER_ONLY = ["forbidden", "forbidden", "notAllowed", "applied", "forbidden"];
/** Those are alike in all rooms that have an owner. */
const ALIKE = {
  "send to everybody": OWNER_ONLY,
  reply: ANY_MEMBER,
  edit: OWNER_ONLY,
  delete: OWNER_ONLY,
  react: ANY_MEMBER,
  unreact: ANY_MEMBER,
  pin: OWNER_ONLY,
  unpin: OWNER_ONLY,
  markUnread: ANY_MEMBER,
  setReceipts: OWNER_ONLY,
};
/** What becomes of each verb, in the order of RELATIONS. */
const EXPECTED: Record<"public" | "private", Record<string, readonly string[]>> = {
  public: {
    send: ["forbidden", "forbidden", "applied", "applied", "forbidden"],
    join: ["applied", "applied", "applied", "applied", "applied"],
    leave: ["forbidden", "forbidden", "applied", "applied", "forbidden"],
    invite: ["forbidden", "forbidden", "applied", "applied", "forbidden"],
    rename: ["forbidden", "forbidden", "notAllowed", "applied", "forbidden"],
    create: ["forbidden", "forbidden", "roomExists", "roomExists", "forbidden"],
    ...ALIKE,
  },
  private: {
    send: ["forbidden", "forbidden", "applied", "applied", "forbidden"],
    join: ["forbidden", "applied", "applied", "applied", "forbidden"],
    leave: ["forbidden", "forbidden", "applied", "applied", "forbidden"],
    invite: ["forbidden", "forbidden", "applied", "applied", "forbidden"],
    rename: ["forbidden", "forbidden", "notAllowed", "applied", "forbidden"],
    create: ["forbidden", "forbidden", "roomExists", "roomExists", "forbidden"],
    ...ALIKE,
  },
};

it("[AU26] the table has every command", () => {
  const types = new Set(Object.values(VERBS).map((draft) => draft("any").type));
  expect([...types, "direct"].sort()).toEqual(Object.keys(COMMANDS).sort());
});

describe.each(["public", "private"] as const)("in a %s room", (kind) => {
  it.each(Object.keys(VERBS))("[AU26] %s is allowed to the right ones only", async (verb) => {
    const draft = VERBS[verb] as (room: string) => Draft;
    const found: string[] = [];
    for (const relation of RELATIONS) {
      const outcome = await as(relation).run(draft(await roomOf(kind)));
      found.push(outcome.type === "applied" ? "applied" : outcome.code);
    }
    expect(found).toEqual(EXPECTED[kind][verb]);
  });

  it("[AU21] members alone read, by resume and by HTTP", async () => {
    const room = await roomOf(kind);
    const found: Record<string, unknown[]> = {};
    for (const relation of RELATIONS) {
      const { status } = await as(relation).resume(room, null, 1);
      const page = await engine.http(edge, relation, `/v1/rooms/${room}/messages`);
      const details = await engine.http(edge, relation, `/v1/rooms/${room}`);
      found[relation] = [status, page.status, details.status];
    }
    const refused = ["refused", 403, 403];
    const shown = ["snapshot", 200, 200];
    expect(found).toEqual({
      stranger: refused,
      invited: refused,
      member: shown,
      owner: shown,
      gone: refused,
    });
  });

  it("[AU21] the list shows to each what concerns them", async () => {
    const room = await roomOf(kind);
    // By now the others have been invited to more rooms than a list shows.
    const guest = `guest-of-${room}`;
    await applied(as("owner").run({ type: "invite", room, user: guest }));
    const nothing = { stranger: null, gone: null };
    const expected = { ...nothing, invited: "invited", member: "member", owner: "owner" };
    await vi.waitFor(async () => {
      const found: Record<string, string | null> = {};
      for (const relation of RELATIONS) {
        const user = relation === "invited" ? guest : relation;
        const answer = await engine.http(edge, user, "/v1/rooms");
        const { rooms } = (await answer.json()) as { rooms: { room: string; role: string }[] };
        found[relation] = rooms.find((each) => each.room === room)?.role ?? null;
      }
      expect(found).toEqual(expected);
    }, PATIENCE_MS);
  });

  it("[AU27] nobody learns from a refusal whether there is such a room", async () => {
    const room = await roomOf(kind);
    // Of the same length, so that nothing but the room's existence differs.
    const unknown = `${room.slice(0, -1)}x` as RoomId;
    for (const relation of ["stranger", "invited", "gone"] as const) {
      const peer = as(relation);
      for (const verb of Object.keys(VERBS)) {
        // These make a room, or show one that is public.
        if (verb === "create" || verb === "join") continue;
        const answers: string[] = [];
        for (const name of [room, unknown]) {
          const draft = VERBS[verb] as (room: string) => Draft;
          const { k: _, ...rest } = await peer.run(draft(name));
          answers.push(hex({ ...rest, k: 1 as CommandNumber } as Parameters<typeof hex>[0]));
        }
        expect(answers[0]).toBe(answers[1]);
      }
      const pages = await Promise.all([room, unknown].map((name) => peer.resume(name, "1.1.1-1")));
      expect(hex({ ...(pages[0] as (typeof pages)[0]), room: unknown })).toBe(
        hex(pages[1] as (typeof pages)[0]),
      );
      for (const path of ["", "/messages", "/messages?before=3&limit=1"]) {
        const [known, none] = await Promise.all(
          [room, unknown].map((name) => httpBytes(relation, `/v1/rooms/${name}${path}`)),
        );
        expect(known).toBe(none);
      }
    }
  });
});

it("[AU27] nobody but members attends, types or reads, and a refusal does not tell why", async () => {
  const room = await roomOf("private");
  const frames = (name: string): ClientFrame[] => [
    { type: "attend", rooms: [name as RoomId] },
    { type: "typing", room: name as RoomId, on: true },
    { type: "read", room: name as RoomId, through: of(room).message },
  ];
  for (const relation of ["stranger", "invited", "gone"] as const) {
    const peer = as(relation);
    // Asked for and refused, which must not count as followed.
    for (const name of [room, "no-room"]) expect((await peer.resume(name)).status).toBe("refused");
    const answers: string[][] = [];
    for (const name of [room, "no-room"]) {
      const told: string[] = [];
      for (const frame of frames(name)) {
        const since = peer.frames.length;
        peer.send(frame);
        const error = await peer.next("error", () => true, since);
        expect([frame.type, error.code]).toEqual([frame.type, "forbidden"]);
        told.push(hex(error));
      }
      answers.push(told);
    }
    expect(answers[0]).toEqual(answers[1]);
  }
  const marks = await engine.admin.hgetall(
    engine.keys.room(engine.keys.partitionOf(room as RoomId), room as RoomId),
  );
  expect(
    Object.keys(marks)
      .filter((field) => field.startsWith("r:"))
      .sort(),
  ).toEqual(["r:member", "r:owner"]);
});

it("[AU27] a refusal takes Redis the same commands whether there is such a room", async () => {
  const room = await roomOf("private");
  const place = engine.keys.partitionOf(room as RoomId);
  const names = Array.from({ length: 999 }, (_, i) => `unknown-${i + 1}` as RoomId);
  const unknown = names.find((name) => engine.keys.partitionOf(name) === place) as RoomId;
  // What the keeper of lists does for those of the room is not asked for by anybody.
  const outbox = engine.keys.outbox(place);
  await vi.waitFor(async () => expect(await engine.admin.xlen(outbox)).toBe(0), PATIENCE_MS);
  let seen: string[] = [];
  // Those of scripts too.
  const { socket } = engine.redis;
  const monitor = await RedisMonitor.start(socket, (args) => seen.push(args.join(" ")));
  const about = ["", "/messages", "/pins", "/messages/1/thread"];
  const more = ["/messages/1/versions", "/messages/1/reactions"];
  for (const relation of ["stranger", "invited", "gone"] as const) {
    const questions = [
      (name: string) => as(relation).resume(name),
      ...[...about, ...more].map((path) => async (name: string) => {
        expect((await engine.http(edge, relation, `/v1/rooms/${name}${path}`)).status).toBe(403);
      }),
    ];
    for (const ask of questions) {
      const work: string[][] = [];
      for (const name of [room, unknown]) {
        seen = [];
        await ask(name);
        const end = `end of ${relation} ${name}`;
        await engine.admin.echo(end);
        await vi.waitFor(() => expect(seen.join()).toContain(end), PATIENCE_MS);
        const own = seen.filter((each) => each.includes(name) && !each.includes(end));
        work.push(own.map((each) => each.replaceAll(name, "ROOM")));
      }
      expect(work[0]).toEqual(work[1]);
      expect(work[0]).toHaveLength(2);
    }
  }
  monitor.stop();
});

function hex(frame: Parameters<typeof encodeServerFrame>[0]): string {
  return Buffer.from(encodeServerFrame(frame) as Uint8Array).toString("hex");
}
async function httpBytes(user: string, path: string): Promise<string> {
  const response = await engine.http(edge, user, path);
  const headers = [...response.headers].filter(([name]) => name !== "date");
  return JSON.stringify([response.status, headers, await response.text()]);
}

describe("who leaves", () => {
  it("[AU28] hears nothing of the room from the entry on that says so, on any connection", async () => {
    const room = await roomOf("public");
    const phone = await engine.peer(edge, "member", { device: "phone" });
    const other = await engine.edge();
    const laptop = await engine.peer(other, "member", { device: "laptop" });
    const devices = [as("member"), phone, laptop];
    for (const device of devices) await device.follow(room);
    await as("owner").follow(room);
    // Sent at once, so that some of it is on the way when the leave is decided.
    const left = as("member").command({ type: "leave", room });
    for (let i = 0; i < 50; i++) as("owner").command({ type: "send", room, text: `after ${i}` });
    await as("member").outcome(left);
    for (const device of devices) {
      const ended = await device.next("unsubscribed", (frame) => frame.room === room);
      expect(ended.code).toBe("forbidden");
    }
    await as("owner").outcome(as("owner").command({ type: "send", room, text: "last" }));
    for (const device of devices) {
      const entries = device.rooms.get(room) ?? [];
      expect(entries.at(-1)?.event).toEqual({ type: "member.left", user: "member" });
      expect((await device.resume(room, entries.at(-1)?.cursor)).status).toBe("refused");
    }
    expect(as("owner").texts(room).at(-1)).toBe("last");
    expect(as("owner").violations).toEqual([]);
  });

  it("[AU28] while resuming gets an answer, and nothing that came after", async () => {
    const room = await roomOf("public");
    await as("owner").follow(room);
    const peer = await engine.peer(edge, "walker");
    for (let round = 0; round < 40; round++) {
      await applied(peer.run({ type: "join", room }));
      const since = peer.frames.length;
      const left = peer.command({ type: "leave", room });
      const rest = (round % 8) * 0.3;
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
      const page = peer.resume(room, null, 5);
      as("owner").command({ type: "send", room, text: "after" });
      const { status, entries } = await page;
      await peer.outcome(left);
      const told = [
        ...entries,
        ...peer.frames
          .slice(since)
          .flatMap((frame) =>
            frame.type === "entries" && frame.room === room ? frame.entries : [],
          ),
      ];
      const end = told.findIndex(({ k, device }) => k === left && device === peer.device);
      expect(end < 0 ? [] : told.slice(end + 1)).toEqual([]);
      if (status === "refused") continue;
      await peer.next("unsubscribed", (frame) => frame.room === room, since);
    }
  });
});

describe("a direct room", () => {
  it("[AU29] is one for a pair, whoever asks and whatever the names contain", async () => {
    const pairs = [
      ["a:b", "c"],
      ["a", "b:c"],
      ['a","b', "c"],
      ["a", 'b","c'],
      ["10", "9"],
      ["1", "09"],
      ["é", "e\u0301"],
      ["漢字", "🙂"],
      ["__proto__", "constructor"],
      ["solo", "solo"],
    ] as const;
    const found = new Set<string>();
    for (const [a, b] of pairs) {
      const rooms = await Promise.all(
        [
          [a, b],
          [b, a],
        ].map(async ([from, to], i) => {
          const peer = await engine.peer(edge, from as string, { device: `d${i}` });
          const outcome = await applied(peer.run({ type: "direct", user: to as string }));
          const again = await applied(peer.run({ type: "direct", user: to as string }));
          expect(again.room).toBe(outcome.room);
          expect((await peer.resume(outcome.room)).status).toBe("snapshot");
          return outcome.room;
        }),
      );
      expect(rooms[0]).toBe(rooms[1]);
      found.add(rooms[0] as string);
    }
    expect(found.size).toBe(pairs.length);
  });

  it("[AU29] lets nobody else in, and nobody out", async () => {
    const { room } = await applied(as("owner").run({ type: "direct", user: "member" }));
    for (const verb of Object.keys(VERBS)) {
      if (verb === "create") continue;
      const outcome = await as("stranger").run((VERBS[verb] as (r: string) => Draft)(room));
      expect([verb, outcome]).toMatchObject([verb, { code: "forbidden" }]);
    }
    expect((await as("stranger").resume(room)).status).toBe("refused");
    for (const draft of [
      { type: "invite", room, user: "guest" },
      { type: "leave", room },
      { type: "rename", room, name: "ours" },
      { type: "setReceipts", room, on: false },
    ] as const) {
      expect(await as("member").run(draft)).toMatchObject({ type: "rejected", code: "notAllowed" });
    }
  });

  it("[AU29] cannot be made by its name, nor an unnamed room by the name it will have", async () => {
    const { room } = await applied(as("owner").run({ type: "direct", user: "gone" }));
    const unnamed = await applied(
      as("owner").run({ type: "create", room: null, kind: "private", name: "unnamed" }),
    );
    for (const name of [room, "dm.x", "dm.", unnamed.room, `r${"0".repeat(32)}`]) {
      const draft = { type: "create", room: name, kind: "public", name: "mine" } as const;
      const outcome = await as("stranger").run(draft);
      expect([name, outcome]).toMatchObject([name, { type: "rejected", code: "invalid" }]);
    }
    expect(
      (await as("stranger").run({ type: "create", room: "dmx", kind: "public", name: "x" })).type,
    ).toBe("applied");
  });
});
