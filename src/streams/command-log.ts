/**
 * The log: one entry of a partition's events stream holds a batch of commands,
 * like a Kafka record batch, so that Redis costs per batch and not per message.
 */
import { COMMANDS, ROOM_KINDS, type RoomKind } from "../protocol/frames.ts";
import type { DeviceId, UserId } from "../protocol/ids.ts";
import { halves, type Position } from "../redis/position.ts";
import { pack, unpackTrusted } from "../protocol/msgpack.ts";
import {
  choice,
  flag,
  list,
  optional,
  SchemaError,
  struct,
  text,
  uint,
  variant,
  type ValueOf,
  type Variants,
} from "../protocol/schema.ts";

const { create: _create, direct: _direct, ...AS_SENT } = COMMANDS;
const { send, invite, rename } = AS_SENT;
const room = send.fields.room;
const k = send.fields.k;
const user = invite.fields.user;
const cursor = AS_SENT.delete.fields.message;
const incarnation = text({ bytes: 64 });
/** Users in one fact; more make a further one. */
export const FACT_USERS_MAX = 200;
/** Facts of one log entry. */
export const FACTS_PER_ENTRY_MAX = 64;

/**
 * Commands as the log keeps them. They differ from a client's in one place: a
 * room is always named, so `create` and `direct` have become one.
 */
const LOGGED = {
  ...AS_SENT,
  create: {
    code: 17,
    fields: {
      k,
      room,
      kind: choice<RoomKind>(ROOM_KINDS),
      name: rename.fields.name,
      members: list(user, 2, 1),
    },
  },
} as const satisfies Variants;
const logged = variant(LOGGED);
export type Command = ValueOf<typeof logged>;

/** A command with its origin: `session` is where the outcome goes, on the edge that appended it. */
export interface LoggedCommand {
  readonly session: number;
  readonly user: UserId;
  readonly device: DeviceId;
  readonly command: Command;
}

/**
 * What an edge itself has to say, in bulk: it has no device and no outcome, and may be said twice.
 * `edge` names an incarnation: what one says after its end counts for nothing.
 */
const FACTS = {
  /** From here on what this incarnation says of presence counts. */
  edgeUp: { code: 1, fields: { edge: incarnation } },
  /** It is gone, or is taken for it. Whom it had let in is taken out by `attendance` that follows. */
  edgeDown: { code: 2, fields: { edge: incarnation } },
  /** Users whose first device there, of those on this edge, has come to a room, and whose last has left. */
  attendance: {
    code: 3,
    fields: {
      edge: incarnation,
      room,
      entered: list(user, FACT_USERS_MAX),
      left: list(user, FACT_USERS_MAX),
    },
  },
  /** How far members have read; `private` is what others are not told. */
  reading: {
    code: 4,
    fields: {
      room,
      marks: list(struct({ user, through: cursor, private: optional(flag) }), FACT_USERS_MAX, 1),
    },
  },
} as const satisfies Variants;
const fact = variant(FACTS);
export type Fact = ValueOf<typeof fact>;
export type FactOf<T extends Fact["type"]> = Extract<Fact, { type: T }>;

/** Commands of one log entry get ids of their own: entry `5-2`, index 3 is `5-8195`. */
const COMMANDS_PER_ENTRY_MAX = 4_096;
const FORMAT = 1;
const ENTRY = struct({
  format: uint(FORMAT, FORMAT),
  /** Incarnation of the edge that appended the batch. */
  edge: text({ bytes: 64 }),
  commands: list(
    struct({ session: uint(), user, device: text<DeviceId>({ bytes: 64 }), command: logged }),
    COMMANDS_PER_ENTRY_MAX,
  ),
  /** After the commands, and numbered on from them. */
  facts: optional(list(fact, FACTS_PER_ENTRY_MAX, 1)),
});
export type LogEntry = ValueOf<typeof ENTRY>;

export function packCommands(
  edge: string,
  commands: readonly LoggedCommand[],
  facts: readonly Fact[] = [],
): Uint8Array {
  const entry = { format: FORMAT, edge, commands, ...(facts.length > 0 && { facts }) };
  return pack(ENTRY.write(entry, "positional"));
}

/** Throws SchemaError for an entry that no edge of this format wrote. */
export function unpackCommands(bytes: Uint8Array): LogEntry {
  const entry = ENTRY.read(unpackTrusted(bytes), "positional", "log entry");
  if (entry.commands.length === 0 && !entry.facts) {
    throw new SchemaError("log entry: neither commands nor facts");
  }
  return entry;
}

/**
 * The id of a conversation entry is derived from its command's place in the
 * log. XADD then refuses a second copy by itself, and a rebuild gives the same
 * ids, so cursors survive it. Throws past the 4,096 commands that fit.
 */
export function commandPosition(entry: Position, index: number): Position {
  if (index >= COMMANDS_PER_ENTRY_MAX)
    throw new RangeError(`no id for command ${index} of ${entry}`);
  const [ms, n] = halves(entry);
  return `${ms}-${n * COMMANDS_PER_ENTRY_MAX + index}` as Position;
}
