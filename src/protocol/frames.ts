/**
 * The whole wire: `ClientFrame` and `ServerFrame`, and the `Entry` that both a
 * conversation stream and a frame carry.
 *
 * If you add a frame: a row here, PROTOCOL_VERSION and its hash test, SPEC.md,
 * docs/client-protocol.md with a golden vector, the session and the client.
 */
import type { Cursor } from "./cursor.ts";
import { ERROR_CODES } from "./errors.ts";
import {
  DEVICE_ID,
  ROOM_ID,
  USER_ID,
  type CommandNumber,
  type DeviceId,
  type Epoch,
  type RoomId,
  type Seq,
  type UserId,
} from "./ids.ts";
import { LIMITS } from "./limits.ts";
import {
  choice,
  flag,
  list,
  nullable,
  struct,
  text,
  uint,
  variant,
  type ValueOf,
  type Variants,
} from "./schema.ts";

export const ROOM_KINDS = ["public", "private", "direct"] as const;
export type RoomKind = (typeof ROOM_KINDS)[number];

const user = text<UserId>({ bytes: 256, pattern: USER_ID });
const device = text<DeviceId>({ bytes: 64, pattern: DEVICE_ID });
const room = text<RoomId>({ bytes: 80, pattern: ROOM_ID });
const roomName = text({
  bytes: LIMITS.roomNameChars * 4,
  chars: LIMITS.roomNameChars,
  nfc: true,
  pattern: /^[^\p{Cc}]+$/u,
});
const message = text({ bytes: LIMITS.textBytes, nfc: true });
const cursor = text<Cursor>({ bytes: 64 });
const k = uint<CommandNumber>(1);
const seq = uint<Seq>();
const epoch = uint<Epoch>();
const code = choice(ERROR_CODES);

/** What happened; the past tense of a command that was applied. */
export const EVENTS = {
  "message.sent": { code: 1, fields: { text: message } },
  "room.created": {
    code: 2,
    // Whoever is in it from the start: its creator, and in a direct room the other one.
    fields: { kind: choice(ROOM_KINDS), name: roomName, members: list(user, 2, 1) },
  },
  "room.renamed": { code: 3, fields: { name: roomName } },
  "member.joined": { code: 4, fields: { user } },
  "member.left": { code: 5, fields: { user } },
  "member.invited": { code: 6, fields: { user } },
} as const satisfies Variants;

/**
 * One entry of a conversation. `seq` is dense from 1; `cursor` names this entry
 * for a later resume; `at` is milliseconds since 1970 by the store's clock when
 * the command was appended; `by`, `device` and `k` name the command that caused it.
 */
export const ENTRY = struct({
  seq,
  cursor,
  at: uint(),
  by: user,
  device,
  k,
  event: variant(EVENTS),
});

/** What a device asks to happen. Each counts `k` up by one and keeps it when it is sent again. */
export const COMMANDS = {
  send: { code: 16, fields: { k, room, text: message } },
  create: {
    code: 17,
    fields: { k, room: nullable(room), kind: choice(["public", "private"]), name: roomName },
  },
  direct: { code: 18, fields: { k, user } },
  join: { code: 19, fields: { k, room } },
  leave: { code: 20, fields: { k, room } },
  invite: { code: 21, fields: { k, room, user } },
  rename: { code: 22, fields: { k, room, name: roomName } },
} as const satisfies Variants;

export const CLIENT_FRAMES = {
  hello: {
    code: 1,
    fields: {
      version: uint(1, 65_535),
      token: text({ bytes: LIMITS.tokenBytes }),
      device,
      agent: text({ bytes: 128 }),
    },
  },
  /** Follow rooms, each from its cursor, or with null from its newest page. */
  resume: {
    code: 2,
    fields: {
      rooms: list(
        struct({ room, cursor: nullable(cursor), limit: uint(1, LIMITS.pageEntries) }),
        LIMITS.roomsPerResume,
        1,
      ),
    },
  },
  unsubscribe: { code: 3, fields: { rooms: list(room, LIMITS.roomsPerResume, 1) } },
  /** Answered with `beat` at once. */
  ping: { code: 4, fields: {} },
  ...COMMANDS,
} as const satisfies Variants;

export const RESUME_STATUS = ["ok", "snapshot", "gap", "reset", "refused"] as const;

export const SERVER_FRAMES = {
  welcome: {
    code: 1,
    fields: {
      version: uint(1, 65_535),
      edge: text({ bytes: 64 }),
      user,
      /** What an acknowledged command survives. */
      ack: choice(["memory", "disk"]),
      /** A frame of some kind comes at least this often. */
      beatMs: uint(1),
    },
  },
  error: { code: 2, fields: { code, message: text({ bytes: 512 }) } },
  /** Appended at the ack level; the outcome follows. */
  accepted: { code: 3, fields: { k } },
  /** In effect. `again` when an earlier copy of the command did it; seq 0 when that is too long ago to know. */
  applied: { code: 4, fields: { k, room, seq, again: flag } },
  /** Never in effect: do not send it again. */
  rejected: { code: 5, fields: { k, code } },
  /** Not known to be in effect: send it and all later ones again, in order, after the pause. */
  deferred: { code: 6, fields: { k, code, retryAfterMs: uint() } },
  /** New entries of a followed room, in order, without a gap. */
  entries: { code: 7, fields: { room, entries: list(ENTRY, 65_535, 1) } },
  /**
   * One page for one room of a `resume`. `more`: ask again from the last entry's
   * cursor; without it the room is followed live from here on.
   */
  resumed: {
    code: 8,
    fields: {
      room,
      status: choice(RESUME_STATUS),
      epoch,
      /** Seq of the newest entry. */
      head: seq,
      more: flag,
      entries: list(ENTRY, 65_535),
    },
  },
  /** The heads of followed rooms that moved since the last beat. */
  beat: {
    code: 9,
    fields: { at: uint(), heads: list(struct({ room, seq }), LIMITS.roomsPerConnection) },
  },
  /** The room is no longer followed: `forbidden` after leaving, `unavailable` to resume it again. */
  unsubscribed: { code: 10, fields: { room, code } },
} as const satisfies Variants;

export const clientFrame = variant(CLIENT_FRAMES);
export const serverFrame = variant(SERVER_FRAMES);
export const command = variant(COMMANDS);

export type Entry = ValueOf<typeof ENTRY>;
export type ChatEvent = Entry["event"];
export type ClientFrame = ValueOf<typeof clientFrame>;
export type ServerFrame = ValueOf<typeof serverFrame>;
export type ClientCommand = ValueOf<typeof command>;
export type ResumeStatus = (typeof RESUME_STATUS)[number];
export type AckLevel = (ServerFrame & { type: "welcome" })["ack"];
/** A client frame of one type. */
export type ClientFrameOf<T extends ClientFrame["type"]> = Extract<ClientFrame, { type: T }>;
export type ServerFrameOf<T extends ServerFrame["type"]> = Extract<ServerFrame, { type: T }>;
