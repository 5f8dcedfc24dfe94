/**
 * All sessions of an edge, and what is done for all of them on few timers: no
 * socket has a timer of its own.
 */
import { monotonicMs, now } from "../ops/clock.ts";
import type { ServerFrame } from "../protocol/frames.ts";
import type { CommandNumber, RoomId, UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Outcome } from "../streams/bell.ts";
import type { Session, SessionKeeper } from "./session.ts";
import { LAGGING_BYTES } from "./subscriptions.ts";
import type { UserDevices } from "./user-devices.ts";

/** A round of beats is spread over this many slots. */
const BEAT_SLOTS = 10;
const SWEEP_MS = 500;
/** An outcome that comes within this time makes `accepted` needless. */
export const ACCEPTED_GRACE_MS = 40;
/**
 * Published bytes between two looks at the sockets' buffers. No buffer can grow
 * past LAGGING_BYTES plus twice this unseen, far below what the socket server
 * would drop at.
 */
const LOOK_EVERY_BYTES = 262_144;

export class SessionHub implements SessionKeeper, UserDevices {
  readonly #sessions = new Map<number, Session>();
  readonly #byUser = new Map<UserId, Set<Session>>();
  readonly #accepted: { session: Session; k: CommandNumber; dueMs: number }[] = [];
  #acceptedTimer: NodeJS.Timeout | null = null;
  #timers: NodeJS.Timeout[] = [];
  #publishedBytes = 0;
  #slot = 0;
  /** Called when a round of beats begins. */
  onRound: () => void = () => {};

  start(beatMs: number): void {
    this.#timers = [
      setInterval(() => this.#beatSlot(), beatMs / BEAT_SLOTS),
      setInterval(() => this.#sweep(), SWEEP_MS),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#acceptedTimer) clearTimeout(this.#acceptedTimer);
  }

  get size(): number {
    return this.#sessions.size;
  }
  all(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  identified(session: Session, user: UserId): void {
    const sessions = this.#byUser.get(user);
    if (sessions) sessions.add(session);
    else this.#byUser.set(user, new Set([session]));
  }

  remove(session: Session): void {
    this.#sessions.delete(session.id);
    const { user } = session;
    if (user === null) return;
    const sessions = this.#byUser.get(user);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#byUser.delete(user);
  }

  has(user: UserId): boolean {
    return this.#byUser.has(user);
  }

  tell(user: UserId, frame: ServerFrame): boolean {
    const sessions = this.#byUser.get(user);
    for (const session of sessions ?? []) session.send(frame);
    return sessions !== undefined;
  }

  outcome(outcome: Outcome): void {
    this.#sessions.get(outcome.session)?.outcome(outcome);
  }

  /** A user's membership ended: none of their sessions is to hear more of the room. */
  left(room: RoomId, user: UserId): void {
    for (const session of this.#byUser.get(user) ?? []) {
      session.subscriptions?.interrupt(room, "forbidden");
    }
  }

  /** Whoever follows a room that cannot be continued resumes it from the own cursor. */
  interrupt(room: RoomId): void {
    for (const session of this.#sessions.values()) {
      session.subscriptions?.interrupt(room, "unavailable");
    }
  }

  acceptedSoon(session: Session, k: CommandNumber): void {
    this.#accepted.push({ session, k, dueMs: monotonicMs() + ACCEPTED_GRACE_MS });
    this.#acceptedTimer ??= setTimeout(() => this.#confirmAccepted(), ACCEPTED_GRACE_MS);
  }

  #confirmAccepted(): void {
    const nowMs = monotonicMs();
    let due = 0;
    while (due < this.#accepted.length && (this.#accepted[due]?.dueMs ?? 0) <= nowMs) due++;
    for (const { session, k } of this.#accepted.splice(0, due)) session.confirmAccepted(k);
    const [next] = this.#accepted;
    this.#acceptedTimer = next
      ? setTimeout(() => this.#confirmAccepted(), Math.max(1, next.dueMs - nowMs))
      : null;
  }

  published(bytes: number): void {
    this.#publishedBytes += bytes;
    if (this.#publishedBytes < LOOK_EVERY_BYTES) return;
    this.#publishedBytes = 0;
    for (const session of this.#sessions.values()) {
      if (session.bufferedBytes > LAGGING_BYTES) session.lag();
    }
  }

  #beatSlot(): void {
    this.#slot = (this.#slot + 1) % BEAT_SLOTS;
    if (this.#slot === 0) this.onRound();
    for (const session of this.#sessions.values()) {
      if (session.id % BEAT_SLOTS === this.#slot) session.beat();
    }
  }

  #sweep(): void {
    const nowMs = monotonicMs();
    for (const session of this.#sessions.values()) {
      const waiting = session.state === "greeting" || session.state === "authenticating";
      if (waiting && nowMs - session.openedMs > LIMITS.helloMs) session.close("helloTimeout");
      else if (session.expiresAt <= now()) session.close("tokenExpired");
    }
  }
}
