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
  optional,
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
/** An emoji or a short name. No spaces: they part the reactions that are stored. */
const reaction = text({
  bytes: LIMITS.reactionChars * 4,
  chars: LIMITS.reactionChars,
  nfc: true,
  pattern: /^[^\p{Cc}\p{Z}]+$/u,
});
/** Whom a message calls: users by name, or everybody in the room. */
const mentions = optional(list(user, LIMITS.mentionsPerMessage, 1));
const everyone = optional(flag);
/** A message of the same room, by its seq; the command names it by its cursor. */
const target = seq;
const replyTo = optional(seq);

/** What happened; the past tense of a command that was applied. */
export const EVENTS = {
  /** `replyTo` is the first message of a thread. */
  "message.sent": { code: 1, fields: { text: message, replyTo, mentions, everyone } },
  "room.created": {
    code: 2,
    // Whoever is in it from the start: its creator, and in a direct room the other one.
    fields: { kind: choice(ROOM_KINDS), name: roomName, members: list(user, 2, 1) },
  },
  "room.renamed": { code: 3, fields: { name: roomName } },
  "member.joined": { code: 4, fields: { user } },
  "member.left": { code: 5, fields: { user } },
  "member.invited": { code: 6, fields: { user } },
  /** Without a text where a later change took the place of this one. */
  "message.edited": {
    code: 7,
    fields: { target, text: nullable(message), mentions, everyone },
  },
  "message.deleted": { code: 8, fields: { target, replyTo } },
  "reaction.added": { code: 9, fields: { target, reaction } },
  "reaction.removed": { code: 10, fields: { target, reaction } },
  "message.pinned": { code: 11, fields: { target } },
  "message.unpinned": { code: 12, fields: { target } },
  /**
   * Never happens: it stands in a page in the place of a `message.sent` that was changed since,
   * and has all changes in it up to the entry `through`. Without a text it was deleted.
   */
  "message.folded": {
    code: 13,
    fields: {
      text: nullable(message),
      through: seq,
      replyTo,
      mentions,
      everyone,
      /** How often it was edited, and when the last time. */
      edits: optional(uint()),
      editedAt: optional(uint()),
      pinned: optional(flag),
      /** Replies that are not deleted, and the newest of them. */
      replies: optional(uint()),
      lastReply: optional(seq),
      reactions: optional(
        list(
          struct({ reaction, count: uint(1), users: list(user, LIMITS.reactorsShown) }),
          LIMITS.reactionsPerMessage,
          1,
        ),
      ),
    },
  },
  /** From here on others are told who has read how far, or no more. */
  "room.receiptsSet": { code: 14, fields: { on: flag } },
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
  send: {
    code: 16,
    fields: { k, room, text: message, replyTo: optional(cursor), mentions, everyone },
  },
  create: {
    code: 17,
    fields: { k, room: nullable(room), kind: choice(["public", "private"]), name: roomName },
  },
  direct: { code: 18, fields: { k, user } },
  join: { code: 19, fields: { k, room } },
  leave: { code: 20, fields: { k, room } },
  invite: { code: 21, fields: { k, room, user } },
  rename: { code: 22, fields: { k, room, name: roomName } },
  edit: { code: 23, fields: { k, room, message: cursor, text: message, mentions, everyone } },
  delete: { code: 24, fields: { k, room, message: cursor } },
  react: { code: 25, fields: { k, room, message: cursor, reaction } },
  unreact: { code: 26, fields: { k, room, message: cursor, reaction } },
  pin: { code: 27, fields: { k, room, message: cursor } },
  unpin: { code: 28, fields: { k, room, message: cursor } },
  /** The message and all after it count as unread again; the only way back. */
  markUnread: { code: 29, fields: { k, room, message: cursor } },
  /** Whether others are told who has read how far in this room. */
  setReceipts: { code: 30, fields: { k, room, on: flag } },
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
  /**
   * Takes part in these followed rooms: is seen there, and is told who else is there, who types and
   * who has read how far. Ends with following.
   */
  attend: { code: 5, fields: { rooms: list(room, LIMITS.roomsPerResume, 1) } },
  /**
   * Has read everything up to this entry. Only ever rises; the newest one replaces those before.
   * Of a `private` one others are not told.
   */
  read: { code: 6, fields: { room, through: cursor, private: optional(flag) } },
  /** To be sent again while it goes on; ends by itself after `typingMs`. */
  typing: { code: 7, fields: { room, on: flag } },
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
  /**
   * Who attends a room: all of it in answer to `attend`, later the changes. In a large room
   * `online` is a sample and `count` says how many there are.
   */
  presence: {
    code: 11,
    fields: {
      room,
      whole: flag,
      count: uint(),
      online: list(user, LIMITS.largeRoom),
      /** Who has gone since, and when; in a whole state, members that are not there. */
      offline: list(struct({ user, lastSeen: uint() }), LIMITS.largeRoom),
    },
  },
  /**
   * How far others have read; of a room that is large `readers` tells only how many. A whole one
   * without marks: nobody is told, because receipts are off.
   */
  receipts: {
    code: 12,
    fields: { room, whole: flag, marks: list(struct({ user, through: seq }), LIMITS.largeRoom) },
  },
  /** Everybody else who types there now; empty when nobody does any more. */
  typists: { code: 13, fields: { room, users: list(user, LIMITS.typistsShown) } },
  /**
   * One's own position and counts in a room, changed on this or another device, as of the entry
   * `head`: later entries are not counted yet.
   */
  unread: {
    code: 14,
    fields: { room, through: seq, unread: uint(), mentions: uint(), head: seq },
  },
  /**
   * The list of one's rooms has changed: one was joined, left, or one is invited. Without rooms it
   * may have, in whatever room: something was missed.
   */
  roomsChanged: { code: 15, fields: { rooms: list(room, LIMITS.roomsPerResume) } },
  /**
   * How many members of a large room have read how far, the furthest first: an entry was read by
   * as many as the last step says that is at it or past it. Replaces what was told before.
   */
  readers: {
    code: 16,
    fields: { room, steps: list(struct({ through: seq, readers: uint() }), LIMITS.readersSteps) },
  },
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
