/**
 * Everything that a run measures. In Prometheus the names begin with `k6_`; counters end in
 * `_total`, and trends are in seconds there, in spite of their names: k6 converts them.
 */
import { Counter, Trend } from "k6/metrics";

import type { Plan } from "./plan.ts";
import type { Fault } from "./room-ledger.ts";

const MILLISECONDS = true;

/** From where a connection is wanted to `welcome`, the ticket included. */
export const connectMs = new Trend("chat_connect_ms", MILLISECONDS);
/**
 * From when a message was due to its arrival, for senders and receivers that were connected all
 * the while. By the clock of k6: both ends are in one process.
 */
export const deliveryMs = new Trend("chat_delivery_ms", MILLISECONDS);
/** The same where the sender or the receiver was away when the message was due or sent. */
export const catchUpMs = new Trend("chat_catch_up_ms", MILLISECONDS);
/** From where a lost connection is made anew until the room is followed live again. */
export const resumeMs = new Trend("chat_resume_ms", MILLISECONDS);
/** From when everybody comes until a socket has been told of exactly those who are there. */
export const presenceMs = new Trend("chat_presence_ms", MILLISECONDS);
/** From when some drop until the others have been told; the grace of the engine is part of it. */
export const leavingMs = new Trend("chat_leaving_ms", MILLISECONDS);
/** One page of history; tagged `via` http or socket. */
export const pageMs = new Trend("chat_page_ms", MILLISECONDS);

/** Times that a socket was told of exactly those who were there. */
export const seen = new Counter("chat_seen");
/** Those who were there and were not shown, and those who were shown and were not there. */
export const unseen = new Counter("chat_unseen");
export const ghosts = new Counter("chat_ghosts");

export const sent = new Counter("chat_sent");
export const delivered = new Counter("chat_delivered");
/** Histories read from one end to the other; tagged `via`. */
export const walks = new Counter("chat_walks");
export const reconnects = new Counter("chat_reconnects");
/** Commands that the engine put off; the client sent them again. */
export const deferred = new Counter("chat_deferred");

/** Commands that went over the wire again, with their old number. */
export const resent = new Counter("chat_resent");

/** What is wrong with what was read; room-ledger.ts says what each means. */
export const faults: Readonly<Record<Fault, Counter>> = {
  hole: new Counter("chat_holes"),
  missing: new Counter("chat_missing"),
  doubled: new Counter("chat_doubled"),
};
/** Anything refused, failed or closed that the scenario did not bring about; tagged `what`. */
export const errors = new Counter("chat_errors");
/** Sockets, and readers of history, that came to their end. One that threw did not. */
export const finished = new Counter("chat_finished");

export type Thresholds = Record<string, string[]>;

export interface Expected {
  /** Sockets and readers that have to finish. */
  readonly finished: number;
  /** Trends held to the plan's p95, tags allowed. */
  readonly timed: readonly string[];
  /** What must have happened at least once, or nothing was tested. */
  readonly some: readonly string[];
}

/** What fails a run. Each is evaluated at the end even if nothing was counted. */
export function thresholds(plan: Plan, expected: Expected): Thresholds {
  const found: Thresholds = { checks: ["rate==1"] };
  for (const { name } of [...Object.values(faults), unseen, ghosts, errors])
    found[name] = ["count==0"];
  found[finished.name] = [`count==${expected.finished}`];
  for (const name of expected.some) found[name] = ["count>0"];
  for (const name of plan.timed ? expected.timed : []) found[name] = [`p(95)<${plan.p95Ms}`];
  return found;
}

/** So that Prometheus has a series, and not none, where nothing happened. */
export function announceZeros(): void {
  const quiet = [...Object.values(faults), unseen, ghosts, reconnects, deferred, resent, walks];
  for (const counter of quiet) counter.add(0);
  errors.add(0, { what: "none" });
}

export function reportFault(fault: Fault, by: number, about: string): void {
  faults[fault].add(by);
  console.error(`${fault} in ${about}`);
}

export function failed(what: string, about: string): void {
  errors.add(1, { what });
  console.error(`${what}: ${about}`);
}
