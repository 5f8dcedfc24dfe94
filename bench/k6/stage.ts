/** Before the first VU: the rooms, what is in them already, and when everybody talks. */
import type { RoomId } from "../../src/protocol/ids.ts";
import { Device } from "./device.ts";
import { formatMessage } from "./message-text.ts";
import type { Plan } from "./plan.ts";

/** Room for the upgrades of one socket and its join, on a busy machine. */
const RAMP_MS_PER_SOCKET = 15;
const MARGIN_MS = 1_000;
/** Messages of the founder on their way at once. */
const SEEDS_AT_ONCE = 500;

/** In ms since 1970. */
export interface Stage {
  /** Sockets connect one after the other from here on. */
  readonly openMs: number;
  readonly talkFromMs: number;
  readonly talkUntilMs: number;
}

/** When the socket with this index connects, after the first. */
export function rampMs(index: number): number {
  return index * RAMP_MS_PER_SOCKET;
}

export function roomOf(plan: Plan, index: number): RoomId {
  return `k6-${plan.run}-${index % plan.rooms}` as RoomId;
}

/** Whoever filled the rooms has said a last message in each. */
export function speakersBefore(plan: Plan): number {
  return plan.messages > 0 ? 1 : 0;
}

export function urlOf(plan: Plan, index: number): string {
  return plan.urls[index % plan.urls.length] as string;
}

export async function setStage(plan: Plan, sockets: number): Promise<Stage> {
  const founder = new Device({
    plan,
    url: urlOf(plan, 0),
    user: `founder-${plan.run}`,
    device: "founder",
    tickets: false,
  });
  await founder.connect();
  for (let i = 0; i < plan.rooms; i++) {
    const room = roomOf(plan, i);
    await founder.perform({ type: "create", room, kind: "public", name: room });
    await fill(founder, room, plan.messages);
  }
  founder.leave();
  const openMs = Date.now() + MARGIN_MS;
  const talkFromMs = openMs + rampMs(sockets) + MARGIN_MS;
  return { openMs, talkFromMs, talkUntilMs: talkFromMs + plan.seconds * 1_000 };
}

async function fill(founder: Device, room: RoomId, messages: number): Promise<void> {
  for (let n = 1; n <= messages;) {
    const batch: Promise<unknown>[] = [];
    for (; n <= messages && batch.length < SEEDS_AT_ONCE; n++) {
      const text = formatMessage({ n, dueMs: Date.now(), late: false, last: n === messages });
      batch.push(founder.perform({ type: "send", room, text }));
    }
    await Promise.all(batch);
  }
}
