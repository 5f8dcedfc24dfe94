/** Every entry that the tail reader would publish: in a room its seqs follow one another, from the second on. */
import type { Fanout, RoomTail } from "../../src/edge/room-tails.ts";
import { decodeEntry } from "../../src/protocol/codec.ts";
import type { Payload } from "../../src/streams/conversation.ts";
import { Samples } from "./percentiles.ts";
import type { ReaderReport } from "./tail-plan.ts";
import { FIRST, readTailText, sharedClockUs } from "./tail-writer.ts";

export class TailLedger implements Fanout {
  readonly #nextSeq: Float64Array;
  readonly #latencyUs = new Samples(0);
  #delivered = 0;
  #doubled = 0;
  #reordered = 0;

  constructor(rooms: number) {
    this.#nextSeq = new Float64Array(rooms).fill(FIRST.seq + 1);
  }

  get delivered(): number {
    return this.#delivered;
  }

  publish(_tail: RoomTail, payloads: readonly Payload[]): void {
    const nowUs = sharedClockUs();
    for (const payload of payloads) {
      const { seq, event } = decodeEntry(payload);
      if (event.type !== "message.sent") continue;
      const { room, writtenUs } = readTailText(event.text);
      const next = this.#nextSeq[room] as number;
      if (seq < next) this.#doubled++;
      if (seq > next) this.#reordered++;
      this.#nextSeq[room] = Math.max(next, seq + 1);
      this.#delivered++;
      this.#latencyUs.add(nowUs - writtenUs);
    }
  }

  /** Nobody leaves these rooms. */
  left(): void {}

  report(): Omit<ReaderReport, "reads"> {
    const { samples, p50, p99, p999, max } = this.#latencyUs.percentiles();
    const ms = (us: number): number => Math.round(us) / 1_000;
    return {
      delivered: this.#delivered,
      doubled: this.#doubled,
      reordered: this.#reordered,
      latencyMs: { samples, p50: ms(p50), p99: ms(p99), p999: ms(p999), max: ms(max) },
    };
  }
}
