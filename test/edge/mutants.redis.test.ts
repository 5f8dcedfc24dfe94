/**
 * A test of the tests of the edge: each protective check is taken out of a copy,
 * and the property that it protects has to fail there.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type * as EdgeModule from "../../src/edge/edge.ts";
import type { RunningEdge } from "../../src/edge/edge.ts";
import { encodeEntry } from "../../src/protocol/codec.ts";
import { formatCursor } from "../../src/protocol/cursor.ts";
import type {
  CommandNumber,
  DeviceId,
  Epoch,
  RoomId,
  Seq,
  UserId,
} from "../../src/protocol/ids.ts";
import { pipeline } from "../../src/redis/connect.ts";
import { halves, type Position } from "../../src/redis/position.ts";
import { packBellHeader } from "../../src/streams/bell.ts";
import { conversationFields, type Payload } from "../../src/streams/conversation.ts";
import { Compiled } from "../projectors/compiled.ts";
import { engineOfFile, token, type Engine } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";

type StartEdge = typeof EdgeModule.startEdge;

const start = engineOfFile();
/** Long enough for the sweep, which comes once a second. */
const SWEPT_MS = 2_500;
let engine: Engine;
let compiled: Compiled;
/** An edge that nobody changes. */
let sound: RunningEdge;
let ann: Peer;
let rooms = 0;
let devices = 0;

beforeAll(async () => {
  engine = await start({ partitions: 1 });
  compiled = await Compiled.fromSources();
  sound = await engine.edge();
  ann = await engine.peer(sound, "ann");
});
afterAll(() => compiled.remove());

/** Whether the property holds of the edge. */
type Holds = (edge: RunningEdge) => Promise<boolean>;

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
/** On a device of its own, whose numbers begin at 1. */
function newcomer(edge: RunningEdge, user: string): Promise<Peer> {
  return engine.peer(edge, user, { device: `device-${++devices}` });
}
async function newRoom(members: readonly Peer[]): Promise<string> {
  const room = `mutant-${++rooms}`;
  await createRoom(ann, room, members);
  return room;
}
/** A peer that follows a room while its projector is away and the test writes in its place. */
async function whileForged(
  edge: RunningEdge,
  forge: (room: RoomId) => Promise<void>,
): Promise<{ reader: Peer; room: RoomId }> {
  const reader = await newcomer(edge, "reader");
  const room = (await newRoom([reader])) as RoomId;
  await reader.follow(room);
  await engine.stopProjector();
  await forge(room);
  await sleep(SWEPT_MS);
  await engine.startProjector();
  return { reader, room };
}
/** The next entry of a room, as a batch of its own; its bell may have been lost. */
async function forgeEntry(room: RoomId, bell: "rings" | "is lost"): Promise<void> {
  const { admin, keys } = engine;
  const partition = keys.partitionOf(room);
  const [head, prev] = (await admin.hmget(keys.room(partition, room), "seq", "id")) as string[];
  const seq = (Number(head) + 1) as Seq;
  const id = `${Date.now()}-${seq}` as Position;
  const payload = encodeEntry({
    seq,
    cursor: formatCursor(1 as Epoch, seq, ...halves(id)),
    at: Date.now(),
    by: "ann" as UserId,
    device: "forged" as DeviceId,
    k: seq as number as CommandNumber,
    event: { type: "message.sent", text: `bell ${bell}` },
  }) as Payload;
  const entry = { id, prev: prev as Position, seq, payload, leaver: null };
  const checkpoint = keys.checkpoint(partition);
  const from = (await admin.hget(checkpoint, "id")) as Position;
  const header = { from, to: id, outcomes: [], entries: [{ room, ...entry }], rooms: [] };
  await pipeline(admin, [
    ["XADD", keys.conversation(partition, room), id, ...conversationFields(entry)],
    ["HSET", keys.room(partition, room), "seq", seq, "id", id],
    ["HSET", checkpoint, "id", id],
    ...(bell === "rings"
      ? [["XADD", keys.bell(partition), "*", "h", packBellHeader(header), "d", payload]]
      : []),
  ]);
}

const noEntryIsSkipped: Holds = async (edge) => {
  const { reader, room } = await whileForged(edge, async (room) => {
    await forgeEntry(room, "is lost");
    await forgeEntry(room, "rings");
  });
  return reader.violations.length === 0 && reader.texts(room).length === 2;
};

const aLostBellIsMissed: Holds = async (edge) => {
  const { reader, room } = await whileForged(edge, (room) => forgeEntry(room, "is lost"));
  return reader.texts(room).length === 1;
};

const strangersReadNothing: Holds = async (edge) => {
  const stranger = await newcomer(edge, "stranger");
  return (await stranger.resume(await newRoom([]))).status === "refused";
};

const whoLeftHearsNothing: Holds = async (edge) => {
  const [reader, witness] = [await newcomer(edge, "reader"), await newcomer(edge, "witness")];
  const room = await newRoom([reader, witness]);
  for (const peer of [reader, witness]) await peer.follow(room);
  await applied(reader.run({ type: "leave", room }));
  await ann.say(room, "not for those who left");
  // What is published to one is published to all; an answer comes behind it.
  await witness.until("it", () => witness.texts(room).length === 1 || null);
  reader.send({ type: "ping" });
  await reader.next("beat");
  return reader.texts(room).length === 0;
};

const aCursorOfAnotherHistoryIsReset: Holds = async (edge) => {
  const reader = await newcomer(edge, "reader");
  const room = await newRoom([reader]);
  const [first] = await reader.follow(room);
  const otherSeq = String(first?.cursor).replace(".1.", ".2.");
  return (await reader.resume(room, otherSeq)).status === "reset";
};

const aTicketOpensOneConnection: Holds = async (edge) => {
  const headers = { authorization: `Bearer ${await token("ann")}` };
  const bought = await fetch(`${edge.address}/v1/tickets`, { method: "POST", headers });
  const { ticket } = (await bought.json()) as { ticket: string };
  await (await engine.open(edge)).hello(ticket);
  const second = await engine.open(edge);
  return second.hello(ticket).then(
    () => false,
    () => true,
  );
};

const whatWasPutOffKeepsItsOrder: Holds = async (edge) => {
  const writer = await newcomer(edge, "writer");
  const room = await newRoom([writer]);
  await engine.stopProjector();
  const many = Array.from({ length: 20 }, () => writer.command({ type: "send", room, text: "x" }));
  const last = many.at(-1);
  await writer.next("deferred", (frame) => frame.k === last);
  await engine.startProjector();
  // With these decided there is place for more.
  const putOff = new Set(writer.frames.flatMap((f) => (f.type === "deferred" ? [f.k] : [])));
  for (const k of many) if (!putOff.has(k)) await applied(writer.outcome(k));
  const since = writer.frames.length;
  writer.command({ type: "send", room, text: "x" }, last);
  const { type } = await writer.outcome(last as never, since);
  return type === "deferred";
};

const CHECKS: readonly {
  readonly check: string;
  readonly property: Holds;
  readonly change: readonly [file: string, find: string, replacement: string];
}[] = [
  {
    check: "previous id",
    property: noEntryIsSkipped,
    change: [
      "edge/room-tails.js",
      "if (entry.prev !== tail.position) {",
      "if (comparePositions(entry.id, tail.position) <= 0) {",
    ],
  },
  {
    check: "checkpoint against the bells heard",
    property: aLostBellIsMissed,
    change: [
      "edge/bells.js",
      "if (comparePositions(checkpoint, heard.appliedTo) <= 0)",
      "if (true)",
    ],
  },
  {
    check: "gate of a resume",
    property: strangersReadNothing,
    change: [
      "edge/room-reader.js",
      "return code === null ? null : { refused: code };",
      "return null;",
    ],
  },
  {
    check: "leaver of an entry",
    property: whoLeftHearsNothing,
    change: ["edge/room-tails.js", "if (entry.leaver === null)", "if (true)"],
  },
  {
    check: "seq of a cursor's entry",
    property: aCursorOfAnotherHistoryIsReset,
    change: ["edge/resume.lua", "if tonumber(here[1][2][2]) ~= seq then", "if false then"],
  },
  {
    check: "single use of a ticket",
    property: aTicketOpensOneConnection,
    change: ["edge/auth.js", ".getdel(", ".get("],
  },
  {
    check: "order of what was put off",
    property: whatWasPutOffKeepsItsOrder,
    change: ["edge/session.js", "if (this.#waitsForOlder(k)) {", "if (false) {"],
  },
];

describe("without the check of the", () => {
  it.each(CHECKS)("[OP57] $check, its property fails", async ({ property, change }) => {
    expect(await property(await edgeOf(compiled))).toBe(true);
    const mutant = compiled.mutant(...change);
    try {
      expect(await property(await edgeOf(mutant))).toBe(false);
    } finally {
      mutant.remove();
    }
  });
});

/** Hears bells, and takes few commands ahead of the projector. */
async function edgeOf(code: Compiled): Promise<RunningEdge> {
  const { startEdge } = await code.load<{ startEdge: StartEdge }>("edge/edge.js");
  return engine.edge({ directRoomsMax: 0, backlogMax: 10 }, startEdge);
}
