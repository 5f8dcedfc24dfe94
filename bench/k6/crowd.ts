/** Sockets that talk in rooms, and see to it that they hear everything. */
import { check } from "k6";
import exec from "k6/execution";
import http from "k6/http";

import { authorized } from "./credentials.ts";
import { Device } from "./device.ts";
import * as measures from "./measures.ts";
import type { Plan } from "./plan.ts";
import { RoomLedger } from "./room-ledger.ts";
import { pause, until } from "./moments.ts";
import { rampMs, roomOf, speakersBefore, urlOf, type Stage } from "./stage.ts";

/** After the last word: time for everything to arrive, then the run is incomplete. */
export const DRAIN_MS_MAX = 30_000;
/** After everything has arrived: time for something to arrive twice. */
const LINGER_MS = 500;
const POLL_MS = 50;
/** Between two times at which somebody says how far they have read. */
const READ_MS = 500;

export interface Absence {
  /** Ms after talking began. */
  readonly atMs: number;
  readonly forMs: number;
}

/** What is the same for all sockets of a scenario. */
export interface Rules {
  readonly tickets: boolean;
  /** Everybody attends, types before they speak, and reads along. */
  readonly lively: boolean;
  /** How many speak in the whole run: the sockets with the lowest indexes. */
  readonly speakers: number;
  readonly absences: () => readonly Absence[];
}

/** The part of one socket in a run. */
export interface Part extends Rules {
  /** Counts the sockets of the run, from 0: decides on room, edge and turn. */
  readonly index: number;
  readonly user: string;
}

/** Every socket of this VU. */
export async function takeParts(plan: Plan, stage: Stage, rules: Rules): Promise<void> {
  measures.announceZeros();
  const vu = exec.vu.idInTest - 1;
  const user = `u${plan.run}-${vu}`;
  const indexes = Array.from({ length: plan.sockets }, (_, i) => vu * plan.sockets + i);
  await Promise.all(indexes.map((index) => takePart(plan, stage, { ...rules, index, user })));
}

/** Connects, joins, talks, waits until it has heard everything, and leaves. */
export async function takePart(plan: Plan, stage: Stage, part: Part): Promise<void> {
  const { index, user, tickets, speakers } = part;
  const room = roomOf(plan, index);
  const ledger = new RoomLedger(
    room,
    inRoom(plan, speakers, index) + speakersBefore(plan),
    measures.reportFault,
  );
  const device = new Device({
    plan,
    url: urlOf(plan, index),
    user,
    device: `d${plan.run}-${index}`,
    tickets,
  });
  await until(stage.openMs + rampMs(index));
  await device.connect();
  const joined = await device.perform({ type: "join", room });
  await device.follow(ledger);
  check(joined, { "joined the room": (outcome) => outcome === "applied" });

  const away = absent(device, stage, part.absences());
  if (part.lively) {
    device.attend();
    void readAlong(device, stage);
  }
  if (index < speakers) await talk(plan, stage, { device, turn: index / speakers, speakers });
  await away;
  await until(stage.talkUntilMs);
  const deadlineMs = Date.now() + DRAIN_MS_MAX;
  while (!(ledger.isComplete && device.isSettled) && Date.now() < deadlineMs) await pause(POLL_MS);
  await pause(LINGER_MS);
  if (index < plan.rooms) await checkHead(plan, user, ledger);
  check(ledger, {
    "heard everybody to the end": () => ledger.isComplete,
    "nothing missing, doubled or out of order": () => ledger.faults === 0,
    "every command has its outcome": () => device.isSettled,
  });
  measures.finished.add(1);
  device.leave();
}

interface Speaker {
  readonly device: Device;
  /** From 0 to 1: so that not all speak at once. */
  readonly turn: number;
  readonly speakers: number;
}

/**
 * By the clock and not after answers: a stall of the engine shows in all messages that were due
 * meanwhile, because their latency counts from when they were due.
 */
async function talk(plan: Plan, stage: Stage, { device, turn, speakers }: Speaker): Promise<void> {
  const periodMs = (speakers / plan.rate) * 1_000;
  const firstMs = stage.talkFromMs + turn * periodMs;
  // Everybody says something; a last word at one moment for all would be a load of its own.
  const turns = Math.max(1, Math.ceil((stage.talkUntilMs - firstMs) / periodMs));
  const missed = Math.max(0, Math.ceil((Date.now() - firstMs) / periodMs));
  let n = 0;
  for (let i = Math.min(missed, turns - 1); i < turns; i++) {
    const dueMs = Math.min(firstMs + i * periodMs, stage.talkUntilMs);
    await until(dueMs);
    n++;
    if (i % 2 === 0) device.typing();
    device.say({ n, dueMs, late: !device.isFollowing, last: i === turns - 1 });
  }
}

async function readAlong(device: Device, stage: Stage): Promise<void> {
  while (Date.now() < stage.talkUntilMs) {
    await pause(READ_MS);
    device.readAlong();
  }
}

async function absent(device: Device, stage: Stage, absences: readonly Absence[]): Promise<void> {
  for (const { atMs, forMs } of absences) {
    await until(stage.talkFromMs + atMs);
    device.drop();
    await pause(forMs);
    await device.connect();
  }
}

/** How many of the first `speakers` sockets are in the room of this one. */
function inRoom(plan: Plan, speakers: number, index: number): number {
  const place = index % plan.rooms;
  return place < speakers ? Math.ceil((speakers - place) / plan.rooms) : 0;
}

/** What was read is compared with what the server says is there. */
async function checkHead(plan: Plan, user: string, ledger: RoomLedger): Promise<void> {
  const address = `${urlOf(plan, 0)}/v1/rooms/${ledger.room}`;
  const room = await http.asyncRequest("GET", address, null, authorized(plan, user, "room"));
  check(room, { "read up to the head of the room": () => room.json("head") === ledger.lastSeq });
}
