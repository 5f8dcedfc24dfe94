/** Just enough of a server for the terminal chat: rooms in memory, everybody may join. */
import type { RequestListener } from "node:http";
import { parseCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { ChatEvent, ClientCommand, ClientFrame, Entry } from "../../src/protocol/frames.ts";
import type { Epoch, RoomId, Seq, UserId } from "../../src/protocol/ids.ts";
import { entryAt, ScriptedServer, type Peer } from "../client/scripted-server.ts";

export class TinyChat {
  readonly rooms = new Map<RoomId, Entry[]>();
  readonly members = new Map<RoomId, Set<string>>();
  readonly server: ScriptedServer;
  peer: Peer | null = null;
  /** Commands that change messages; they are said to be in effect. */
  readonly changes: ClientCommand[] = [];
  /** Of a newest page. */
  pageEntries = 1_000;
  /** While true, commands are read and not answered. */
  silent = false;
  readonly #user: string;

  private constructor(server: ScriptedServer, user: string) {
    this.server = server;
    this.#user = user;
    void this.#serve();
  }

  static async start(user: string, onRequest?: RequestListener): Promise<TinyChat> {
    return new TinyChat(await ScriptedServer.start(onRequest), user);
  }

  open(room: string, entries: Entry[], members: string[] = []): void {
    this.rooms.set(room as RoomId, entries);
    this.members.set(room as RoomId, new Set(members));
  }

  /** Appends an entry and pushes it. */
  happen(room: string, by: string, event: ChatEvent, fields: Partial<Entry> = {}): Seq {
    const entries = this.rooms.get(room as RoomId) ?? [];
    const entry = entryAt(entries.length + 1, { by: by as UserId, event, ...fields });
    entries.push(entry);
    this.rooms.set(room as RoomId, entries);
    this.peer?.send({ type: "entries", room: room as RoomId, entries: [entry] });
    return entry.seq;
  }

  async #serve(): Promise<void> {
    for (;;) {
      const peer = await this.server.peer();
      const { device } = await peer.next("hello");
      this.peer = peer;
      peer.welcome({ user: this.#user as UserId });
      void this.#talk(peer, device);
    }
  }

  async #talk(peer: Peer, device: Entry["device"]): Promise<void> {
    while (!peer.closed) {
      const frame = peer.inbox.shift();
      if (frame) this.#answer(peer, frame, device);
      else await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  #answer(peer: Peer, frame: ClientFrame, device: Entry["device"]): void {
    if (frame.type === "resume") {
      for (const { room, cursor } of frame.rooms) this.#resume(peer, room, cursor);
    } else if ("k" in frame && !this.silent) {
      this.#obey(peer, frame, device);
    }
  }

  #resume(peer: Peer, room: RoomId, cursor: Cursor | null): void {
    const head = { room, epoch: 1 as Epoch };
    if (!this.members.get(room)?.has(this.#user)) {
      return peer.resumed([], { ...head, status: "refused" });
    }
    const entries = this.rooms.get(room) ?? [];
    const newest = Math.max(0, entries.length - this.pageEntries);
    const known = cursor === null ? newest : (parseCursor(cursor)?.seq ?? 0);
    const status = cursor === null ? "snapshot" : "ok";
    peer.resumed(entries.slice(known), { ...head, status, head: entries.length as Seq });
  }

  #obey(peer: Peer, command: ClientCommand, device: Entry["device"]): void {
    const { k } = command;
    const room = "room" in command && command.room !== null ? command.room : ("dm.x" as RoomId);
    const members = this.members.get(room);
    if (command.type === "create" || command.type === "direct") {
      const name = command.type === "create" ? command.name : "direct";
      this.open(room, [], [this.#user]);
      this.happen(room, this.#user, {
        type: "room.created",
        kind: "public",
        name,
        members: [this.#user as UserId],
      });
    } else if (!members) {
      return peer.send({ type: "rejected", k, code: "forbidden" });
    }
    if (command.type === "join") {
      members?.add(this.#user);
      this.happen(room, this.#user, { type: "member.joined", user: this.#user as UserId });
    }
    const copy = this.rooms.get(room)?.find((entry) => entry.device === device && entry.k === k);
    if (copy) return peer.send({ type: "applied", k, room, seq: copy.seq, again: true });
    if (command.type === "send") {
      const event = { type: "message.sent", text: command.text } as const;
      return void this.happen(room, this.#user, event, { device, k });
    }
    if ("message" in command) this.changes.push(command);
    const seq = (this.rooms.get(room)?.length ?? 0) as Seq;
    peer.send({ type: "applied", k, room, seq, again: false });
  }
}
