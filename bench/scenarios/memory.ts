/**
 * What rooms cost in Redis. Everything is taken away again, kind after kind, and
 * what `used_memory` falls by is what that kind had cost: MEMORY USAGE leaves out
 * what the allocator rounds up and what stream nodes keep in reserve.
 */
import { redisUsage } from "../engine/redis-usage.ts";
import { PARTITIONS, Stack } from "../engine/stack.ts";
import { fillLog, type Filling } from "../load/log-filler.ts";
import { appliedCommands, checkStoredRooms, type StoredRooms } from "../load/stored-rooms.ts";
import type { Redis } from "../../src/redis/connect.ts";
import { Keys } from "../../src/streams/keys.ts";
import { reportOutboxes } from "../../src/streams/outbox-report.ts";
import type { Bench, Scenario } from "./scenario.ts";

const MEMBERS_PER_ROOM = 4;
/** As many messages in all, whatever the rooms hold. */
const MESSAGES = { full: 200_000, quick: 400 } as const;
const ROOMS_MAX = 20_000;
const MESSAGES_PER_ROOM = [1, 10, 100, 1_000] as const;
const QUICK_MESSAGES_PER_ROOM = [1, 10] as const;
const TEXT_BYTES = [64, 300] as const;
const COMMANDS_PER_ENTRY = 5;
const POLL_MS = 50;
const SCAN_COUNT = 1_000;
/** What the design allows a room: this many times its payloads, and these bytes. */
const TARGET = { payloadRatio: 1.3, roomBytes: 1_536 } as const;

/** Of what is in Redis, by the pattern of its keys, in the order in which it is taken away. */
const KINDS = {
  log: "{*}:events",
  bells: "{*}:bell",
  devices: "{*}:device:*",
  roomsOfUsers: "{*}:list:*",
  members: "{*}:members:*",
  roomHeads: "{*}:room:*",
  histories: "{*}:conv:*",
} as const;
type Kind = keyof typeof KINDS;

interface Case extends Omit<StoredRooms, "entries"> {
  readonly rooms: number;
  readonly membersPerRoom: number;
  readonly messagesPerRoom: number;
  readonly textBytes: number;
  readonly commands: number;
  readonly entries: number;
  /** Together, of all rooms. */
  readonly bytes: Readonly<Record<Kind, number>>;
  readonly keys: Readonly<Record<Kind, number>>;
  /** Histories, heads and members: what the target is for. */
  readonly roomBytes: number;
  readonly targetBytes: number;
}

export const memory: Scenario = {
  name: "memory",
  about:
    "Redis memory of rooms of 4 with 1 to 1,000 messages of 64 and of 300 B, by what it is for",
  points: "messages a room",
  async run(bench) {
    const cases: Case[] = [];
    const sizes = bench.points ?? (bench.quick ? QUICK_MESSAGES_PER_ROOM : MESSAGES_PER_ROOM);
    for (const messagesPerRoom of sizes) {
      for (const textBytes of TEXT_BYTES) {
        cases.push(await measure(bench, messagesPerRoom, textBytes));
      }
    }
    const faults = cases
      .filter(({ lost, doubled, reordered }) => lost + doubled + reordered > 0)
      .map((found) => `${found.messagesPerRoom} of ${found.textBytes} B: ${complete(found)}`);
    return { cases, table: [HEAD, ...cases.map(row)], faults };
  },
};

async function measure(bench: Bench, messagesPerRoom: number, textBytes: number): Promise<Case> {
  const messages = MESSAGES[bench.quick ? "quick" : "full"];
  const rooms = Math.max(1, Math.min(ROOMS_MAX, Math.floor(messages / messagesPerRoom)));
  const filling: Filling = {
    rooms,
    membersPerRoom: MEMBERS_PER_ROOM,
    users: Math.max(MEMBERS_PER_ROOM, rooms),
    commandsPerRoom: MEMBERS_PER_ROOM + messagesPerRoom,
    commandsPerEntry: COMMANDS_PER_ENTRY,
    text: ".".repeat(textBytes),
  };
  const say = (text: string): void =>
    bench.say(`${rooms} rooms with ${messagesPerRoom} of ${textBytes} B: ${text}`);
  const stack = await Stack.start({ edges: 0, projectors: 0, say });
  const { redis } = stack;
  const keys = new Keys(PARTITIONS);
  try {
    const commands = await fillLog(redis, keys, filling);
    await stack.addProjector();
    for (let applied = 0; applied < commands; applied = await appliedCommands(redis, keys)) {
      say(`applied ${applied} of ${commands}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    while ((await reportOutboxes(redis, keys)).some(({ changes }) => changes > 0)) {
      say("users' lists are behind");
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    // Its connections have buffers, and used_memory counts them.
    await stack.stopProjectors();
    say("checking every entry");
    const entriesPerRoom = filling.commandsPerRoom;
    const stored = await checkStoredRooms(redis, keys, { rooms, entriesPerRoom });
    const taken = await takeAway(redis);
    const { histories, roomHeads, members } = taken.bytes;
    const { payloadRatio, roomBytes } = TARGET;
    return {
      rooms,
      membersPerRoom: MEMBERS_PER_ROOM,
      messagesPerRoom,
      textBytes,
      commands,
      ...stored,
      ...taken,
      roomBytes: histories + roomHeads + members,
      targetBytes: payloadRatio * stored.payloadBytes + roomBytes * rooms,
    };
  } finally {
    await stack.stop();
  }
}

async function takeAway(redis: Redis): Promise<Pick<Case, "bytes" | "keys">> {
  const bytes = {} as Record<Kind, number>;
  const keys = {} as Record<Kind, number>;
  let before = (await redisUsage(redis)).usedBytes;
  for (const [kind, pattern] of Object.entries(KINDS) as [Kind, string][]) {
    keys[kind] = await remove(redis, pattern);
    const after = (await redisUsage(redis)).usedBytes;
    bytes[kind] = before - after;
    before = after;
  }
  return { bytes, keys };
}

async function remove(redis: Redis, pattern: string): Promise<number> {
  let removed = 0;
  let cursor = "0";
  do {
    const [next, found] = await redis.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT);
    if (found.length > 0) removed += await redis.del(found);
    cursor = next;
  } while (cursor !== "0");
  return removed;
}

function complete({ lost, doubled, reordered }: StoredRooms): string {
  return `lost ${lost} doubled ${doubled} reordered ${reordered}`;
}

const HEAD = [
  "messages a room",
  "text B",
  "rooms",
  "payload B a room",
  "B a room",
  "of it",
  "of the target",
  "history B an entry",
  "payload B an entry",
  "device window B",
  "rooms of a user B a membership",
  "log B a command",
  "complete",
];

function row(found: Case): string[] {
  const { rooms, bytes, keys, entries, payloadBytes, roomBytes, targetBytes } = found;
  const aRoom = (value: number): string => (value / rooms).toFixed(0);
  const parts = { history: bytes.histories, head: bytes.roomHeads, members: bytes.members };
  return [
    String(found.messagesPerRoom),
    String(found.textBytes),
    String(rooms),
    aRoom(payloadBytes),
    aRoom(roomBytes),
    Object.entries(parts)
      .map(([name, value]) => `${name} ${aRoom(value)}`)
      .join(", "),
    `${Math.round((roomBytes / targetBytes) * 100)} %`,
    (bytes.histories / entries).toFixed(0),
    (payloadBytes / entries).toFixed(0),
    (bytes.devices / keys.devices).toFixed(0),
    (bytes.roomsOfUsers / (rooms * found.membersPerRoom)).toFixed(0),
    (bytes.log / found.commands).toFixed(0),
    complete(found),
  ];
}
