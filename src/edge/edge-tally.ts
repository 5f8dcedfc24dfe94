/**
 * What an edge counts while it works: plain numbers, so that a message costs a
 * few additions. `edge-metrics.ts` hands them over when somebody scrapes.
 */
import { countsOf, Distribution, SECONDS } from "../ops/distribution.ts";
import type { Encoded } from "../protocol/codec.ts";
import { CLOSE, ERROR_CODES, type CloseName } from "../protocol/errors.ts";
import { CLIENT_FRAMES, RESUME_STATUS, type ClientFrame } from "../protocol/frames.ts";

/** One command in so many is followed from its arrival to its outcome. */
const SAMPLED = 16;
/** Ends that are not the edge's doing. */
const OTHER_ENDS = ["peer", "vanished"] as const;
const VANISHED_CODE = 1006;
const NAME_OF_CODE = new Map<number, CloseName>(
  (Object.keys(CLOSE) as CloseName[]).map((name) => [CLOSE[name].code, name]),
);

export class EdgeTally {
  readonly framesReceived = countsOf(Object.keys(CLIENT_FRAMES) as ClientFrame["type"][]);
  bytesReceived = 0;
  readonly bytesSent = countsOf(["published", "page", "frame"]);
  readonly closes = countsOf([...(Object.keys(CLOSE) as CloseName[]), ...OTHER_ENDS]);
  /** Sockets opened. */
  opened = 0;
  /** Sessions taken off their rooms. */
  lagged = 0;
  readonly refused = countsOf(ERROR_CODES);
  readonly deferred = countsOf(ERROR_CODES);
  accepted = 0;
  publishedFrames = 0;
  publishedEntries = 0;
  deliveries = 0;
  readonly resumes = countsOf([...RESUME_STATUS, "failed"]);
  resumedEntries = 0;
  roomReads = 0;
  roomsBroken = 0;
  bellsMissed = 0;
  readonly presenceFrames = countsOf(["whole", "changes"]);
  presenceReads = 0;
  /** Frames with positions of others, each receiver counted. */
  receiptFrames = 0;
  /** Unread counts read from Redis. */
  countReads = 0;
  readonly typing = countsOf(["published", "heard", "dropped", "unreadable"]);
  /** Rounds of the pump. */
  ticks = 0;
  /** Handlers that threw. */
  failures = 0;
  readonly httpAnswers: Record<string, number> = {};
  readonly deliverySeconds = new Distribution(SECONDS);
  #untilSample = 0;

  /** Whether this command is one of those to be followed. */
  samples(): boolean {
    if (--this.#untilSample >= 0) return false;
    this.#untilSample = SAMPLED - 1;
    return true;
  }

  /** A socket ended with this code, whoever gave it. */
  closed(code: number): void {
    const other = code === VANISHED_CODE ? "vanished" : "peer";
    this.closes[NAME_OF_CODE.get(code) ?? other]++;
  }

  /** `status` is one of the few that an edge answers. */
  answered(status: number): void {
    const name = String(status);
    this.httpAnswers[name] = (this.httpAnswers[name] ?? 0) + 1;
  }

  published(entries: number, followers: number): void {
    this.publishedEntries += entries;
    this.deliveries += entries * followers;
  }
}

/** Bytes on the wire, without the transport's own. */
export function bytesOf(data: Encoded): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}
