/**
 * Everybody comes at once and wants to know who else is there; then a third drops.
 * Each has to be told of exactly those who are there, both times.
 */
import { check } from "k6";
import exec from "k6/execution";

import { crowdOptions } from "./crowd-options.ts";
import { Device } from "./device.ts";
import { givenPlan } from "./given-plan.ts";
import * as measures from "./measures.ts";
import { pause, until } from "./moments.ts";
import { RoomLedger } from "./room-ledger.ts";
import { RoomPresence } from "./room-presence.ts";
import { rampMs, roomOf, setStage, urlOf, type Stage } from "./stage.ts";
import { summaryOf } from "./summary.ts";
import { Turns } from "./turns.ts";

/** One socket in so many drops. */
const DROPPED = 3;
/** What the engine waits before it says that somebody has gone: src/edge/presence-partition.ts. */
const GRACE_MS = 5_000;
/** After everything is as it should be: time for it to change again. */
const LINGER_MS = 1_000;
/**
 * Connections that a VU makes at a time. k6 takes milliseconds for each: of all at once, some would
 * be open for longer than the engine waits for a hello before k6 came to say it.
 */
const CONNECTING_MAX = 10;

const plan = givenPlan("presence-storm");
const sockets = plan.vus * plan.sockets;
/** Of this VU: k6 runs this file for each of them. */
const turns = new Turns(CONNECTING_MAX);

export const options = crowdOptions(
  plan,
  measures.thresholds(plan, {
    finished: sockets,
    timed: [measures.presenceMs.name, measures.leavingMs.name],
    some: [measures.seen.name],
  }),
);

export const setup = (): Promise<Stage> => setStage(plan, sockets);
export const handleSummary = summaryOf(plan);

export default async function presenceStorm(stage: Stage): Promise<void> {
  measures.announceZeros();
  const first = (exec.vu.idInTest - 1) * plan.sockets;
  await Promise.all(Array.from({ length: plan.sockets }, (_, i) => takePart(stage, first + i)));
}

/** Each socket is a user of its own, because presence is of users. */
const userOf = (index: number): string => `u${plan.run}-${index}`;
const drops = (index: number): boolean => Math.floor(index / plan.rooms) % DROPPED === 0;

function usersWith(index: number, there: (other: number) => boolean): Set<string> {
  const found = new Set<string>();
  for (let other = index % plan.rooms; other < sockets; other += plan.rooms) {
    if (there(other)) found.add(userOf(other));
  }
  return found;
}

async function takePart(stage: Stage, index: number): Promise<void> {
  const room = roomOf(plan, index);
  const presence = new RoomPresence();
  const device = new Device({
    plan,
    url: urlOf(plan, index),
    user: userOf(index),
    device: "phone",
    tickets: false,
    onPresence: (frame) => presence.take(frame),
  });
  await until(stage.openMs + rampMs(index));
  await device.connect();
  await device.perform({ type: "join", room });
  device.drop();

  // The storm: nobody has a head start.
  await until(stage.talkFromMs);
  await turns.take(() => device.connect());
  await device.follow(new RoomLedger(room, 0, measures.reportFault));
  device.attend();
  const everybody = usersWith(index, () => true);
  const { talkFromMs: cameMs, talkUntilMs: droppedMs } = stage;
  const coming = { sinceMs: cameMs, untilMs: droppedMs, trend: measures.presenceMs };
  const isWhole = await sees(presence, everybody, coming);
  check(isWhole, { "saw everybody who came": (whole) => whole });

  await until(droppedMs);
  const endMs = droppedMs + GRACE_MS + plan.seconds * 1_000;
  if (!drops(index)) {
    const stayed = usersWith(index, (other) => !drops(other));
    const leaving = { sinceMs: droppedMs, untilMs: endMs, trend: measures.leavingMs };
    const isLeft = await sees(presence, stayed, leaving);
    check(isLeft, { "saw those leave who dropped, and nobody else": (left) => left });
  } else device.drop();
  // Who is done stays, because others are still counting.
  await until(endMs + LINGER_MS);
  measures.finished.add(1);
  device.leave();
}

interface Wait {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly trend: typeof measures.presenceMs;
}

/** Whether exactly these users are shown as there, in time and for a while after. */
async function sees(
  presence: RoomPresence,
  users: ReadonlySet<string>,
  { sinceMs, untilMs, trend }: Wait,
): Promise<boolean> {
  await Promise.race([presence.becomes(users), until(untilMs)]);
  if (presence.is(users)) trend.add(presence.changedMs - sinceMs);
  await pause(LINGER_MS);
  const { unseen, ghosts } = presence.compare(users);
  measures.unseen.add(unseen);
  measures.ghosts.add(ghosts);
  if (unseen + ghosts > 0) return false;
  measures.seen.add(1);
  return true;
}
