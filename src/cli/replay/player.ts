/**
 * Plays the rooms side by side, each in the order of its log.
 *
 * Inside a room a nick speaks only when the outcome of what another nick said
 * before is known: the order of the log is then the only one that is right.
 * Consecutive lines of one nick are pipelined, and the engine has to keep them
 * in order itself, over every reconnect.
 */
import type { ChatClient } from "../../client/client.ts";
import type { Outcome } from "../../client/outbox.ts";
import { monotonicMs } from "../../ops/clock.ts";
import type { Lifecycle } from "../../ops/lifecycle.ts";
import type { Device, Devices } from "./devices.ts";
import type { Plan, Step } from "./plan.ts";

/** Lines of one nick that are on their way at once. */
const BURST_MAX = 16;
/** The same over all rooms; far below what an SDK's outbox takes. */
const UNSETTLED_MAX = 512;
/** Steps ahead whose devices connect already. */
const LOOK_AHEAD = 8;
/** A room without any outcome for so long is given up: far more than a lost lease costs. */
const STALL_MS = 90_000;
const FAILURES_KEPT = 10;

export interface PlayedRoom {
  readonly id: string;
  readonly plan: Plan;
}

export interface PlayerOptions {
  readonly devices: Devices;
  /** How much faster than in the log; null: as fast as the order allows. */
  readonly speed: number | null;
  /** Its stop ends the play. */
  readonly lifecycle: Lifecycle;
}

export class Player {
  readonly #devices: Devices;
  readonly #speed: number | null;
  readonly #lifecycle: Lifecycle;
  /** When each message was sent, by room and seq. */
  readonly #sentAtMs = new Map<string, number[]>();
  readonly #outcomeMs: number[] = [];
  readonly #failures: string[] = [];
  /** Rooms in which something failed: what comes after it has another seq than planned. */
  readonly #shifted = new Set<string>();
  #failed = 0;
  #done = 0;
  #inFlight = 0;
  #latestMs = 0;
  #startedAtMs = 0;

  constructor({ devices, speed, lifecycle }: PlayerOptions) {
    this.#devices = devices;
    this.#speed = speed;
    this.#lifecycle = lifecycle;
  }

  /** Commands whose outcome is known. */
  get done(): number {
    return this.#done;
  }
  /** Commands on their way. */
  get inFlight(): number {
    return this.#inFlight;
  }
  /** From sending to outcome, a message each. */
  get outcomeMs(): readonly number[] {
    return this.#outcomeMs;
  }
  /** How far the play fell behind the pace that was asked for. */
  get latestMs(): number {
    return this.#latestMs;
  }
  /** What went wrong; the first few in words. */
  get failures(): { readonly count: number; readonly first: readonly string[] } {
    return { count: this.#failed, first: this.#failures };
  }

  sentAt(room: string, seq: number): number | null {
    return this.#sentAtMs.get(room)?.[seq] ?? null;
  }

  async play(rooms: readonly PlayedRoom[]): Promise<void> {
    this.#startedAtMs = monotonicMs();
    await Promise.all(rooms.map((room) => this.#playRoom(room)));
  }

  async #playRoom(room: PlayedRoom): Promise<void> {
    this.#sentAtMs.set(room.id, []);
    const { steps } = room.plan;
    let burst: Promise<void>[] = [];
    for (const [i, step] of steps.entries()) {
      for (const { nick } of steps.slice(i, i + LOOK_AHEAD)) this.#devices.get(nick);
      const device = this.#devices.get(step.nick);
      const other = i > 0 && steps[i - 1]?.nick !== step.nick;
      const full = burst.length >= BURST_MAX || device.client.unsettled >= UNSETTLED_MAX;
      if (other || full) {
        if (!(await this.#settled(room, step, burst))) return;
        burst = [];
      }
      await this.#rest(step);
      if (!(await this.#settled(room, step, [device.live]))) return;
      if (this.#lifecycle.stopping) return;
      burst.push(this.#perform(room.id, device, step));
    }
    await this.#settled(room, null, burst);
  }

  /** False when the room is given up. */
  async #settled(
    { plan }: PlayedRoom,
    before: Step | null,
    promises: readonly Promise<void>[],
  ): Promise<boolean> {
    const how = await within(Promise.all(promises), STALL_MS);
    if (how === "done") return true;
    const where = before === null ? "at its end" : `before ${before.act} of ${before.nick}`;
    this.#fail(`${plan.name}: given up ${where}: ${how}`);
    return false;
  }

  async #rest({ atMs }: Step): Promise<void> {
    if (this.#speed === null) return;
    const dueMs = this.#startedAtMs + atMs / this.#speed;
    const restMs = dueMs - monotonicMs();
    if (restMs > 0) await this.#lifecycle.sleep(restMs);
    else this.#latestMs = Math.max(this.#latestMs, -restMs);
  }

  /** Sends one step; resolves, whatever becomes of it, when its outcome is known. */
  async #perform(room: string, { client, attends }: Device, step: Step): Promise<void> {
    const sentAtMs = monotonicMs();
    this.#inFlight++;
    try {
      const { seq } = await command(client, room, step);
      this.#check(room, step, seq);
      if (step.act === "send") {
        this.#outcomeMs.push(monotonicMs() - sentAtMs);
        if (step.seq !== null) (this.#sentAtMs.get(room) ?? [])[step.seq] = sentAtMs;
      }
      if (step.act === "join" && attends) {
        void client.room(room).follow({ limit: 1, attend: true });
      }
    } catch (error) {
      this.#shifted.add(room);
      this.#fail(`${room}: ${step.act} of ${step.nick} as ${step.seq}: ${String(error)}`);
    } finally {
      this.#inFlight--;
      this.#done++;
    }
  }

  /** 0 is what the engine says of a command that it has seen too long ago. */
  #check(room: string, step: Step, seq: number): void {
    if (step.seq === null || seq === step.seq || seq === 0 || this.#shifted.has(room)) return;
    this.#shifted.add(room);
    this.#fail(`${room}: ${step.act} of ${step.nick} got seq ${seq} and not ${step.seq}`);
  }

  #fail(what: string): void {
    this.#failed++;
    if (this.#failures.length < FAILURES_KEPT) this.#failures.push(what);
  }
}

function command(client: ChatClient, id: string, { act, text, calls }: Step): Promise<Outcome> {
  const room = client.room(id);
  switch (act) {
    case "join":
      return room.join();
    case "leave":
      return room.leave();
    case "send":
      return room.send(text, { mentions: calls === null ? [] : [calls] });
  }
}

/** Waits for at most `ms`. Says `done`, or why it is not. */
async function within(work: Promise<unknown>, ms: number): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no outcome for ${ms / 1_000} s`), ms);
  });
  try {
    return await Promise.race([work.then(() => "done", String), late]);
  } finally {
    clearTimeout(timer);
  }
}
