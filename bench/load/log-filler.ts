/** Puts commands into the log as edges do, before or without any edge: rooms that are made, joined and spoken in. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import type { CommandNumber, DeviceId, RoomId, UserId } from "../../src/protocol/ids.ts";
import type { Redis } from "../../src/redis/connect.ts";
import { runScripts, Script, type ScriptCall } from "../../src/redis/script.ts";
import { packCommands, type LoggedCommand } from "../../src/streams/command-log.ts";
import type { Keys } from "../../src/streams/keys.ts";

const BACKLOG_MAX = 100_000_000;
const APPENDS_AT_ONCE = 200;
const DEVICE = "bench" as DeviceId;

export interface Filling {
  readonly rooms: number;
  /** All of them in every room: one makes it, the others join, then they speak in turn. */
  readonly membersPerRoom: number;
  /** As many in all; who is in one room is in its neighbours too when they are fewer. */
  readonly users: number;
  /** Of each room: what makes it and who joins included. */
  readonly commandsPerRoom: number;
  readonly commandsPerEntry: number;
  readonly text: string;
}

export const filledRoom = (r: number): RoomId => `r${r}` as RoomId;

/** Room after room, some commands each, until all have theirs. Returns how many commands in all. */
export async function fillLog(redis: Redis, keys: Keys, filling: Filling): Promise<number> {
  const { rooms, commandsPerRoom, commandsPerEntry } = filling;
  const append = new Script<unknown>({
    file: pathToFileURL(resolve("src/ingest/append.lua")),
    keys: ["events", "log", "checkpoint"],
    args: ["commands", "backlogMax", "batch"],
    decode: (reply) => reply,
  });
  const numbers = new Float64Array(filling.users);
  let batch: ScriptCall<unknown>[] = [];
  const leave = async (): Promise<void> => {
    const refused = (await runScripts(redis, batch)).find((reply) => reply instanceof Error);
    if (refused) throw refused as Error;
    batch = [];
  };
  for (let at = 0; at < commandsPerRoom; at += commandsPerEntry) {
    const count = Math.min(commandsPerEntry, commandsPerRoom - at);
    for (let r = 0; r < rooms; r++) {
      const commands = Array.from({ length: count }, (_, i) =>
        commandOf(filling, numbers, r, at + i),
      );
      const partition = keys.partitionOf(filledRoom(r));
      const on = [keys.events(partition), keys.log(partition), keys.checkpoint(partition)];
      batch.push(append.call(on, [count, BACKLOG_MAX, packCommands("bench", commands)]));
      if (batch.length >= APPENDS_AT_ONCE) await leave();
    }
  }
  await leave();
  return commandsPerRoom * rooms;
}

/** The command with this index in its room; `numbers` are the last ones that the users gave. */
function commandOf(
  filling: Filling,
  numbers: Float64Array,
  r: number,
  index: number,
): LoggedCommand {
  const { membersPerRoom, users, text } = filling;
  const userIndex = (r + (index % membersPerRoom)) % users;
  const user = `user-${userIndex}` as UserId;
  const k = (numbers[userIndex] as number) + 1;
  numbers[userIndex] = k;
  const common = { k: k as CommandNumber, room: filledRoom(r) };
  const origin = { session: 1, user, device: DEVICE };
  if (index === 0) {
    const command = { ...common, kind: "public", name: common.room, members: [user] } as const;
    return { ...origin, command: { type: "create", ...command } };
  }
  if (index < membersPerRoom) return { ...origin, command: { type: "join", ...common } };
  return { ...origin, command: { type: "send", ...common, text } };
}
