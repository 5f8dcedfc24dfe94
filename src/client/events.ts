import type { ErrorCode } from "../protocol/errors.ts";
import type { ClientCommand } from "../protocol/frames.ts";
import type { ClientError } from "./client-error.ts";
import type { ConnectionState } from "./connection.ts";
import type { ListChange } from "./list.ts";
import type { Outcome } from "./outbox.ts";
import type { RoomEvents } from "./room-parts.ts";
import type { Room } from "./room.ts";

type OfRoom<E extends keyof RoomEvents> = RoomEvents[E] & { readonly room: Room };

/** Everything that a client tells its application. */
export interface ClientEvents {
  state: ConnectionState;
  /** In order, each once. `live` is false while catching up. */
  entry: OfRoom<"entry">;
  /** `room.loadOlder` has put these in front of `room.entries`; their messages follow. */
  older: OfRoom<"older">;
  /** A message of `room.messages` came, or a change of it. */
  message: OfRoom<"message">;
  /** Forget what was shown of this room; entries follow. */
  reset: OfRoom<"reset">;
  /** Entries begin anew at `before`; those after `after` are loaded by `room.loadOlder`, as far as they are kept. */
  gap: OfRoom<"gap">;
  /** `room.state` changed. */
  room: OfRoom<"room">;
  /** `room.pending` changed, or what is pending of one of its messages. */
  pending: OfRoom<"pending">;
  /** `room.name`, `room.kind`, `room.receiptsOn` or `room.members` changed. */
  details: OfRoom<"details">;
  /** `room.presence` changed. */
  presence: OfRoom<"presence">;
  /** `room.typists` changed. */
  typists: OfRoom<"typists">;
  /** `room.receipts` changed. */
  receipts: OfRoom<"receipts">;
  /** `room.unread`, `room.mentions` or `room.through` changed. */
  unread: OfRoom<"unread">;
  /** `client.list` changed; changes of one turn come together. */
  list: ListChange;
  outcome: { readonly command: ClientCommand; readonly outcome: Outcome | ClientError };
  /** The server says something about no command in particular. */
  error: { readonly code: ErrorCode; readonly message: string };
}
