/** Compares a deployment at rest with the reference, property by property. */
import { decodeEntry } from "../../src/protocol/codec.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { pipeline, type Redis } from "../../src/redis/connect.ts";
import type { Position } from "../../src/redis/position.ts";
import { readEntries, readHash } from "../../src/redis/replies.ts";
import { readBell } from "../../src/streams/bell.ts";
import { unpackCommands } from "../../src/streams/command-log.ts";
import { readConversationEntry } from "../../src/streams/conversation.ts";
import { CORE_GROUP, type Keys } from "../../src/streams/keys.ts";
import { readMembershipChange, type MembershipChange } from "../../src/streams/outbox.ts";
import type { PartitionId } from "../../src/streams/partitions.ts";
import type { ReferenceRoom } from "./message-reference.ts";
import { nameOf, Reference } from "./reference.ts";

export const PROPERTIES = [
  "accepted commands are in the log",
  "every command has its outcome in the end",
  "a command takes effect once",
  "a conversation is the log of its room, decided in order",
  "seq is dense",
  "previous ids chain",
  "commands of a device take effect in its order",
  "rooms and members follow from the log",
  "at rest nothing is pending and the checkpoint is at the tail",
  "bells form a chain and tell every outcome once",
] as const;
export type Property = (typeof PROPERTIES)[number];

export interface Violation {
  readonly property: Property;
  readonly detail: string;
}

export class Verification {
  readonly violations: Violation[] = [];
  readonly reference = new Reference();
  /** Commands in the log, copies included. */
  commands = 0;
  readonly #redis: Redis;
  readonly #keys: Keys;

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** `accepted` names the commands that some edge has acknowledged. */
  async run(accepted: ReadonlySet<string>): Promise<readonly Violation[]> {
    for (const partition of this.#keys.all()) await this.#partition(partition);
    for (const name of accepted) {
      this.#hold("accepted commands are in the log", this.reference.results.has(name), name);
    }
    for (const [name, room] of this.reference.rooms) await this.#room(name as RoomId, room);
    await this.#lists();
    return this.violations;
  }

  #hold(property: Property, holds: boolean, detail: string): void {
    if (!holds) this.violations.push({ property, detail });
  }

  async #call(...command: readonly (string | number)[]): Promise<unknown> {
    const [reply] = await pipeline(this.#redis, [command]);
    return reply;
  }

  async #partition(partition: PartitionId): Promise<void> {
    const events = this.#keys.events(partition);
    const log = readEntries(await this.#call("XRANGE", events, "-", "+"));
    let commands = 0;
    const own = new Set<string>();
    for (const { id, fields } of log) {
      unpackCommands(fields[1] as Buffer).commands.forEach((logged, index) => {
        commands++;
        own.add(nameOf(logged));
        this.reference.take(id, index, logged);
      });
    }
    if (log.length === 0) return;
    this.commands += commands;
    await this.#atRest(partition, log.at(-1)?.id as Position, log.length, commands);
    await this.#bells(partition, log.at(-1)?.id as Position, own.size);
  }

  async #atRest(
    partition: PartitionId,
    tail: Position,
    entries: number,
    commands: number,
  ): Promise<void> {
    const property = "at rest nothing is pending and the checkpoint is at the tail";
    const checkpoint = readHash(await this.#call("HGETALL", this.#keys.checkpoint(partition)));
    const { id, ...counts } = Object.fromEntries(checkpoint);
    this.#hold(property, id === tail, `checkpoint ${id}, tail ${tail}`);
    const expected = { commands: String(commands), entries: String(entries) };
    const same = counts["commands"] === expected.commands && counts["entries"] === expected.entries;
    this.#hold(property, same, `${JSON.stringify(counts)}, log ${JSON.stringify(expected)}`);

    const groups = (await this.#call("XINFO", "GROUPS", this.#keys.events(partition))) as unknown[];
    const group = readHash((groups[0] as unknown[]).map((field) => field ?? "nil"));
    this.#hold(property, group.get("name") === CORE_GROUP, `group ${group.get("name")}`);
    this.#hold(property, group.get("pending") === "0", `pending ${group.get("pending")}`);
    this.#hold(property, group.get("lag") === "0", `lag ${group.get("lag")}`);
    const delivered = group.get("last-delivered-id");
    this.#hold(property, delivered === tail, `delivered ${delivered}, tail ${tail}`);
  }

  async #bells(partition: PartitionId, tail: Position, commands: number): Promise<void> {
    const property = "bells form a chain and tell every outcome once";
    const bells = readEntries(await this.#call("XRANGE", this.#keys.bell(partition), "-", "+"));
    let at = "0-0";
    let first = 0;
    for (const { id, fields } of bells) {
      const bell = readBell(fields);
      this.#hold(property, bell.from === at, `bell ${id} from ${bell.from} after ${at}`);
      at = bell.to;
      first += bell.outcomes.filter(({ again }) => !again).length;
    }
    this.#hold(property, at === tail, `last bell to ${at}, tail ${tail}`);
    this.#hold(property, first === commands, `${first} first outcomes of ${commands} commands`);
  }

  async #room(name: RoomId, expected: ReferenceRoom): Promise<void> {
    const partition = this.#keys.partitionOf(name);
    const key = this.#keys.conversation(partition, name);
    const stored = readEntries(await this.#call("XRANGE", key, "-", "+"));
    const seen = new Set<string>();
    const newest = new Map<string, number>();
    let prev = "0-0";
    stored.forEach(({ id, fields }, i) => {
      const entry = readConversationEntry(id, fields);
      const { by, device, k, event, seq } = decodeEntry(entry.payload);
      const at = `${name} ${id}`;
      this.#hold("previous ids chain", entry.prev === prev, `${at} after ${prev}: ${entry.prev}`);
      prev = id;
      this.#hold("seq is dense", entry.seq === i + 1 && seq === i + 1, `${at}: ${entry.seq}`);
      const command = `${by}/${device}/${k}`;
      this.#hold("a command takes effect once", !seen.has(command), `${at}: ${command}`);
      seen.add(command);
      const last = newest.get(`${by}/${device}`) ?? 0;
      const inOrder = k > last;
      this.#hold(
        "commands of a device take effect in its order",
        inOrder,
        `${at}: ${k} after ${last}`,
      );
      newest.set(`${by}/${device}`, k);
      const same = JSON.stringify({ id, by, device, k, event });
      const wanted = JSON.stringify(expected.entries[i]);
      const property = "a conversation is the log of its room, decided in order";
      this.#hold(property, same === wanted, `${name} at ${i}: ${same}, not ${wanted}`);
    });
    const property = "a conversation is the log of its room, decided in order";
    const counts = `${name}: ${stored.length} entries, not ${expected.entries.length}`;
    this.#hold(property, stored.length === expected.entries.length, counts);
    await this.#roomRecord(name, expected);
  }

  async #roomRecord(name: RoomId, expected: ReferenceRoom): Promise<void> {
    const property = "rooms and members follow from the log";
    const partition = this.#keys.partitionOf(name);
    const record = readHash(await this.#call("HGETALL", this.#keys.room(partition, name)));
    const head = {
      kind: expected.kind,
      name: expected.name,
      seq: String(expected.entries.length),
      id: expected.entries.at(-1)?.id,
    };
    for (const [field, value] of Object.entries(head)) {
      this.#hold(property, record.get(field) === value, `${name}.${field}: ${record.get(field)}`);
    }
    const members = readHash(await this.#call("HGETALL", this.#keys.members(partition, name)));
    const sorted = (map: ReadonlyMap<string, string>): string =>
      JSON.stringify([...map].map((pair) => pair.join("=")).sort((a, b) => (a < b ? -1 : 1)));
    const same = sorted(members) === sorted(expected.members);
    this.#hold(property, same, `${name}: ${sorted(members)}, not ${sorted(expected.members)}`);
  }

  /** In the lists of the users, or still on the way there: the newest change is what holds. */
  async #lists(): Promise<void> {
    const property = "rooms and members follow from the log";
    const newest = new Map<string, { seq: number; role: string | null }>();
    const note = (name: string, change: { seq: number; role: string | null }): void => {
      if ((newest.get(name)?.seq ?? 0) < change.seq) newest.set(name, change);
    };
    // The outbox first: what is taken in between the two reads is seen twice and not never.
    for (const partition of this.#keys.all()) {
      const reply = await this.#call("XRANGE", this.#keys.outbox(partition), "-", "+");
      for (const { fields } of readEntries(reply)) {
        const change = readMembershipChange(fields) as MembershipChange;
        note(`${change.room} ${change.user}`, change);
      }
    }
    // What a user has left is known by its seq alone.
    const prefix = this.#keys.config().replace(/chat:cfg$/, "");
    for (const key of (await this.#call("KEYS", `${prefix}{*}:list:*`)) as Buffer[]) {
      const name = key.toString();
      const user = name.slice(name.indexOf(":list:") + ":list:".length);
      for (const [room, value] of readHash(await this.#call("HGETALL", name))) {
        const [seq, role] = value.split(":") as [string, string];
        note(`${room} ${user}`, { seq: Number(seq), role });
      }
    }
    for (const key of (await this.#call("KEYS", `${prefix}{*}:list-left:*`)) as Buffer[]) {
      const name = key.toString();
      const user = name.slice(name.indexOf(":list-left:") + ":list-left:".length);
      for (const [room, seq] of readHash(await this.#call("HGETALL", name))) {
        note(`${room} ${user}`, { seq: Number(seq), role: null });
      }
    }
    const told = [...newest].filter(([, { role }]) => role !== null);
    let count = 0;
    for (const [room, { members }] of this.reference.rooms) {
      for (const [user, role] of members) {
        count++;
        const known = newest.get(`${room} ${user}`);
        this.#hold(property, `${known?.role}:${known?.seq}` === role, `${room} ${user}: ${role}`);
      }
    }
    this.#hold(property, told.length === count, `${told.length} memberships, not ${count}`);
  }
}
