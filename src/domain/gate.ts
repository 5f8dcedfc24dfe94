/**
 * The one gate: who may do what in a room. The projector asks it for every
 * command at the command's place in the order; edges ask it for every read.
 */
import type { ErrorCode } from "../protocol/errors.ts";
import type { RoomKind } from "../protocol/frames.ts";
import type { Role } from "./room.ts";

export type Verb =
  | "read"
  | "send"
  | "join"
  | "leave"
  | "invite"
  | "rename"
  | "setReceipts"
  | "edit"
  | "delete"
  | "react"
  | "unreact"
  | "pin"
  | "unpin"
  | "markUnread"
  /** Mention everybody. */
  | "callAll"
  /** See earlier versions of a message. */
  | "versions"
  /** Take part: be seen, type, tell how far one has read. */
  | "attend";

/** One user's relation to one room. */
export interface Standing {
  /** Null for a room that does not exist. */
  readonly kind: RoomKind | null;
  /** Null for someone who is neither in it nor invited. */
  readonly role: Role | null;
  /** Whether the message that the verb is about is theirs. */
  readonly isAuthor?: boolean;
}

export function isMember({ role }: Standing): boolean {
  return role === "owner" || role === "member";
}

/**
 * Null when allowed. A non-member gets `forbidden` for every verb, whether the
 * room exists or not, so that nothing can be learned by asking.
 */
export function refusal(standing: Standing, verb: Verb): ErrorCode | null {
  if (standing.kind === null) return "forbidden";
  if (verb === "join") return mayJoin(standing) ? null : "forbidden";
  if (!isMember(standing)) return "forbidden";
  switch (verb) {
    case "read":
    case "attend":
    case "send":
    case "react":
    case "unreact":
    case "markUnread":
      return null;
    case "leave":
    case "invite":
      return standing.kind === "direct" ? "notAllowed" : null;
    case "pin":
    case "unpin":
    case "callAll":
      return standing.kind === "direct" ? null : onlyOwner(standing);
    case "rename":
    case "setReceipts":
      return onlyOwner(standing);
    case "edit":
    case "delete":
    case "versions":
      return standing.isAuthor ? null : onlyOwner(standing);
  }
}

function onlyOwner({ role }: Standing): ErrorCode | null {
  return role === "owner" ? null : "notAllowed";
}

function mayJoin(standing: Standing): boolean {
  return standing.kind === "public" || standing.role !== null;
}
