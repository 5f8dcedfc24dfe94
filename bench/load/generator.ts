/**
 * The load generator: one process, many sockets, an open loop or a closed one.
 *
 * In the open loop messages have times at which they are due, whether or not earlier ones have
 * arrived, and latency counts from there. A generator that waited for answers,
 * or that took the time when it came to send, would leave out just those
 * messages that had to wait (coordinated omission).
 *
 * In the closed loop that is just what happens: each socket sends its next message
 * when one of its own has come back. It shows what so many patient users get done.
 */
import type { WebSocket } from "ws";

import type { Delivery, Dialect, Member, Outgoing } from "./dialect.ts";
import { CentrifugoDialect } from "./dialects/centrifugo.ts";
import { EngineDialect } from "./dialects/engine.ts";
import { FloorDialect } from "./dialects/floor.ts";
import { PubSubDialect } from "./dialects/pub-sub.ts";
import { SocketIoDialect } from "./dialects/socket-io.ts";
import { Ledger } from "./ledger.ts";
import { Samples } from "./percentiles.ts";
import type { FromGenerator, LoadReport, Plan, Target, ToGenerator } from "./plan.ts";

/** How long the last messages may take; what has not come by then is lost. */
const DRAIN_MS_MAX = 15_000;
/** After everything has arrived once: for copies that come later. */
const LINGER_MS = 500;
const PROGRESS_MS = 1_000;
/** A server from which something came so lately is not done. */
const STILL_ARRIVING_US = 1e6;
/** How exactly a closed loop ends. */
const WINDOW_LOOK_MS = 10;

const nowUs = (): number => performance.now() * 1_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
function tell(message: FromGenerator): void {
  process.send?.(message);
}

class Generator {
  readonly #plan: Plan;
  readonly #dialect: Dialect;
  readonly #members: readonly Member[];
  readonly #outgoing: readonly Outgoing[];
  readonly #ledger: Ledger;
  readonly #latencyUs: Samples;
  readonly #latenessUs: Samples;
  #startUs = 0;
  #next = 0;
  #framesSeen = 0;
  #lastArrivalUs = 0;
  #cpu: { readonly since: NodeJS.CpuUsage; share: number | null } | null = null;

  constructor(plan: Plan, dialect: Dialect, members: readonly Member[]) {
    this.#plan = plan;
    this.#dialect = dialect;
    this.#members = members;
    this.#outgoing = members.map(({ room }, i) => dialect.outgoing(room, i));
    this.#ledger = new Ledger(plan.rooms, plan.membersPerRoom);
    const expected = plan.messagesPerSec * plan.measureSec;
    this.#latencyUs = new Samples(expected * plan.membersPerRoom);
    this.#latenessUs = new Samples(expected);
    members.forEach(({ socket, nextSeq }, receiver) => {
      if (nextSeq !== null) this.#ledger.startAt(receiver, nextSeq);
      socket.on("message", (data: Buffer) => this.#received(receiver, socket, data));
      socket.on("close", () => this.#ledger.closed++);
    });
  }

  async run(): Promise<LoadReport> {
    this.#startUs = nowUs();
    const { membersPerRoom, inFlight } = this.#plan;
    const progress = setInterval(() => this.#progress(), PROGRESS_MS);
    await (inFlight === undefined ? this.#sendOnTime() : this.#sendAfterAnswers(inFlight));
    this.#noteWindow(Infinity);
    const deadline = performance.now() + DRAIN_MS_MAX;
    const expected = this.#ledger.totalSent * membersPerRoom;
    while (this.#ledger.delivered < expected && performance.now() < deadline && !this.#pastLimit) {
      await pause(10);
    }
    const isMissing = this.#ledger.delivered < expected;
    this.#ledger.unfinished = isMissing && nowUs() - this.#lastArrivalUs < STILL_ARRIVING_US;
    await pause(LINGER_MS);
    clearInterval(progress);
    return this.#report();
  }

  async #sendOnTime(): Promise<void> {
    const { warmUpSec, measureSec, messagesPerSec } = this.#plan;
    const total = Math.round((warmUpSec + measureSec) * messagesPerSec);
    while (this.#next < total && !this.#pastLimit) {
      this.#sendDue(total);
      this.#noteWindow(nowUs());
      // Node rounds up to whole milliseconds: some messages leave late, and are counted as such.
      await pause((this.#dueUs(this.#next) - nowUs()) / 1_000);
    }
  }

  /** Only begins it: what comes back sends the rest, until the window ends. */
  async #sendAfterAnswers(inFlight: number): Promise<void> {
    for (let n = 0; n < inFlight; n++) {
      for (const sender of this.#members.keys()) this.#send(sender, n, nowUs());
    }
    while (nowUs() < this.#window.toUs && !this.#pastLimit) {
      this.#noteWindow(nowUs());
      await pause(WINDOW_LOOK_MS);
    }
  }

  /** What is put off is not sent again here, and nobody reconnects: there is nothing to measure. */
  get #pastLimit(): boolean {
    return this.#ledger.refused > 0 || this.#ledger.closed > 0;
  }

  #dueUs(index: number): number {
    return this.#startUs + (index * 1e6) / this.#plan.messagesPerSec;
  }

  get #window(): { readonly fromUs: number; readonly toUs: number } {
    const { warmUpSec, measureSec } = this.#plan;
    const fromUs = this.#startUs + warmUpSec * 1e6;
    return { fromUs, toUs: fromUs + measureSec * 1e6 };
  }

  #sendDue(total: number): void {
    const { rooms, membersPerRoom } = this.#plan;
    while (this.#next < total) {
      const dueUs = this.#dueUs(this.#next);
      if (nowUs() < dueUs) return;
      // Room after room, so that neighbours in time are not neighbours in a room.
      const turn = this.#next++;
      const place = Math.floor(turn / rooms) % membersPerRoom;
      const sender = (turn % rooms) * membersPerRoom + place;
      this.#send(sender, Math.floor(turn / (rooms * membersPerRoom)), dueUs);
    }
  }

  /** The `n`th message of a sender. */
  #send(sender: number, n: number, dueUs: number): void {
    const { socket } = this.#members[sender] as Member;
    const outgoing = this.#outgoing[sender] as Outgoing;
    const bytes = outgoing.stamp(n, Math.floor(dueUs));
    this.#ledger.sent(sender);
    if (dueUs >= this.#window.fromUs) this.#latenessUs.add(nowUs() - dueUs);
    socket.send(bytes, { binary: outgoing.binary });
  }

  /** Tells the parent of the window's ends, at which it looks at the processes. */
  #noteWindow(timeUs: number): void {
    const { fromUs, toUs } = this.#window;
    if (this.#cpu === null && timeUs >= fromUs) {
      this.#cpu = { since: process.cpuUsage(), share: null };
      tell({ type: "measuring" });
    }
    if (this.#cpu !== null && this.#cpu.share === null && timeUs >= toUs) {
      const { user, system } = process.cpuUsage(this.#cpu.since);
      this.#cpu.share = (user + system) / (this.#plan.measureSec * 1e6);
      tell({ type: "measured" });
    }
  }

  #received(receiver: number, socket: WebSocket, data: Buffer): void {
    const atUs = nowUs();
    const heard = this.#dialect.read(data, socket, (each) => this.#arrived(receiver, each, atUs));
    if (heard === "messages") this.#framesSeen++;
    if (heard === "refused") this.#ledger.refused++;
  }

  #arrived(receiver: number, { sender, n, seq, atUs: dueUs }: Delivery, atUs: number): void {
    this.#ledger.arrived(receiver, sender, n, seq);
    this.#lastArrivalUs = atUs;
    const { fromUs, toUs } = this.#window;
    const { inFlight } = this.#plan;
    const isOwn = receiver === sender;
    const counts = inFlight === undefined || isOwn;
    if (counts && dueUs >= Math.floor(fromUs)) this.#latencyUs.add(atUs - dueUs);
    if (inFlight === undefined || !isOwn || atUs >= toUs) return;
    this.#send(receiver, n + inFlight, nowUs());
  }

  #progress(): void {
    tell({
      type: "progress",
      sent: this.#ledger.totalSent,
      delivered: this.#ledger.delivered,
    });
  }

  #report(): LoadReport {
    const lateness = this.#latenessUs.percentiles();
    return {
      completeness: this.#ledger.completeness(),
      messages: lateness.samples,
      latencyMs: inMs(this.#latencyUs.percentiles()),
      latenessMs: inMs(lateness),
      cpuShare: this.#cpu?.share ?? 0,
      frames: this.#framesSeen,
    };
  }
}

function inMs(us: LoadReport["latencyMs"]): LoadReport["latencyMs"] {
  const ms = (value: number): number => Math.round(value) / 1_000;
  return {
    samples: us.samples,
    p50: ms(us.p50),
    p99: ms(us.p99),
    p999: ms(us.p999),
    max: ms(us.max),
  };
}

function dialectOf(target: Target): Dialect {
  switch (target.kind) {
    case "engine":
      return new EngineDialect(target);
    case "floor":
      return new FloorDialect();
    case "socket-io":
      return new SocketIoDialect();
    case "pub-sub":
      return new PubSubDialect();
    case "centrifugo":
      return new CentrifugoDialect();
  }
}

async function heard<T extends ToGenerator["type"]>(type: T): Promise<ToGenerator & { type: T }> {
  return new Promise((resolve) => {
    process.on("message", (message: ToGenerator) => {
      if (message.type === type) resolve(message as ToGenerator & { type: T });
    });
  });
}

process.once("disconnect", () => process.exit(1));
const go = heard("go");
const { plan } = await heard("plan");
const dialect = dialectOf(plan.target);
const generator = new Generator(plan, dialect, await dialect.connect(plan));
tell({ type: "connected" });
await go;
tell({ type: "done", report: await generator.run() });
