/**
 * A room's name and members, and whether receipts are on: read once when the application
 * asks for them, and kept current by the room's entries from there on.
 */
import type { ChatEvent, Entry, RoomKind } from "../protocol/frames.ts";
import type { Seq, UserId } from "../protocol/ids.ts";
import type { RoomInfo } from "./replies.ts";

/** Entries about members that come while the room is read; past it the room is read again. */
export const HELD_MAX = 1_000;

export interface Member {
  readonly user: UserId;
  /** `owner`, `member`, or `invited`, who is not in the room yet. */
  readonly role: string;
  /** Seq of the entry that gave this role. */
  readonly since: Seq;
}

type DetailsEntry = Entry & {
  readonly event: Extract<ChatEvent, { type: `room.${string}` | `member.${string}` }>;
};

/**
 *             load          answer
 *   unknown ───────▶ loading ──────▶ known ──┐ load, or entries were left out
 *      ▲                │ failed     ▲       │
 *      └────────────────┘            └─ loading
 *
 * What was known stays while it is read again. `#become` is the only writer of the state.
 */
type State =
  | { readonly name: "unknown" }
  | { readonly name: "loading"; readonly held: DetailsEntry[]; readonly answer: Promise<void> }
  | { readonly name: "known"; readonly through: Seq };

export class RoomDetails {
  readonly #fetch: () => Promise<RoomInfo>;
  readonly #changed: () => void;
  #state: State = { name: "unknown" };
  #name: string | null = null;
  #kind: RoomKind | null = null;
  #receiptsOn: boolean | null = null;
  #members = new Map<UserId, Member>();

  constructor(fetch: () => Promise<RoomInfo>, changed: () => void) {
    this.#fetch = fetch;
    this.#changed = changed;
  }

  /** Null until they were read. */
  get name(): string | null {
    return this.#name;
  }
  get kind(): RoomKind | null {
    return this.#kind;
  }
  get receiptsOn(): boolean | null {
    return this.#receiptsOn;
  }
  /** Empty until they were read. */
  get members(): ReadonlyMap<UserId, Member> {
    return this.#members;
  }

  /** Rejects with ClientError; what was known stays then. */
  load(): Promise<void> {
    if (this.#state.name === "loading") return this.#state.answer;
    const held: DetailsEntry[] = [];
    const before = this.#state;
    const answer = this.#fetch().then(
      (info) => this.#loaded(info, held),
      (error: unknown) => {
        this.#failed(before, held);
        throw error;
      },
    );
    this.#become({ name: "loading", held, answer });
    return answer;
  }

  /** An entry of the room, in order. */
  take(entry: Entry): void {
    if (!isAboutDetails(entry)) return;
    if (this.#state.name === "loading" && this.#state.held.length <= HELD_MAX) {
      this.#state.held.push(entry);
    }
    if (this.#state.name !== "known" || entry.seq <= this.#state.through) return;
    this.#put(entry);
    this.#changed();
  }

  /** Whether there is something that entries which were left out would have changed. */
  get isKnown(): boolean {
    return this.#state.name !== "unknown";
  }

  #become(state: State): void {
    this.#state = state;
  }

  #loaded(
    { name, kind, receiptsOn, members, head }: RoomInfo,
    held: readonly DetailsEntry[],
  ): void | Promise<void> {
    this.#become({ name: "known", through: head });
    this.#name = name;
    this.#kind = kind;
    this.#receiptsOn = receiptsOn;
    this.#members = new Map(members.map((member) => [member.user, member]));
    for (const entry of held) if (entry.seq > head) this.#put(entry);
    this.#changed();
    // Some entries were not held: the next answer has them in it.
    if (held.length > HELD_MAX) return this.load();
  }

  #failed(before: State, held: readonly DetailsEntry[]): void {
    this.#become(held.length > HELD_MAX ? { name: "unknown" } : before);
    if (this.#state.name === "known") for (const entry of held) this.take(entry);
  }

  #put({ seq, event }: DetailsEntry): void {
    switch (event.type) {
      case "room.created":
        this.#name = event.name;
        this.#kind = event.kind;
        this.#receiptsOn = true;
        for (const user of event.members) {
          const role = event.kind === "direct" ? "member" : "owner";
          this.#members.set(user, { user, role, since: seq });
        }
        return;
      case "room.renamed":
        this.#name = event.name;
        return;
      case "room.receiptsSet":
        this.#receiptsOn = event.on;
        return;
      case "member.joined":
        this.#members.set(event.user, { user: event.user, role: "member", since: seq });
        return;
      case "member.invited":
        this.#members.set(event.user, { user: event.user, role: "invited", since: seq });
        return;
      case "member.left":
        this.#members.delete(event.user);
        return;
    }
  }
}

function isAboutDetails(entry: Entry): entry is DetailsEntry {
  const { type } = entry.event;
  return type.startsWith("room.") || type.startsWith("member.");
}
