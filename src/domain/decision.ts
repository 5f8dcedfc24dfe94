/** What `decide` answers, and the words that it is made of. */
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChatEvent } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import type { Standing } from "./gate.ts";
import type { Room } from "./room.ts";

export type Decision =
  | { readonly outcome: "event"; readonly event: ChatEvent }
  /** Granted already: nothing to do. `seq` is the entry that did it, or the head where none did. */
  | { readonly outcome: "nothing"; readonly seq: Seq }
  | { readonly outcome: "rejected"; readonly code: ErrorCode };

export function standing(room: Room, user: UserId): Standing {
  return { kind: room.kind, role: room.members.get(user)?.role ?? null };
}

export function happened(event: ChatEvent): Decision {
  return { outcome: "event", event };
}

export function rejected(code: ErrorCode): Decision {
  return { outcome: "rejected", code };
}
