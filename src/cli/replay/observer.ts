/** Follows one room from its first entry and notes what comes, over every reconnect. */
import type { ChatClient } from "../../client/client.ts";
import type { Room } from "../../client/room.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { monotonicMs } from "../../ops/clock.ts";
import { openClient, type ClientRequest, type EngineAccess } from "./engine-access.ts";
import type { Seen } from "./compare.ts";
import { markOf } from "./plan.ts";

const POLL_MS = 20;

export class Observer {
  readonly #client: ChatClient;
  readonly #room: Room;
  readonly #seen: Seen[] = [];
  /** When each entry came, by seq. */
  readonly #atMs: number[] = [];
  #welcomes = 0;

  constructor(access: EngineAccess, room: string, request: ClientRequest) {
    this.#client = openClient(access, request);
    this.#room = this.#client.room(room);
    this.#client.on("state", ({ name }) => {
      if (name === "live") this.#welcomes++;
    });
    this.#client.on("entry", ({ entry }) => {
      this.#seen.push({ seq: entry.seq, mark: markOf(entry) });
      this.#atMs[entry.seq] ??= monotonicMs();
    });
    // What it had is void; what it is not given again is missing then.
    this.#client.on("reset", () => void this.#seen.splice(0));
  }

  get seen(): readonly Seen[] {
    return this.#seen;
  }
  get reconnects(): number {
    return Math.max(0, this.#welcomes - 1);
  }

  /** By the monotonic clock, or null when it has not come. */
  seenAt(seq: number): number | null {
    return this.#atMs[seq] ?? null;
  }

  /** Resolves when it is caught up and follows. */
  async follow(): Promise<void> {
    await this.#client.connect();
    await this.#room.follow({ from: "origin", limit: LIMITS.pageEntries });
  }

  /** Waits until the room has come so far, at most until the deadline. */
  async reach(seq: number, deadlineMs: number): Promise<void> {
    while ((this.#seen.at(-1)?.seq ?? 0) < seq && monotonicMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  close(): void {
    this.#client.close();
  }
}
