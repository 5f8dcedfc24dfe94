/** Who is in a room, as one connection was told: the whole once, then changes. */
import type { ServerFrameOf } from "../../src/protocol/frames.ts";

export class RoomPresence {
  readonly #online = new Set<string>();
  /** When the last frame came, in ms since 1970. */
  changedMs = 0;
  #wanted: { readonly users: ReadonlySet<string>; readonly resolve: () => void } | null = null;

  take({ whole, online, offline }: ServerFrameOf<"presence">): void {
    if (whole) this.#online.clear();
    for (const user of online) this.#online.add(user);
    for (const { user } of offline) this.#online.delete(user);
    this.changedMs = Date.now();
    this.#look();
  }

  /**
   * Resolves when exactly these are shown; one wait at a time. Thousands of sockets
   * that looked every few ms would keep k6 from everything else.
   */
  becomes(users: ReadonlySet<string>): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = { users, resolve };
      this.#look();
    });
  }

  #look(): void {
    if (!this.#wanted || !this.is(this.#wanted.users)) return;
    this.#wanted.resolve();
    this.#wanted = null;
  }

  is(users: ReadonlySet<string>): boolean {
    if (this.#online.size !== users.size) return false;
    const { unseen, ghosts } = this.compare(users);
    return unseen + ghosts === 0;
  }

  /** `unseen`: those who are there and not shown; `ghosts`: the other way round. */
  compare(users: ReadonlySet<string>): { readonly unseen: number; readonly ghosts: number } {
    let seen = 0;
    for (const user of users) if (this.#online.has(user)) seen++;
    return { unseen: users.size - seen, ghosts: this.#online.size - seen };
  }
}
