import type { ErrorCode } from "../protocol/errors.ts";
import type { ClientCommand, Entry } from "../protocol/frames.ts";
import type { Seq } from "../protocol/ids.ts";
import type { ClientError } from "./client-error.ts";
import type { ConnectionState } from "./connection.ts";
import type { ListChange } from "./list.ts";
import type { Message } from "./message.ts";
import type { Outcome } from "./outbox.ts";
import type { Room } from "./room.ts";

/** Everything that a client tells its application. */
export interface ClientEvents {
  state: ConnectionState;
  /** In order, each once. `live` is false while catching up. */
  entry: { readonly room: Room; readonly entry: Entry; readonly live: boolean };
  /** `room.loadOlder` has put these in front of `room.entries`; their messages follow. */
  older: { readonly room: Room; readonly entries: readonly Entry[] };
  /** A message of `room.messages` came, or a change of it. */
  message: { readonly room: Room; readonly message: Message };
  /** Forget what was shown of this room; entries follow. */
  reset: { readonly room: Room };
  /** Entries begin anew at `before`; those after `after` are loaded by `room.loadOlder`, as far as they are kept. */
  gap: { readonly room: Room; readonly after: Seq; readonly before: Seq };
  /** `room.state` changed. */
  room: { readonly room: Room };
  /** `room.pending` changed, or what is pending of one of its messages. */
  pending: { readonly room: Room };
  /** `room.name`, `room.kind` or `room.members` changed. */
  details: { readonly room: Room };
  /** `room.presence` changed. */
  presence: { readonly room: Room };
  /** `room.typists` changed. */
  typists: { readonly room: Room };
  /** `room.receipts` changed. */
  receipts: { readonly room: Room };
  /** `room.unread`, `room.mentions` or `room.through` changed. */
  unread: { readonly room: Room };
  /** `client.list` changed; changes of one turn come together. */
  list: ListChange;
  outcome: { readonly command: ClientCommand; readonly outcome: Outcome | ClientError };
  /** The server says something about no command in particular. */
  error: { readonly code: ErrorCode; readonly message: string };
}
