/**
 * What a log means, written a second time in the plainest words: no cache, no
 * batches, no window. The engine is compared with this.
 */
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { ChatEvent } from "../../src/protocol/frames.ts";
import type { CommandResult } from "../../src/streams/bell.ts";
import type { Seq, UserId } from "../../src/protocol/ids.ts";
import type { Command, LoggedCommand } from "../../src/streams/command-log.ts";
import { decideChange, type ReferenceEntry, type ReferenceRoom } from "./message-reference.ts";

/** Names one command, however often it was sent. */
export function nameOf({ user, device, command }: LoggedCommand): string {
  return `${user}/${device}/${command.k}`;
}

export class Reference {
  readonly rooms = new Map<string, ReferenceRoom>();
  readonly results = new Map<string, CommandResult>();
  readonly #kept: number;

  /** `kept`: entries of a room whose messages may be changed. */
  constructor(kept = Number.POSITIVE_INFINITY) {
    this.#kept = kept;
  }

  /** Takes commands in the order of the log. */
  take(entry: string, index: number, logged: LoggedCommand): void {
    const name = nameOf(logged);
    if (this.results.has(name)) return;
    const { user, device, command } = logged;
    const decided = this.#decide(user, command);
    if (typeof decided === "string") {
      this.results.set(name, { status: "rejected", code: decided });
      return;
    }
    if (typeof decided === "number") {
      this.results.set(name, { status: "applied", seq: decided as Seq });
      return;
    }
    const [ms, n] = entry.split("-");
    const id = `${ms}-${BigInt(n as string) * 4_096n + BigInt(index)}`;
    const seq = this.#happen(command.room, { id, by: user, device, k: command.k, event: decided });
    this.results.set(name, { status: "applied", seq: seq as Seq });
  }

  /** An event, the seq that had it done already, or why not. */
  #decide(user: UserId, command: Command): ChatEvent | number | ErrorCode {
    const room = this.rooms.get(command.room);
    if (!room) {
      if (command.type !== "create") return "forbidden";
      return { type: "room.created", ...pick(command) };
    }
    const [role, since] = (room.members.get(user) ?? "stranger:0").split(":") as [string, string];
    const inside = role === "owner" || role === "member";
    if (command.type === "join") {
      if (inside) return Number(since);
      const open = room.kind === "public" || role === "invited";
      return open ? { type: "member.joined", user } : "forbidden";
    }
    if (!inside) return "forbidden";
    switch (command.type) {
      case "create":
        return room.kind === "direct" ? Number(since) : "roomExists";
      case "send":
      case "edit":
      case "delete":
      case "react":
      case "unreact":
      case "pin":
      case "unpin":
        return decideChange(room, user, command, this.#kept);
      case "markUnread":
        return 0;
      case "leave":
        return room.kind === "direct" ? "notAllowed" : { type: "member.left", user };
      case "rename":
        if (role !== "owner") return "notAllowed";
        if (command.name === room.name) return room.entries.length;
        return { type: "room.renamed", name: command.name };
      case "setReceipts":
        if (role !== "owner") return "notAllowed";
        if (command.on === room.receiptsOn) return room.entries.length;
        return { type: "room.receiptsSet", on: command.on };
      case "invite": {
        if (room.kind === "direct") return "notAllowed";
        const known = room.members.get(command.user);
        if (known !== undefined) return Number(known.split(":")[1]);
        return { type: "member.invited", user: command.user };
      }
    }
  }

  #happen(name: string, entry: ReferenceEntry): number {
    const { event } = entry;
    if (event.type === "room.created") {
      const { kind, name: title } = event;
      const fresh = { kind, name: title, receiptsOn: true, members: new Map(), entries: [] };
      this.rooms.set(name, fresh);
    }
    const room = this.rooms.get(name) as ReferenceRoom;
    const seq = room.entries.push(entry);
    if (event.type === "room.created") {
      const role = event.kind === "direct" ? "member" : "owner";
      for (const user of event.members) room.members.set(user, `${role}:${seq}`);
    }
    if (event.type === "room.renamed") room.name = event.name;
    if (event.type === "room.receiptsSet") room.receiptsOn = event.on;
    if (event.type === "member.left") room.members.delete(event.user);
    if (event.type === "member.joined") room.members.set(event.user, `member:${seq}`);
    if (event.type === "member.invited") room.members.set(event.user, `invited:${seq}`);
    return seq;
  }
}

function pick({ kind, name, members }: Command & { type: "create" }): {
  kind: "public" | "private" | "direct";
  name: string;
  members: readonly UserId[];
} {
  return { kind, name, members };
}
