/**
 * `millrace replay`: plays chat logs through real sockets and proves that every
 * room holds exactly what its log says.
 */
import { randomBytes } from "node:crypto";

import type { ChatClient } from "../client/client.ts";
import { ConfigError, type Config, type Flags } from "../config.ts";
import { monotonicMs } from "../ops/clock.ts";
import { Lifecycle } from "../ops/lifecycle.ts";
import { createLog, type Log } from "../ops/log.ts";
import { findAuthSecret } from "./auth-secret.ts";
import { Audience } from "./replay/audience.ts";
import { Cluster } from "./replay/cluster.ts";
import { loadCorpus, type Corpus } from "./replay/corpus.ts";
import { Devices } from "./replay/devices.ts";
import { openClient, type EngineAccess } from "./replay/engine-access.ts";
import { Observer } from "./replay/observer.ts";
import type { Cast, Plan } from "./replay/plan.ts";
import { Player, type PlayedRoom } from "./replay/player.ts";
import { showProgress } from "./replay/progress.ts";
import { seededRandom, type Random } from "./replay/random.ts";
import { Reader } from "./replay/reader.ts";
import { corpusLines, isPass, reportLines, row, type Outcome } from "./replay/report.ts";
import { Tally } from "./replay/tally.ts";
import { verify } from "./replay/verify.ts";
import { verifyPeople } from "./replay/verify-people.ts";
import { readReplayOptions, type ReplayOptions } from "./replay/replay-options.ts";

/** No IRC nick holds a space, so this is nobody from a log. */
const OWNER = "replay observer";
/** Each begins at another edge. */
const OBSERVERS_PER_ROOM = 2;
const READERS = 3;
const ROOMS_AT_ONCE = 50;
/** For the readers to come to rest. */
const READERS_REST_MS = 60_000;
/** Entries of the largest room and some to spare. */
const HISTORY_SPARE = 100;

export interface ReplayRequest {
  readonly config: Config;
  readonly options: Flags;
  readonly files: readonly string[];
  /** Raised when somebody wants it to end. */
  readonly stopping: AbortSignal;
}

/** Returns the exit code: 0 only when everything is there, once and in order. */
export async function replay({ config, options, files, stopping }: ReplayRequest): Promise<number> {
  const asked = readReplayOptions(options);
  const cast = castOf(randomBytes(4).toString("hex"));
  const corpus = await loadCorpus(files, asked.seed, cast);
  say(...corpusLines(corpus));
  const log = createLog({ level: "error", format: "pretty", name: "replay" });
  const lifecycle = new Lifecycle(log);
  stopping.addEventListener("abort", () => void lifecycle.stop());
  const random = seededRandom(asked.seed);
  const cluster = asked.url === null ? newCluster({ config, corpus, log, stopping }) : null;
  try {
    await cluster?.start();
    say(row("engine", engineLine(config, asked)));
    const access = await accessTo({ config, asked, cluster, random });
    const outcome = await run({ corpus, cast, asked, access, cluster, lifecycle, log, random });
    if (stopping.aborted) return 1;
    say(...reportLines(outcome));
    return isPass(outcome) ? 0 : 1;
  } catch (error) {
    // What is said after somebody has called it off is of no interest.
    if (stopping.aborted) return 1;
    throw error;
  } finally {
    await lifecycle.stop();
    await cluster?.stop();
  }
}

/** Readers that no other run has: their lists hold the rooms of this one only. */
function castOf(run: string): Cast {
  const readers = Array.from({ length: READERS }, (_, i) => `replay reader ${i + 1} ${run}`);
  return { owner: OWNER, readers };
}

function newCluster(parts: {
  config: Config;
  corpus: Corpus;
  log: Log;
  stopping: AbortSignal;
}): Cluster {
  const { config, corpus, log, stopping: signal } = parts;
  const largest = Math.max(...corpus.plans.map(({ expected }) => expected.length));
  const historyPerRoom = Math.max(config.historyPerRoom, largest + HISTORY_SPARE);
  return new Cluster({ config, historyPerRoom, log, signal });
}

async function accessTo(parts: {
  config: Config;
  asked: ReplayOptions;
  cluster: Cluster | null;
  random: Random;
}): Promise<EngineAccess> {
  const { config, asked, cluster, random } = parts;
  const secret = cluster === null ? await findAuthSecret(config) : cluster.secret;
  if (secret === null) {
    throw new ConfigError(
      `there is no secret to sign tokens with: set AUTH_SECRET, or the DATA_DIR of the engine at ${asked.url}`,
    );
  }
  const addresses = cluster === null ? [asked.url ?? ""] : cluster.addresses;
  return { addresses, secret, audience: config.authAudience, tally: new Tally(), random };
}

interface Run {
  readonly corpus: Corpus;
  readonly cast: Cast;
  readonly asked: ReplayOptions;
  readonly access: EngineAccess;
  readonly cluster: Cluster | null;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  readonly random: Random;
}

async function run(parts: Run): Promise<Outcome> {
  const { corpus, cast, asked, access, cluster, lifecycle } = parts;
  const rooms = roomsOf(corpus.plans);
  const audience = new Audience(corpus.plans, asked.seed);
  const devices = new Devices({ access, audience });
  await createRooms(access, rooms);
  const readers = cast.readers.map(
    (user, i) => new Reader(access, { user, edge: i, rooms, random: seededRandom(asked.seed + i) }),
  );
  const observers = await observe(access, rooms);
  const player = new Player({ devices, speed: asked.speed, lifecycle });
  try {
    // One after the other: their entries have an order in the plans.
    for (const reader of readers) await reader.come();
    const playedMs = await play({ parts, rooms, player, devices, readers });
    const deadlineMs = monotonicMs() + READERS_REST_MS;
    await Promise.all(readers.map((reader) => reader.finish(deadlineMs)));
    const verdict = await verify({ access, rooms, owner: OWNER, observers });
    const attends = (nick: string): boolean => devices.attends(nick);
    const people = await verifyPeople({ access, rooms, owner: OWNER, readers, attends });
    const all = [...observers.values()].flat();
    const reconnects = [...all, ...readers].reduce(
      (sum, each) => sum + each.reconnects,
      devices.reconnects,
    );
    return {
      corpus,
      player,
      playedMs,
      speed: asked.speed,
      reconnects,
      cluster,
      kill: asked.kill,
      verdict,
      people,
      audience,
      readers,
      tally: access.tally,
      devices,
      observers: all.length,
      observedMs: observedMs(rooms, observers, player),
    };
  } finally {
    devices.close();
    for (const each of [...observers.values(), readers].flat()) each.close();
  }
}

interface Play {
  readonly parts: Run;
  readonly rooms: readonly PlayedRoom[];
  readonly player: Player;
  readonly devices: Devices;
  readonly readers: readonly Reader[];
}

/** Returns how long it took. When it resolves everything runs and half of the attendees are gone. */
async function play({ parts, rooms, player, devices, readers }: Play): Promise<number> {
  const { asked, cluster, lifecycle, random, log } = parts;
  const total = rooms.reduce((sum, { plan }) => sum + plan.steps.length, 0);
  const endProgress = showProgress(process.stdout, () => {
    const note = cluster !== null && asked.kill ? `${cluster.kills.total} killed` : "";
    return { done: player.done, total, note };
  });
  const reading = new Lifecycle(log);
  try {
    if (asked.kill) cluster?.startKilling(random, () => player.inFlight);
    for (const reader of readers) {
      reading.run(reader.user, () => reader.readAlong(reading));
    }
    const startedAtMs = monotonicMs();
    await player.play(rooms);
    const playedMs = monotonicMs() - startedAtMs;
    // While edges are killed, if they are: nobody may be left behind as a ghost.
    devices.hangUp();
    lifecycle.signal.throwIfAborted();
    await cluster?.stopKilling();
    return playedMs;
  } finally {
    endProgress();
    await reading.stop();
  }
}

/** Names that no other run has, so that one engine can be played to many times. */
function roomsOf(plans: readonly Plan[]): PlayedRoom[] {
  const run = randomBytes(4).toString("hex");
  return plans.map((plan, i) => {
    const slug = plan.name.replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, 40);
    return { id: `replay-${run}-${i + 1}-${slug}`, plan };
  });
}

async function createRooms(access: EngineAccess, rooms: readonly PlayedRoom[]): Promise<void> {
  const owner: ChatClient = openClient(access, { user: OWNER, edge: 0 });
  try {
    await owner.connect();
    for (let at = 0; at < rooms.length; at += ROOMS_AT_ONCE) {
      const some = rooms.slice(at, at + ROOMS_AT_ONCE);
      await Promise.all(
        some.map(({ id }) => owner.createRoom({ room: id, kind: "public", name: id })),
      );
    }
  } finally {
    owner.close();
  }
}

async function observe(
  access: EngineAccess,
  rooms: readonly PlayedRoom[],
): Promise<Map<string, Observer[]>> {
  const observers = new Map<string, Observer[]>();
  for (const { id } of rooms) {
    const here = Array.from(
      { length: OBSERVERS_PER_ROOM },
      (_, edge) => new Observer(access, id, { user: OWNER, edge }),
    );
    await Promise.all(here.map((observer) => observer.follow()));
    observers.set(id, here);
  }
  return observers;
}

/** One time for each message and observer. */
function observedMs(
  rooms: readonly PlayedRoom[],
  observers: ReadonlyMap<string, readonly Observer[]>,
  player: Player,
): number[] {
  const found: number[] = [];
  for (const { id, plan } of rooms) {
    for (let seq = 1; seq <= plan.expected.length; seq++) {
      const sentAtMs = player.sentAt(id, seq);
      if (sentAtMs === null) continue;
      for (const observer of observers.get(id) ?? []) {
        const seenAtMs = observer.seenAt(seq);
        if (seenAtMs !== null) found.push(seenAtMs - sentAtMs);
      }
    }
  }
  return found;
}

function engineLine({ edges, projectors, ack, partitions }: Config, asked: ReplayOptions): string {
  if (asked.url !== null) return `at ${asked.url}`;
  const processes = `${counted(edges, "edge")}, ${counted(projectors, "projector")}`;
  const killed = asked.kill ? `, killed all along (seed ${asked.seed})` : "";
  return `${processes}, ${partitions} partitions, acknowledged on ${ack}${killed}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
