/**
 * Who is there in a room, as a function of the log. A user is there while any
 * incarnation of an edge says so; what an incarnation says counts between its
 * up and its down:
 *
 *             edgeUp         edgeDown           the last whom it had in is out
 *   unknown ─────────▶ up ─────────────▶ ended ───────────────────────────────▶ unknown
 *                       └────────────────────── edgeDown, nobody in ────────────▲
 *
 * An ended one stays known until whom it had let in was taken out, so that whoever
 * owns the partition then knows that something is left to do.
 */
import type { UserId } from "../protocol/ids.ts";

export interface Incarnation {
  readonly state: "up" | "ended";
  /** Pairs of room and user that it has in. */
  readonly attending: number;
}

export type Whereabouts =
  /** By these incarnations, in the order in which they said so; never none. */
  | { readonly name: "there"; readonly by: readonly string[] }
  | { readonly name: "away"; readonly sinceMs: number };

/** Of one room: everybody who is or was there and is a member still. */
export type RoomPresence = Map<UserId, Whereabouts>;

/** What an incarnation's word has changed for a user: there now or away, or only by whom, or nothing. */
export type Step = "came" | "went" | "by" | "nothing";

export function enter(presence: RoomPresence, user: UserId, edge: string): Step {
  const before = presence.get(user);
  const by = before?.name === "there" ? before.by : [];
  if (by.includes(edge)) return "nothing";
  presence.set(user, { name: "there", by: [...by, edge] });
  return by.length > 0 ? "by" : "came";
}

/** `atMs` by the clock of the log. */
export function leave(presence: RoomPresence, user: UserId, edge: string, atMs: number): Step {
  const before = presence.get(user);
  if (before?.name !== "there" || !before.by.includes(edge)) return "nothing";
  const by = before.by.filter((other) => other !== edge);
  if (by.length > 0) {
    presence.set(user, { name: "there", by });
    return "by";
  }
  presence.set(user, { name: "away", sinceMs: atMs });
  return "went";
}

/** A member no more. Returns the incarnations by which the user was there. */
export function vanish(presence: RoomPresence, user: UserId): readonly string[] {
  const before = presence.get(user);
  presence.delete(user);
  return before?.name === "there" ? before.by : [];
}

/** The incarnation after `edgeUp`; one that is known is as it was. */
export function raised(known: Incarnation | undefined): Incarnation {
  return known ?? { state: "up", attending: 0 };
}

/** After `edgeDown`; null when nothing is left of it. */
export function ended(known: Incarnation | undefined): Incarnation | null {
  return counted(known && { ...known, state: "ended" }, 0);
}

/** After `change` more, or fewer, are in by it; null when nothing is left of it. */
export function counted(known: Incarnation | undefined, change: number): Incarnation | null {
  if (!known) return null;
  const attending = known.attending + change;
  return known.state === "ended" && attending === 0 ? null : { ...known, attending };
}

/** As the store keeps it: `+ incarnation …`, or `- milliseconds since 1970`. */
export function writeWhereabouts(where: Whereabouts): string {
  return where.name === "there" ? `+ ${where.by.join(" ")}` : `- ${where.sinceMs}`;
}
export function readWhereabouts(value: string): Whereabouts {
  const rest = value.slice(2);
  if (value.startsWith("+")) return { name: "there", by: rest.split(" ") };
  return { name: "away", sinceMs: Number(rest) };
}

/** As the store keeps it: `+` while it is up or `-`, and the count. */
export function writeIncarnation({ state, attending }: Incarnation): string {
  return `${state === "up" ? "+" : "-"}${attending}`;
}
export function readIncarnation(value: string): Incarnation {
  const state = value.startsWith("+") ? "up" : "ended";
  return { state, attending: Number(value.slice(1)) };
}
