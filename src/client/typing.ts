/** Typing in one room: the signs of one's own, and who else types. */
import type { UserId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Agenda, Clock } from "./agenda.ts";

/** While it goes on, a sign is sent again after this time: sooner than it ends by itself. */
export const SIGN_EVERY_MS = 3_000;
/** Without a call for this time, one has stopped to type. */
export const TYPING_STOPS_MS = LIMITS.typingMs;
/**
 * Others are shown for this long after the server told of them. It tells only changes,
 * so this is no measure of how long one may type, but the end where a change was lost.
 */
export const TYPISTS_TRUST_MS = 6 * LIMITS.typingMs;

export interface TypingHost {
  readonly clock: Clock;
  readonly agenda: Agenda;
  /** Names the room in the agenda. */
  readonly name: string;
  me(): UserId | null;
  /** The server takes signs of this room now. */
  mayType(): boolean;
  send(on: boolean): void;
  /** `typists` changed. */
  changed(): void;
}

interface Own {
  readonly sentAtMs: number;
  calledAtMs: number;
}

export class Typing {
  readonly #host: TypingHost;
  /** Null while one does not type. */
  #own: Own | null = null;
  #typists: readonly UserId[] = [];

  constructor(host: TypingHost) {
    this.#host = host;
  }

  /** Who else types, in the order in which they began. */
  get typists(): readonly UserId[] {
    return this.#typists;
  }

  /** To be called with each change of what is typed; what need not be sent is not. */
  sign(on: boolean): void {
    if (!on) return this.#stop();
    if (!this.#host.mayType()) return;
    const nowMs = this.#host.clock.now();
    if (!this.#own || nowMs - this.#own.sentAtMs >= SIGN_EVERY_MS) this.#send(nowMs, nowMs);
    else {
      this.#own.calledAtMs = nowMs;
      this.#schedule(this.#own);
    }
  }

  /** One's message ends it for everybody, so no sign has to. */
  sent(): void {
    this.#own = null;
    this.#host.agenda.cancel(this.#ownName);
  }

  /** The server's whole list. */
  told(users: readonly UserId[]): void {
    this.#show(users.filter((user) => user !== this.#host.me()));
  }

  /** A message ends the typing of its author. */
  said(by: UserId): void {
    if (this.#typists.includes(by)) this.#show(this.#typists.filter((user) => user !== by));
  }

  /** The room is not live, so nothing is told of it. */
  lost(): void {
    this.sent();
    if (this.#typists.length > 0) this.#show([]);
  }

  #send(sentAtMs: number, calledAtMs: number): void {
    this.#own = { sentAtMs, calledAtMs };
    this.#schedule(this.#own);
    this.#host.send(true);
  }

  /** When the sign is due once more, or typing has stopped. */
  #schedule({ sentAtMs, calledAtMs }: Own): void {
    const { agenda, clock } = this.#host;
    const goesOn = calledAtMs > sentAtMs;
    const atMs = goesOn ? sentAtMs + SIGN_EVERY_MS : calledAtMs + TYPING_STOPS_MS;
    agenda.set(this.#ownName, atMs, () => {
      if (goesOn) this.#send(clock.now(), calledAtMs);
      else this.#stop();
    });
  }

  #stop(): void {
    if (!this.#own) return;
    this.sent();
    this.#host.send(false);
  }

  #show(users: readonly UserId[]): void {
    const { agenda, clock, name } = this.#host;
    this.#typists = users;
    if (users.length === 0) agenda.cancel(`typists ${name}`);
    else {
      agenda.set(`typists ${name}`, clock.now() + TYPISTS_TRUST_MS, () => this.#show([]));
    }
    this.#host.changed();
  }

  get #ownName(): string {
    return `typing ${this.#host.name}`;
  }
}
