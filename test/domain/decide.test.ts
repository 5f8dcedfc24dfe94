/**
 * The whole table of who may do what. Written out by hand: this is the
 * specification, and the code under test is not consulted for it.
 */
import { describe, expect, it } from "vitest";

import type { Subject } from "../../src/domain/decide-message.ts";
import { decide } from "../../src/domain/decide.ts";
import { refusal, type Verb } from "../../src/domain/gate.ts";
import { sentMessage } from "../../src/domain/message.ts";
import { emptyRoom, evolve, type Role, type Room } from "../../src/domain/room.ts";
import { formatCursor } from "../../src/protocol/cursor.ts";
import type { ChatEvent, RoomKind } from "../../src/protocol/frames.ts";
import type {
  CommandNumber,
  DeviceId,
  Epoch,
  RoomId,
  Seq,
  UserId,
} from "../../src/protocol/ids.ts";
import type { Position } from "../../src/redis/position.ts";
import type { Command } from "../../src/streams/command-log.ts";

const ROOM = "lounge" as RoomId;
const K = 7 as CommandNumber;
const [ANN, BEN, NEW] = ["ann", "ben", "new"] as UserId[] as [UserId, UserId, UserId];

type Relation = Role | "stranger";
const KINDS = ["public", "private", "direct", "absent"] as const;
type KindOrAbsent = (typeof KINDS)[number];

const VERBS = [
  ...(["read", "send", "join", "leave", "invite", "rename", "setReceipts"] as const),
  ...(["react", "unreact", "markUnread", "attend"] as const),
  ...(["pin", "unpin", "callAll"] as const),
  ...(["edit", "delete", "versions"] as const),
] as const satisfies readonly Verb[];
/** `.` allowed, `f` forbidden, `n` notAllowed; in the order of VERBS, of somebody else's message. */
const TABLE: Readonly<Record<KindOrAbsent, Readonly<Partial<Record<Relation, string>>>>> = {
  public: {
    owner: "....... .... ... ...",
    member: ".....nn .... nnn nnn",
    invited: "ff.ffff ffff fff fff",
    stranger: "ff.ffff ffff fff fff",
  },
  private: {
    owner: "....... .... ... ...",
    member: ".....nn .... nnn nnn",
    invited: "ff.ffff ffff fff fff",
    stranger: "fffffff ffff fff fff",
  },
  // A direct room has no owner and invites nobody.
  direct: { member: "...nnnn .... ... nnn", stranger: "fffffff ffff fff fff" },
  absent: { stranger: "fffffff ffff fff fff" },
};
const CODES = { ".": null, f: "forbidden", n: "notAllowed" } as const;

const cells = KINDS.flatMap((kind) =>
  Object.entries(TABLE[kind]).flatMap(([relation, row]) =>
    VERBS.map((verb, i) => ({
      kind,
      relation: relation as Relation,
      verb,
      code: CODES[row.replaceAll(" ", "")[i] as keyof typeof CODES],
    })),
  ),
);
/** Verbs that are allowed to more people when the message is their own. */
const OF_AUTHORS = ["edit", "delete", "versions"] as const;

/** Ann stands in the given relation to the room; Ben is in it where anybody is. */
function roomWith(kind: KindOrAbsent, relation: Relation): Room {
  const room = emptyRoom(ROOM, 1 as Epoch);
  if (kind === "absent") return room;
  room.kind = kind;
  room.name = "Lounge";
  room.head = 5 as Seq;
  room.headId = "9-9" as Position;
  room.members.set(BEN, { role: kind === "direct" ? "member" : "owner", since: 1 as Seq });
  if (relation !== "stranger") room.members.set(ANN, { role: relation, since: 4 as Seq });
  return room;
}

/** Ben's, and pinned; Ann has reacted to it. */
const MESSAGE = sentMessage(
  { seq: 3 as Seq, id: "7-0" as Position, by: BEN, device: "d" as DeviceId, k: K },
  { type: "message.sent", text: "ho" },
);
const CURSOR = formatCursor(1 as Epoch, 3 as Seq, 7, 0);
const SUBJECT: Subject = {
  message: MESSAGE,
  reactions: [{ reaction: "\u{1f44d}", seq: 4 as Seq }],
};
const head = { k: K, room: ROOM };
const of = { ...head, message: CURSOR };

type Commanded = Exclude<Verb, "read" | "attend" | "versions" | "callAll">;
const COMMAND: Readonly<Record<Commanded, Command>> = {
  send: { type: "send", ...head, text: "hi" },
  join: { type: "join", ...head },
  leave: { type: "leave", ...head },
  invite: { type: "invite", ...head, user: NEW },
  rename: { type: "rename", ...head, name: "Salon" },
  setReceipts: { type: "setReceipts", ...head, on: false },
  react: { type: "react", ...of, reaction: "+1" },
  unreact: { type: "unreact", ...of, reaction: "\u{1f44d}" },
  markUnread: { type: "markUnread", ...of },
  pin: { type: "pin", ...of },
  unpin: { type: "unpin", ...of },
  edit: { type: "edit", ...of, text: "hey" },
  delete: { type: "delete", ...of },
};
const isCommanded = (verb: Verb): verb is Commanded => verb in COMMAND;

const target = 3 as Seq;
const EVENT: Readonly<Record<Exclude<Commanded, "markUnread">, ChatEvent>> = {
  send: { type: "message.sent", text: "hi" },
  join: { type: "member.joined", user: ANN },
  leave: { type: "member.left", user: ANN },
  invite: { type: "member.invited", user: NEW },
  rename: { type: "room.renamed", name: "Salon" },
  setReceipts: { type: "room.receiptsSet", on: false },
  react: { type: "reaction.added", target, reaction: "+1" },
  unreact: { type: "reaction.removed", target, reaction: "\u{1f44d}" },
  pin: { type: "message.pinned", target },
  unpin: { type: "message.unpinned", target },
  edit: { type: "message.edited", target, text: "hey" },
  delete: { type: "message.deleted", target },
};

describe("gate", () => {
  it.each(cells)("[AU1] $kind room, $relation, $verb: $code", ({ kind, relation, verb, code }) => {
    const standing = {
      kind: kind === "absent" ? null : (kind satisfies RoomKind),
      role: relation === "stranger" ? null : relation,
    };
    expect(refusal(standing, verb)).toBe(code);
  });

  it.each(cells.filter(({ verb }) => OF_AUTHORS.includes(verb as "edit")))(
    "[AU1] $kind room, $relation, $verb of an own message: members may, others may not",
    ({ kind, relation, verb }) => {
      const standing = {
        kind: kind === "absent" ? null : (kind satisfies RoomKind),
        role: relation === "stranger" ? null : relation,
        isAuthor: true,
      };
      const isIn = relation === "owner" || relation === "member";
      expect(refusal(standing, verb)).toBe(isIn ? null : "forbidden");
    },
  );

  it("[AU2] answers a stranger alike whether the room exists or not", () => {
    for (const verb of VERBS) {
      if (verb === "join") continue; // A public room may be joined, so it may be known.
      const answers = KINDS.map((kind) =>
        refusal({ kind: kind === "absent" ? null : kind, role: null }, verb),
      );
      expect(new Set(answers)).toEqual(new Set(["forbidden"]));
    }
    expect(refusal({ kind: "private", role: null }, "join")).toBe(
      refusal({ kind: null, role: null }, "join"),
    );
  });
});

describe("decide", () => {
  const decidable = cells.filter(({ verb }) => isCommanded(verb) && verb !== "markUnread");
  it.each(decidable)(
    "[AU1] $kind room, $relation, $verb: decided as the gate says",
    ({ kind, relation, verb, code }) => {
      const room = roomWith(kind, relation);
      if (verb === "unpin") room.pins = [{ seq: target, id: "7-0" as Position, pinnedIn: target }];
      const decision = decide(room, COMMAND[verb as Commanded], ANN, SUBJECT);
      const inAlready = verb === "join" && (relation === "owner" || relation === "member");
      if (code !== null) expect(decision).toEqual({ outcome: "rejected", code });
      else if (inAlready) expect(decision).toEqual({ outcome: "nothing", seq: 4 });
      else expect(decision).toEqual({ outcome: "event", event: EVENT[verb as "send"] });
    },
  );

  it.each(cells.filter(({ verb }) => verb === "callAll"))(
    "[AU1] $kind room, $relation: a message or an edit that calls everybody: $code",
    ({ kind, relation, code }) => {
      const own = { ...MESSAGE, origin: { ...MESSAGE.origin, by: ANN } };
      for (const verb of ["send", "edit"] as const) {
        const command = { ...COMMAND[verb], everyone: true } as Command;
        const decision = decide(roomWith(kind, relation), command, ANN, {
          ...SUBJECT,
          message: own,
        });
        const event = { ...EVENT[verb], everyone: true };
        const expected =
          code === null ? { outcome: "event", event } : { outcome: "rejected", code };
        expect(decision).toEqual(expected);
      }
    },
  );

  it.each(cells.filter(({ verb }) => verb === "edit" || verb === "react"))(
    "[AU2] $kind room, $relation, $verb: of a message that is not there nothing is told to outsiders",
    ({ kind, relation, verb }) => {
      const decision = decide(roomWith(kind, relation), COMMAND[verb as Commanded], ANN);
      const isIn = relation === "owner" || relation === "member";
      const code = isIn ? "noSuchMessage" : "forbidden";
      expect(decision).toEqual({ outcome: "rejected", code });
    },
  );

  const create: Command & { type: "create" } = {
    type: "create",
    k: K,
    room: ROOM,
    kind: "private",
    name: "Lounge",
    members: [ANN],
  };
  it("[AU3] creates a room that does not exist", () => {
    const event = { type: "room.created", kind: "private", name: "Lounge", members: [ANN] };
    expect(decide(roomWith("absent", "stranger"), create, ANN)).toEqual({
      outcome: "event",
      event,
    });
  });

  it.each([
    ["public", "owner", "roomExists"],
    ["public", "member", "roomExists"],
    ["public", "invited", "forbidden"],
    ["public", "stranger", "forbidden"],
    ["private", "owner", "roomExists"],
    ["private", "stranger", "forbidden"],
    ["direct", "stranger", "forbidden"],
  ] as const)("[AU3] a %s room asked for again by its %s: %s", (kind, relation, code) => {
    expect(decide(roomWith(kind, relation), create, ANN)).toEqual({ outcome: "rejected", code });
  });

  it("[AU4] a direct room asked for again is found", () => {
    const again: Command = { ...create, kind: "direct", members: [ANN, BEN] };
    expect(decide(roomWith("direct", "member"), again, ANN)).toEqual({
      outcome: "nothing",
      seq: 4,
    });
  });

  it.each(["owner", "member", "invited"] as const)(
    "[AU5] an invitation of somebody who is %s already does nothing",
    (role) => {
      const room = roomWith("public", "owner");
      room.members.set(NEW, { role, since: 3 as Seq });
      expect(decide(room, COMMAND.invite, ANN)).toEqual({ outcome: "nothing", seq: 3 });
    },
  );

  it("[AU5] a rename to the name that it has does nothing", () => {
    const room = roomWith("public", "owner");
    const command: Command = { type: "rename", k: K, room: ROOM, name: "Lounge" };
    expect(decide(room, command, ANN)).toEqual({ outcome: "nothing", seq: 5 });
  });

  it("[AU5] receipts that are switched to what they are stay as they are", () => {
    const room = roomWith("public", "owner");
    for (const on of [true, false]) {
      room.receiptsOn = on;
      const command: Command = { type: "setReceipts", ...head, on };
      expect(decide(room, command, ANN)).toEqual({ outcome: "nothing", seq: 5 });
    }
  });
});

describe("evolve", () => {
  const id = "10-0" as Position;

  it("[HI2] counts seq up by one and keeps the newest id, whatever happened", () => {
    const events: ChatEvent[] = Object.values(EVENT);
    const room = roomWith("public", "member");
    events.forEach((event, i) => evolve(room, event, `10-${i}` as Position));
    expect(room.head).toBe(5 + events.length);
    expect(room.headId).toBe(`10-${events.length - 1}`);
  });

  it.each([
    ["public", "owner"],
    ["private", "owner"],
    ["direct", "member"],
  ] as const)("[AU3] makes those who create a %s room its %s", (kind, role) => {
    const room = emptyRoom(ROOM, 1 as Epoch);
    evolve(room, { type: "room.created", kind, name: "N", members: [ANN, BEN] }, id);
    expect([room.kind, room.name, room.head]).toEqual([kind, "N", 1]);
    for (const user of [ANN, BEN]) expect(room.members.get(user)).toEqual({ role, since: 1 });
  });

  it("[AU6] takes in, lets go and notes since when", () => {
    const room = roomWith("private", "stranger");
    evolve(room, { type: "member.invited", user: ANN }, id);
    expect(room.members.get(ANN)).toEqual({ role: "invited", since: 6 });
    evolve(room, { type: "member.joined", user: ANN }, id);
    expect(room.members.get(ANN)).toEqual({ role: "member", since: 7 });
    evolve(room, { type: "member.left", user: ANN }, id);
    expect(room.members.has(ANN)).toBe(false);
    evolve(room, { type: "room.renamed", name: "New" }, id);
    expect(room.name).toBe("New");
  });
});
