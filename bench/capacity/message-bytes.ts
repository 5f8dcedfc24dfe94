/** How many bytes a message is, by the engine's own codecs: arithmetic, not measurement. */
import { encodeClientFrame, encodeEntry, joinEntries } from "../../src/protocol/codec.ts";
import type { Cursor } from "../../src/protocol/cursor.ts";
import type { CommandNumber, DeviceId, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import type { Position } from "../../src/redis/position.ts";
import { packBellHeader, type BellEntry, type Outcome } from "../../src/streams/bell.ts";
import { packCommands, type LoggedCommand } from "../../src/streams/command-log.ts";
import { conversationFields, type Payload } from "../../src/streams/conversation.ts";

export interface MessageBytes {
  /** From a client to its edge, and from an edge to a receiver, with all headers. */
  readonly sent: number;
  readonly delivered: number;
  /** Its share of an entry of the log, and its entry in the room's history. */
  readonly logged: number;
  readonly kept: number;
  /** What an edge reads of it: its share of a bell. */
  readonly rung: number;
  /** As the archive will keep it: the entry as clients get it. */
  readonly entry: number;
}

/** WebSocket, TCP with timestamps, IPv4, Ethernet; a client's frame has a mask as well. */
const HEADERS_DOWN = 4 + 32 + 20 + 18;
const HEADERS_UP = HEADERS_DOWN + 4;
/** A batch's own bytes are shared by so many: what one tick brings a partition under load. */
const BATCH = 10;
/** An entry of a stream: its id's delta, flags, and a length before and after each field. */
const STREAM_ENTRY = 24;

const ROOM = "r0000000000" as RoomId;
const USER = "u0000000000" as UserId;
const DEVICE = "d0000000000" as DeviceId;
const POSITION = "1800000000000-4096" as Position;
const K = 100_000 as CommandNumber;

export function messageBytes(textBytes: number): MessageBytes {
  const text = "x".repeat(textBytes);
  const frame = encodeClientFrame({ type: "send", k: K, room: ROOM, text });
  const payload = encodeEntry({
    seq: 10_000 as Seq,
    cursor: "1.10000.loyw3v28-35s" as Cursor,
    at: 1_800_000_000_000,
    by: USER,
    device: DEVICE,
    k: K,
    event: { type: "message.sent", text },
  }) as Payload;
  const entry: BellEntry = {
    room: ROOM,
    id: POSITION,
    prev: POSITION,
    seq: 10_000 as Seq,
    payload,
    leaver: null,
  };
  return {
    sent: frame.length + HEADERS_UP,
    delivered: joinEntries(ROOM, [payload]).length + HEADERS_DOWN,
    logged: loggedBytes(text) + STREAM_ENTRY / BATCH,
    kept: sum(conversationFields(entry)) + STREAM_ENTRY,
    rung: rungBytes(entry),
    entry: payload.length,
  };
}

function loggedBytes(text: string): number {
  const command: LoggedCommand = {
    session: 10_000,
    user: USER,
    device: DEVICE,
    command: { type: "send", k: K, room: ROOM, text },
  };
  return (
    packCommands(
      "edge-0000",
      Array.from({ length: BATCH }, () => command),
    ).length / BATCH
  );
}

function rungBytes(entry: BellEntry): number {
  const outcome: Outcome = {
    edge: "edge-0000",
    session: 10_000,
    k: K,
    room: ROOM,
    result: { status: "applied", seq: entry.seq },
    again: false,
  };
  const header = packBellHeader({
    from: POSITION,
    to: POSITION,
    outcomes: Array.from({ length: BATCH }, () => outcome),
    entries: Array.from({ length: BATCH }, () => entry),
    rooms: [],
  });
  return entry.payload.length + (header.length + STREAM_ENTRY) / BATCH;
}

function sum(fields: readonly (string | Uint8Array)[]): number {
  return fields.reduce((total, field) => total + Buffer.byteLength(field), 0);
}
