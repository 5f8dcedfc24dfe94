/**
 * Folds log entries into one batch: decides each command in order, lets the
 * projections write, and collects the outcomes. Nothing here waits: whatever
 * the commands need was loaded before.
 */
import { decide } from "../../domain/decide.ts";
import type { Decision } from "../../domain/decision.ts";
import type { DeviceWindow } from "../../domain/device-window.ts";
import { isMember } from "../../domain/gate.ts";
import { evolve, type Room } from "../../domain/room.ts";
import { parseCursor, type Cursor } from "../../protocol/cursor.ts";
import type { RoomId, Seq, UserId } from "../../protocol/ids.ts";
import { positionMs, type Position } from "../../redis/position.ts";
import {
  BELL_INLINE_BYTES,
  packBellHeader,
  type BellEntry,
  type CommandResult,
  type Outcome,
} from "../../streams/bell.ts";
import { commandPosition, type Fact, type LoggedCommand } from "../../streams/command-log.ts";
import type { Keys } from "../../streams/keys.ts";
import type { PartitionId } from "../../streams/partitions.ts";
import { writeWindow } from "../devices/devices.ts";
import { appendEntry, conversationEntry, writeHead } from "../history/history.ts";
import { writeMembership } from "../membership/membership.ts";
import { MessageProjection } from "../messages/messages.ts";
import { PositionProjection } from "../positions/positions.ts";
import { PresenceProjection } from "../presence/presence.ts";
import type { Batch, Decided, EventCounts } from "./batch.ts";
import { Operations } from "./operations.ts";
import type { PartitionState } from "./partition-state.ts";

/** Dead letters kept per partition; each was logged as an error too. */
const DEAD_LETTERS_KEPT = 10_000;

/** Where a command or a fact stands in the log, and which edge brought it. */
export interface Place {
  readonly entry: Position;
  readonly index: number;
  readonly edge: string;
}

/** Of a place, as a lease notes it. */
export function placeText({ entry, index }: Place): string {
  return `${entry}/${index}`;
}

/** A command failed outside of `decide`: what the fold has done in memory is of no use. */
export class FoldError extends Error {
  override readonly name = "FoldError";
  readonly place: string;

  constructor(place: Place, cause: unknown) {
    super(`command ${placeText(place)} could not be folded: ${String(cause)}`, { cause });
    this.place = placeText(place);
  }
}

export class Fold {
  readonly #keys: Keys;
  readonly #partition: PartitionId;
  readonly #state: PartitionState;
  readonly #historyPerRoom: number;
  readonly #operations = new Operations();
  readonly #outcomes: Outcome[] = [];
  readonly #entries: BellEntry[] = [];
  /** Numbers of the blobs that are payloads of `entries`. */
  readonly #payloads: number[] = [];
  /** Rooms that moved, with the head they had before. */
  readonly #moved = new Map<Room, Seq>();
  /** Device windows that changed, by their keys. */
  readonly #windows = new Map<string, DeviceWindow>();
  readonly #presence: PresenceProjection;
  readonly #messages: MessageProjection;
  readonly #positions: PositionProjection;
  readonly #decided: Decided = { applied: 0, duplicate: 0, rejected: {} };
  readonly #events: EventCounts = {};
  #commands = 0;
  #deadLetters = 0;

  constructor(keys: Keys, partition: PartitionId, state: PartitionState, historyPerRoom: number) {
    this.#keys = keys;
    this.#partition = partition;
    this.#state = state;
    this.#historyPerRoom = historyPerRoom;
    this.#presence = new PresenceProjection(keys, partition, state.presence);
    this.#messages = new MessageProjection(keys, partition, state.messages, historyPerRoom);
    this.#positions = new PositionProjection(keys, partition, historyPerRoom);
  }

  get commands(): number {
    return this.#commands;
  }

  /**
   * Decides one command and puts it into effect in memory. One that cannot be
   * decided, or that is known as `poison`, is put aside and the rest goes on.
   * Throws FoldError.
   */
  command(place: Place, logged: LoggedCommand, poison: string | null): void {
    try {
      this.#command(place, logged, poison);
    } catch (error) {
      throw new FoldError(place, error);
    }
  }

  /** The same for a fact, which has no outcome. Throws FoldError. */
  fact(place: Place, fact: Fact, poison: string | null): void {
    try {
      this.#commands++;
      if (poison === null) this.#fact(place, fact);
      else this.#putAside(placeText(place), poison, JSON.stringify(fact));
    } catch (error) {
      throw new FoldError(place, error);
    }
  }

  #fact(place: Place, fact: Fact): void {
    if (fact.type === "reading") {
      this.#positions.reading(this.#state.room(fact.room), fact);
      return;
    }
    const isMemberOf = (id: RoomId, user: UserId): boolean => {
      const { kind, members } = this.#state.room(id);
      return isMember({ kind, role: members.get(user)?.role ?? null });
    };
    this.#presence.fact(fact, isMemberOf, positionMs(place.entry));
  }

  #command(place: Place, logged: LoggedCommand, poison: string | null): void {
    this.#commands++;
    const { command } = logged;
    const windowKey = this.#state.windowKey(logged);
    const at = positionMs(place.entry);
    const window = this.#state.window(windowKey);
    const copy = window.find(command.k, at);
    if (copy !== null) {
      this.#tell(place, logged, copy, true);
      return;
    }
    const room = this.#state.room(command.room);
    const decision = this.#decide(room, logged, poison);
    if (decision.outcome === "poison") {
      this.#putAside(placeText(place), decision.reason, JSON.stringify(logged));
    }
    const result = this.#effect(place, logged, room, decision);
    window.record(command.k, at, result);
    this.#windows.set(windowKey, window);
    this.#tell(place, logged, result, false);
  }

  #decide(room: Room, { command, user }: LoggedCommand, poison: string | null): Decision | Poison {
    if (poison !== null) return { outcome: "poison", reason: poison };
    try {
      const subject = this.#state.messages.subject(room, command, user, this.#historyPerRoom);
      return decide(room, command, user, subject);
    } catch (error) {
      return { outcome: "poison", reason: String(error) };
    }
  }

  #effect(
    place: Place,
    logged: LoggedCommand,
    room: Room,
    decision: Decision | Poison,
  ): CommandResult {
    if (decision.outcome === "poison") return { status: "rejected", code: "internal" };
    if (decision.outcome === "rejected") return { status: "rejected", code: decision.code };
    const { command } = logged;
    if (command.type === "markUnread") return this.#markUnread(room, logged.user, command.message);
    if (decision.outcome === "nothing") return { status: "applied", seq: decision.seq };
    const { event } = decision;
    const prev = room.headId;
    if (!this.#moved.has(room)) this.#moved.set(room, room.head);
    const id = commandPosition(place.entry, place.index);
    evolve(room, event, id);
    this.#events[event.type] = (this.#events[event.type] ?? 0) + 1;
    const { user: by, device } = logged;
    const cause = { seq: room.head, id, by, device, k: command.k };
    const entry = conversationEntry(room, prev, event, cause);
    this.#positions.happened(room, event, by, this.#messages.former(room, event));
    this.#messages.happened(room, event, cause);
    const key = this.#keys.conversation(this.#partition, room.id);
    appendEntry(this.#operations, key, entry);
    this.#payloads.push(this.#operations.blobs.length);
    this.#entries.push({ ...entry, room: room.id });
    writeMembership(this.#operations, this.#keys, this.#partition, room, event);
    if (event.type === "member.left") {
      this.#presence.memberLeft(room.id, event.user, positionMs(place.entry));
    }
    return { status: "applied", seq: room.head };
  }

  #markUnread(room: Room, user: UserId, message: Cursor): CommandResult {
    const cursor = parseCursor(message);
    const known = cursor?.epoch === room.epoch;
    if (known && this.#positions.markUnread(room, user, cursor.seq)) {
      return { status: "applied", seq: cursor.seq };
    }
    return { status: "rejected", code: "noSuchMessage" };
  }

  #tell({ edge }: Place, logged: LoggedCommand, result: CommandResult, again: boolean): void {
    const { session, command } = logged;
    const decided = this.#decided;
    if (again) decided.duplicate++;
    else if (result.status === "applied") decided.applied++;
    else decided.rejected[result.code] = (decided.rejected[result.code] ?? 0) + 1;
    this.#outcomes.push({ edge, session, k: command.k, room: command.room, result, again });
  }

  /** A log entry that cannot be read at all. */
  deadEntry(entry: Position, reason: string, bytes: Uint8Array): void {
    this.#putAside(entry, reason, Buffer.from(bytes).toString("base64"));
  }

  #putAside(position: string, reason: string, content: string): void {
    this.#deadLetters++;
    const key = this.#keys.dead(this.#partition);
    const fields = ["position", position, "reason", reason, "content", content];
    this.#operations.append(key, "*", fields);
    this.#operations.trim(key, DEAD_LETTERS_KEPT);
  }

  /** The batch between the checkpoint `from` and the entry `to`. */
  finish(range: { from: Position; first: Position; to: Position; entries: number }): Batch {
    for (const [room, before] of this.#moved) {
      const keys = {
        room: this.#keys.room(this.#partition, room.id),
        conversation: this.#keys.conversation(this.#partition, room.id),
      };
      writeHead(this.#operations, keys, room, before, this.#historyPerRoom);
    }
    this.#positions.finish(this.#operations);
    this.#messages.finish(this.#operations, this.#moved.keys());
    for (const [key, window] of this.#windows) writeWindow(this.#operations, key, window);
    const carried = this.#payloadBytes() <= BELL_INLINE_BYTES;
    const rooms: RoomId[] = carried ? [] : [...this.#moved.keys()].map((room) => room.id);
    const presence = this.#presence.finish(this.#operations);
    const bellHeader = packBellHeader({
      from: range.from,
      to: range.to,
      outcomes: this.#outcomes,
      entries: carried ? this.#entries : [],
      rooms,
      ...(presence.length > 0 && { presence }),
      ...(this.#positions.moved.length > 0 && { marks: this.#positions.moved }),
      ...(this.#positions.switched.length > 0 && { switched: this.#positions.switched }),
    });
    return {
      ...range,
      commands: this.#commands,
      operations: this.#operations,
      bellHeader,
      inline: carried ? this.#payloads : [],
      deadLetters: this.#deadLetters,
      decided: this.#decided,
      presence: this.#presence.steps,
      events: this.#events,
      positions: this.#positions.moved.length,
    };
  }

  #payloadBytes(): number {
    return this.#entries.reduce((sum, { payload }) => sum + payload.length, 0);
  }
}

interface Poison {
  readonly outcome: "poison";
  readonly reason: string;
}
