/** What the server answers over HTTP: the types and their shapes. */
import { ENTRY, ROOM_KINDS, type Entry, type RoomKind } from "../protocol/frames.ts";
import {
  ROOM_ID,
  USER_ID,
  type Epoch,
  type RoomId,
  type Seq,
  type UserId,
} from "../protocol/ids.ts";
import {
  choice,
  flag,
  list,
  nullable,
  struct,
  text,
  uint,
  type Fields,
} from "../protocol/schema.ts";

/** More than any answer of the server holds; keeps a broken proxy from filling the memory. */
const ITEMS_MAX = 100_000;
const TEXT_BYTES = 65_536;

/** A page of a room's history, oldest first. */
export interface HistoryPage {
  readonly room: RoomId;
  readonly epoch: Epoch;
  /** Seq of the newest entry of the room. */
  readonly head: Seq;
  /** There are further entries in the direction asked, older ones as far as they are kept. */
  readonly more: boolean;
  readonly entries: readonly Entry[];
}

/** The entries next to a seq, itself not included, or the newest; at most LIMITS.pageEntries. */
export type HistoryQuery =
  | { readonly before?: Seq; readonly after?: never; readonly limit?: number }
  | { readonly after: Seq; readonly before?: never; readonly limit?: number };

export interface RoomInfo {
  readonly room: RoomId;
  readonly kind: RoomKind;
  readonly name: string;
  readonly head: Seq;
  readonly epoch: Epoch;
  /** Whether others are told who has read how far. */
  readonly receiptsOn: boolean;
  readonly members: readonly {
    readonly user: UserId;
    readonly role: string;
    readonly since: Seq;
  }[];
}

/** A room of one's own list. */
export interface ListedRoom {
  readonly room: RoomId;
  readonly kind: RoomKind;
  readonly name: string;
  /** `invited` is not in it yet. */
  readonly role: string;
  readonly epoch: Epoch;
  /** Seq of the newest entry. */
  readonly head: Seq;
  /** Up to here this user has read. */
  readonly through: Seq;
  /** Messages after it by others, counted up to LIMITS.unreadCounted, and those that call this user. */
  readonly unread: number;
  readonly mentions: number;
  /** The newest message. */
  readonly last: Entry | null;
}

/** One of the texts that a message had. */
export interface MessageVersion {
  /** The entry that gave it this text. */
  readonly seq: Seq;
  readonly at: number;
  readonly by: UserId;
  readonly text: string;
}
/** Who reacted, some hundreds at a time; `next` asks for the rest, null when there is none. */
export interface ReactorsPage {
  readonly reactions: readonly {
    readonly reaction: string;
    readonly count: number;
    /** Those of this page. */
    readonly users: readonly UserId[];
  }[];
  readonly next: string | null;
}
export interface ThreadPage {
  /** All replies that are not deleted. */
  readonly replies: number;
  /** Those by others that this user has not read, among the newest LIMITS.threadUnreadCounted. */
  readonly unread: number;
  /** There are newer ones than those of this page. */
  readonly more: boolean;
  readonly entries: readonly Entry[];
}
export interface Pin {
  readonly seq: Seq;
  /** The entry that pinned it. */
  readonly pinnedIn: Seq;
  /** Null where the history does not reach back to it. */
  readonly entry: Entry | null;
}

const room = text<RoomId>({ bytes: 80, pattern: ROOM_ID });
const user = text<UserId>({ bytes: 256, pattern: USER_ID });
export const HISTORY = {
  room,
  epoch: uint<Epoch>(),
  head: uint<Seq>(),
  more: flag,
  entries: list(ENTRY, ITEMS_MAX),
} satisfies Fields;
export const ROOM = {
  room,
  kind: choice(ROOM_KINDS),
  name: text({ bytes: 1_024 }),
  head: uint<Seq>(),
  epoch: uint<Epoch>(),
  receiptsOn: flag,
  members: list(struct({ user, role: text({ bytes: 64 }), since: uint<Seq>() }), ITEMS_MAX),
} satisfies Fields;
export const ROOMS = {
  rooms: list(
    struct({
      room,
      kind: choice(ROOM_KINDS),
      name: text({ bytes: 1_024 }),
      role: text({ bytes: 64 }),
      epoch: uint<Epoch>(),
      head: uint<Seq>(),
      through: uint<Seq>(),
      unread: uint(),
      mentions: uint(),
      last: nullable(ENTRY),
    }),
    ITEMS_MAX,
  ),
} satisfies Fields;

const seq = uint<Seq>();
export const VERSIONS = {
  versions: list(
    struct({ seq, at: uint(), by: user, text: text({ bytes: TEXT_BYTES }) }),
    ITEMS_MAX,
  ),
} satisfies Fields;
export const REACTORS = {
  reactions: list(
    struct({ reaction: text({ bytes: 256 }), count: uint(), users: list(user, ITEMS_MAX) }),
    ITEMS_MAX,
  ),
  next: nullable(text({ bytes: 64 })),
} satisfies Fields;
export const THREAD = {
  replies: uint(),
  unread: uint(),
  more: flag,
  entries: list(ENTRY, ITEMS_MAX),
} satisfies Fields;
export const PINS = {
  pins: list(struct({ seq, pinnedIn: seq, entry: nullable(ENTRY) }), ITEMS_MAX),
} satisfies Fields;
