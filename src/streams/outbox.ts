/**
 * A partition's outbox: what has to happen elsewhere because of a batch, written
 * with the batch. So far that is one thing: a membership changed, and the user's
 * list of rooms lives in another partition.
 */
import type { RoomId, Seq, UserId } from "../protocol/ids.ts";

export interface MembershipChange {
  readonly user: UserId;
  readonly room: RoomId;
  /** The room's entry that did it: of two changes the one with the higher seq holds. */
  readonly seq: Seq;
  /** Null for someone who is neither in the room nor invited any more. */
  readonly role: "owner" | "member" | "invited" | null;
}

const FIELD = { user: "u", room: "r", seq: "s", role: "m" } as const;

export function outboxFields({ user, room, seq, role }: MembershipChange): string[] {
  const what: string[] = [FIELD.user, user, FIELD.room, room];
  return what.concat(FIELD.seq, String(seq), FIELD.role, role ?? "");
}

/** `fields` as Redis returned them; null for an entry that this engine did not write. */
export function readMembershipChange(fields: readonly Buffer[]): MembershipChange | null {
  const [user, room, seq, role] = [1, 3, 5, 7].map((i) => fields[i]?.toString());
  if (!user || !room || !seq || role === undefined) return null;
  return {
    user: user as UserId,
    room: room as RoomId,
    seq: Number(seq) as Seq,
    role: role === "" ? null : (role as MembershipChange["role"]),
  };
}
