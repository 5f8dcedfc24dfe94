/**
 * What one reader has seen of one room, from its first entry on, and what is
 * wrong with it. Bounded by the number of senders, however long it runs.
 */
import type { Entry } from "../../src/protocol/frames.ts";
import type { RoomId } from "../../src/protocol/ids.ts";
import { parseMessage, type Message } from "./message-text.ts";

/** Stands before the first entry of a room that was never rebuilt. */
const BEFORE_ALL = "1.0.0-0";

interface Sender {
  n: number;
  ended: boolean;
}

/** `hole`: it does not follow what was seen, and is not taken. */
export type Taken = Message | "hole" | "copy" | "other";

/**
 * `hole`: seqs that a reader was not given in their turn. `missing`: messages that their sender
 * counted and that were not there in their turn. `doubled`: messages that came a second time, or
 * after a younger one of their sender.
 */
export type Fault = "hole" | "missing" | "doubled";
export type ReportFault = (fault: Fault, by: number, about: string) => void;

export class RoomLedger {
  readonly room: RoomId;
  readonly #sendersExpected: number;
  readonly #report: ReportFault;
  readonly #senders = new Map<string, Sender>();
  #lastSeq = 0;
  #cursor = BEFORE_ALL;
  #faults = 0;

  /** `sendersExpected`: how many devices will say a last message. */
  constructor(room: RoomId, sendersExpected: number, report: ReportFault) {
    this.room = room;
    this.#sendersExpected = sendersExpected;
    this.#report = report;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }
  get cursor(): string {
    return this.#cursor;
  }
  /** Everybody has said the last message. With no faults: and everything before it is here. */
  get isComplete(): boolean {
    const ended = [...this.#senders.values()].filter((sender) => sender.ended);
    return ended.length >= this.#sendersExpected;
  }
  get faults(): number {
    return this.#faults;
  }

  take(entry: Entry): Taken {
    if (entry.seq <= this.#lastSeq) return "copy";
    if (entry.seq > this.#lastSeq + 1) {
      this.#fault("hole", 1, `${this.#lastSeq} is followed by ${entry.seq}`);
      return "hole";
    }
    this.#lastSeq = entry.seq;
    this.#cursor = entry.cursor;
    if (entry.event.type !== "message.sent") return "other";
    const message = parseMessage(entry.event.text);
    this.#count(`${entry.by}/${entry.device}`, message);
    return message;
  }

  #count(device: string, { n, last }: Message): void {
    const sender = this.#senders.get(device) ?? { n: 0, ended: false };
    this.#senders.set(device, sender);
    if (n <= sender.n) {
      this.#fault("doubled", 1, `message ${n} of ${device} after its ${sender.n}`);
      return;
    }
    const left = n - sender.n - 1;
    if (left > 0) this.#fault("missing", left, `of ${device} before its message ${n}`);
    sender.n = n;
    if (last) sender.ended = true;
  }

  #fault(fault: Fault, by: number, about: string): void {
    this.#faults += by;
    this.#report(fault, by, `${this.room}: ${about}`);
  }
}
