/**
 * The reconnect storm, a process of its own: many sockets follow rooms, all drop,
 * messages are written while nobody is there, and then all come back at once. Every
 * entry is checked, and at the end each room gets one more message, which everybody
 * has to hear live.
 */
import type { WebSocket } from "ws";

import type { CommandNumber, RoomId } from "../../src/protocol/ids.ts";
import { CatchUpLedger } from "./catch-up-ledger.ts";
import { chunks, inTurns, roomName } from "./opening.ts";
import { Samples } from "./percentiles.ts";
import type { Percentiles } from "./plan.ts";
import { ReturningSocket, type Followed, type Storm } from "./returning-socket.ts";
import type { FromStorm, StormPlan, StormReport, ToStorm } from "./storm-plan.ts";
import { StormWriter } from "./storm-writer.ts";
import { helloOf, introduce, type Talk } from "./talk.ts";

const ROOMS_PER_WRITER = 50;
/** For the edges to notice that everybody is gone. */
const SETTLE_MS = 1_000;
/** Who has not caught up by then has lost what is missing. */
const STORM_MS_MAX = 90_000;
/** Only everybody together is looked for: when each was done, it says itself. */
const LOOK_MS = 10;
const LAST_ROUND_MS_MAX = 15_000;
/** After everything has come once: for copies that come later. */
const LINGER_MS = 500;
const PROGRESS_MS = 1_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
function tell(message: FromStorm): void {
  process.send?.(message);
}
const say = (text: string): void => tell({ type: "progress", text });

class Run implements Storm {
  readonly #plan: StormPlan;
  readonly ledger: CatchUpLedger;
  readonly #sockets: ReturningSocket[] = [];
  readonly #failures: Record<string, number> = {};
  #writers: readonly StormWriter[] = [];
  #interrupted = 0;
  #gaps = 0;
  #startMs = 0;

  constructor(plan: StormPlan) {
    this.#plan = plan;
    this.ledger = new CatchUpLedger(plan.sockets * plan.roomsPerSocket);
  }

  get missed(): number {
    return this.#plan.missedPerRoom;
  }
  nowMs(): number {
    return performance.now() - this.#startMs;
  }
  failed(reason: string): void {
    this.#failures[reason] = (this.#failures[reason] ?? 0) + 1;
  }
  interrupted(): void {
    this.#interrupted++;
  }
  gap(): void {
    this.#gaps++;
  }

  async prepare(): Promise<void> {
    const { target, sockets, rooms } = this.#plan;
    const names = Array.from({ length: rooms }, (_, room) => roomName(room));
    const shares = chunks(names, ROOMS_PER_WRITER).map((share, index) => ({ share, index }));
    say("creating rooms");
    this.#writers = await inTurns(shares, ({ share, index }) =>
      StormWriter.start(target, index, share),
    );
    const indexes = Array.from({ length: sockets }, (_, i) => i);
    const guests = await inTurns(indexes, (i) => this.#enter(i));
    say("following");
    // After all have joined, so that nothing but messages comes after where they stand.
    const open = await inTurns(guests, (guest) => this.#follow(guest));
    for (const socket of open) socket.terminate();
    await pause(SETTLE_MS);
    say("writing what is missed");
    await this.#write(this.missed);
  }

  async #enter(index: number): Promise<Guest> {
    const { target, rooms, roomsPerSocket } = this.#plan;
    const address = target.addresses[index % target.addresses.length] as string;
    const hello = await helloOf(target, `u${index}`);
    const talk = await introduce(address, hello);
    const own = Array.from({ length: roomsPerSocket }, (_, i) => {
      const room = index + Math.floor((i * rooms) / roomsPerSocket);
      return roomName(room % rooms) as RoomId;
    });
    for (const [i, room] of own.entries()) {
      await talk.command({ type: "join", k: (i + 1) as CommandNumber, room });
    }
    if (index % 500 === 0) say(`${index} of ${this.#plan.sockets} connected`);
    return { index, address, hello, talk, rooms: own };
  }

  async #follow({ index, address, hello, talk, rooms }: Guest): Promise<WebSocket> {
    const pages = await talk.follow(rooms);
    const follows = pages.map((page, i): Followed => {
      const newest = page.entries.at(-1);
      if (!newest) throw new Error(`${page.room} is empty`);
      const follower = index * this.#plan.roomsPerSocket + i;
      this.ledger.startAt(follower, newest.seq + 1);
      return { room: page.room, follower, cursor: newest.cursor };
    });
    this.#sockets.push(new ReturningSocket(index, address, { hello, follows, storm: this }));
    return talk.release();
  }

  async #write(count: number): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.write(count)));
  }

  async storm(): Promise<void> {
    const progress = setInterval(() => {
      const done = this.#sockets.filter(({ isCaughtUp }) => isCaughtUp).length;
      say(`${done} of ${this.#sockets.length} caught up`);
    }, PROGRESS_MS);
    this.#startMs = performance.now();
    for (const socket of this.#sockets) socket.connect();
    while (!this.#allCaughtUp && this.nowMs() < STORM_MS_MAX) await pause(LOOK_MS);
    clearInterval(progress);
  }

  get #allCaughtUp(): boolean {
    return this.#sockets.every(({ isCaughtUp }) => isCaughtUp);
  }

  /** One more message in every room, for all who are back. */
  async lastRound(): Promise<StormReport> {
    const messages = this.missed + 1;
    const deadline = performance.now() + LAST_ROUND_MS_MAX;
    const caughtUp = this.#sockets.filter(({ isCaughtUp }) => isCaughtUp).length;
    await this.#write(1);
    while (this.ledger.totals(messages).lost > 0 && performance.now() < deadline) {
      await pause(LOOK_MS);
    }
    await pause(LINGER_MS);
    for (const socket of this.#sockets) socket.end();
    return this.#report(messages, caughtUp);
  }

  #report(messages: number, caughtUp: number): StormReport {
    const completeness = {
      ...this.ledger.totals(messages),
      sent: messages * this.#plan.rooms,
      disagreed: 0,
      refused: 0,
      closed: 0,
      unfinished: false,
    };
    const over = (pick: (socket: ReturningSocket) => number): Percentiles =>
      percentilesOf(this.#sockets.filter(({ isCaughtUp }) => isCaughtUp).map(pick));
    return {
      completeness,
      gaps: this.#gaps,
      caughtUp,
      openedMs: over(({ openedMs }) => openedMs),
      welcomedMs: over(({ welcomedMs }) => welcomedMs),
      caughtUpMs: over(({ caughtUpMs }) => caughtUpMs),
      failures: this.#failures,
      interrupted: this.#interrupted,
    };
  }
}

/** Somebody who is connected for the set-up. */
interface Guest {
  readonly index: number;
  readonly address: string;
  readonly hello: Awaited<ReturnType<typeof helloOf>>;
  readonly talk: Talk;
  readonly rooms: readonly RoomId[];
}

function percentilesOf(values: readonly number[]): Percentiles {
  const samples = new Samples(values.length);
  for (const value of values) samples.add(Math.round(value));
  return samples.percentiles();
}

async function heard<T extends ToStorm["type"]>(type: T): Promise<ToStorm & { type: T }> {
  return new Promise((resolve) => {
    process.on("message", (message: ToStorm) => {
      if (message.type === type) resolve(message as ToStorm & { type: T });
    });
  });
}

process.once("disconnect", () => process.exit(1));
const [go, finish] = [heard("go"), heard("finish")];
const { plan } = await heard("plan");
const run = new Run(plan);
await run.prepare();
tell({ type: "ready" });
await go;
await run.storm();
tell({ type: "caughtUp" });
await finish;
tell({ type: "done", report: await run.lastRound() });
