/**
 * The load generator: one process, many sockets, an open loop.
 *
 * Messages have times at which they are due, whether or not earlier ones have
 * arrived, and latency counts from there. A generator that waited for answers,
 * or that took the time when it came to send, would leave out just those
 * messages that had to wait (coordinated omission).
 */
import { decodeServerFrame } from "../../src/protocol/codec.ts";
import { connectAll, type Member } from "./connect.ts";
import { EntriesReader, isEntriesFrame, type Entry } from "./entries-frame.ts";
import { Ledger } from "./ledger.ts";
import { Samples } from "./percentiles.ts";
import type { FromGenerator, LoadReport, Plan, ToGenerator } from "./plan.ts";
import { readStamp, SendFrame, textStart } from "./send-frame.ts";

/** How long the last messages may take; what has not come by then is lost. */
const DRAIN_MS_MAX = 15_000;
/** After everything has arrived once: for copies that come later. */
const LINGER_MS = 500;
const PROGRESS_MS = 1_000;

const nowUs = (): number => performance.now() * 1_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
function tell(message: FromGenerator): void {
  process.send?.(message);
}

class Generator {
  readonly #plan: Plan;
  readonly #members: readonly Member[];
  readonly #frames: readonly SendFrame[];
  readonly #ledger: Ledger;
  readonly #reader = new EntriesReader();
  readonly #echo: Entry = { seq: 0, sender: 0, n: 0, atUs: 0 };
  readonly #latencyUs: Samples;
  readonly #latenessUs: Samples;
  #startUs = 0;
  #next = 0;
  #framesSeen = 0;
  #cpu: { readonly since: NodeJS.CpuUsage; share: number | null } | null = null;

  constructor(plan: Plan, members: readonly Member[]) {
    this.#plan = plan;
    this.#members = members;
    this.#frames = members.map(({ room }, i) => new SendFrame(room, i));
    this.#ledger = new Ledger(plan.rooms, plan.membersPerRoom);
    const expected = plan.messagesPerSec * plan.measureSec;
    this.#latencyUs = new Samples(expected * plan.membersPerRoom);
    this.#latenessUs = new Samples(expected);
    members.forEach(({ socket, nextSeq }, receiver) => {
      if (nextSeq !== null) this.#ledger.startAt(receiver, nextSeq);
      socket.on("message", (data: Buffer) => this.#received(receiver, data));
    });
  }

  async run(): Promise<LoadReport> {
    this.#startUs = nowUs();
    const { warmUpSec, measureSec, messagesPerSec, membersPerRoom } = this.#plan;
    const total = Math.round((warmUpSec + measureSec) * messagesPerSec);
    const progress = setInterval(() => this.#progress(), PROGRESS_MS);
    // What is put off is not sent again here: past the engine's limit there is nothing to measure.
    while (this.#next < total && this.#ledger.refused === 0) {
      this.#sendDue(total);
      this.#noteWindow(nowUs());
      // Node rounds up to whole milliseconds: some messages leave late, and are counted as such.
      await pause((this.#dueUs(this.#next) - nowUs()) / 1_000);
    }
    this.#noteWindow(Infinity);
    const deadline = performance.now() + DRAIN_MS_MAX;
    const expected = this.#ledger.totalSent * membersPerRoom;
    while (this.#ledger.delivered < expected && performance.now() < deadline) {
      if (this.#ledger.refused > 0) break;
      await pause(10);
    }
    await pause(LINGER_MS);
    clearInterval(progress);
    return this.#report();
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
    const { fromUs } = this.#window;
    while (this.#next < total) {
      const dueUs = this.#dueUs(this.#next);
      const lateUs = nowUs() - dueUs;
      if (lateUs < 0) return;
      // Room after room, so that neighbours in time are not neighbours in a room.
      const turn = this.#next++;
      const place = Math.floor(turn / rooms) % membersPerRoom;
      const sender = (turn % rooms) * membersPerRoom + place;
      const n = Math.floor(turn / (rooms * membersPerRoom));
      const { socket, firstK } = this.#members[sender] as Member;
      const frame = (this.#frames[sender] as SendFrame).stamp(firstK + n, n, Math.floor(dueUs));
      this.#ledger.sent(sender);
      if (dueUs >= fromUs) this.#latenessUs.add(lateUs);
      socket.send(frame);
    }
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

  #received(receiver: number, data: Buffer): void {
    const atUs = nowUs();
    if (this.#plan.target.kind === "floor") {
      readStamp(data, textStart(data), this.#echo);
      this.#framesSeen++;
      this.#arrived(receiver, this.#echo, atUs, false);
      return;
    }
    if (!isEntriesFrame(data)) {
      const { type } = decodeServerFrame(data);
      if (type !== "beat" && type !== "accepted" && type !== "applied") this.#ledger.refused++;
      return;
    }
    this.#framesSeen++;
    this.#reader.read(data, (entry) => this.#arrived(receiver, entry, atUs, true));
  }

  #arrived(receiver: number, entry: Entry, atUs: number, hasSeq: boolean): void {
    this.#ledger.arrived(receiver, entry.sender, entry.n, hasSeq ? entry.seq : null);
    const { fromUs } = this.#window;
    if (entry.atUs >= Math.floor(fromUs)) this.#latencyUs.add(atUs - entry.atUs);
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
const generator = new Generator(plan, await connectAll(plan));
tell({ type: "connected" });
await go;
tell({ type: "done", report: await generator.run() });
