/** A log in which people write, change, react, reply, pin and leave, by chance; with what it means. */
import { formatCursor, type Cursor } from "../../src/protocol/cursor.ts";
import type { Epoch, Seq } from "../../src/protocol/ids.ts";
import { halves, type Position } from "../../src/redis/position.ts";
import type { LoggedCommand } from "../../src/streams/command-log.ts";
import type { Chance } from "./chance.ts";
import { Hand } from "./commands.ts";
import { pinsOf, type ReferenceRoom } from "./message-reference.ts";
import { Reference } from "./reference.ts";

export const STORY_ROOMS = ["red", "green", "blue"] as const;
const USERS = ["ann", "ben", "cat", "zoë :{}", "1-0"] as const;
const REACTIONS = ["+1", "\u{1f44d}", ":a:b", "no", "ok", "\u{1f1eb}\u{1f1f7}"] as const;
/** Commands name one of so many newest entries, so that some are changed often. */
const NEAR = 12;

export interface Batch {
  readonly id: Position;
  readonly commands: readonly LoggedCommand[];
}

export class Story {
  readonly log: Batch[] = [];
  readonly reference: Reference;
  readonly #chance: Chance;
  readonly #hands = USERS.map((user) => new Hand(user, "phone"));
  readonly #owner = this.#hands[0] as Hand;
  readonly #kept: number;
  #texts = 0;

  /** `entries` of the log; `kept` entries of a room's history. */
  constructor(chance: Chance, entries: number, kept: number) {
    this.#chance = chance;
    this.#kept = kept;
    this.reference = new Reference(kept);
    const first = STORY_ROOMS.map((room) => this.#owner.creates(room));
    const joins = this.#hands
      .slice(1)
      .flatMap((hand) => STORY_ROOMS.map((room) => hand.does({ type: "join" }, room)));
    this.#append([...first, ...joins].map((command) => () => command));
    for (let i = 0; i < entries; i++) {
      this.#append(Array.from({ length: chance.between(1, 9) }, () => () => this.#next()));
    }
  }

  /** Each command is made when all before it have been taken, so that it can name what they made. */
  #append(makers: readonly (() => LoggedCommand)[]): void {
    const id = `${1_700_000_000_000 + 7 * this.log.length}-${this.log.length % 3}` as Position;
    const commands = makers.map((make, index) => {
      const logged = make();
      this.reference.take(id, index, logged);
      return logged;
    });
    this.log.push({ id, commands });
  }

  #next(): LoggedCommand {
    const chance = this.#chance;
    if (chance.often(0.03)) return chance.pick(chance.pick(this.log.slice(-20)).commands);
    const room = chance.pick(STORY_ROOMS);
    const hand = chance.pick(this.#hands);
    const text = `text ${++this.#texts} of ${room}.`;
    const message = this.#cursor(room);
    const mentions = [chance.pick(USERS), chance.pick(USERS), "nobody"] as never[];
    const draw = chance.next();
    if (draw < 0.02 && hand !== this.#owner) return hand.does({ type: "leave" }, room);
    if (draw < 0.06) return hand.does({ type: "join" }, room);
    if (draw < 0.2) return hand.says(text, room);
    if (draw < 0.25) {
      const everyone = chance.often(0.5);
      return hand.does({ type: "send", text, mentions, everyone }, room);
    }
    if (draw < 0.4) return hand.does({ type: "send", text, replyTo: message }, room);
    if (draw < 0.52) {
      const call = chance.often(0.3) ? { mentions, everyone: chance.often(0.3) } : {};
      const newText = chance.often(0.2) ? "the same text." : text;
      return hand.does({ type: "edit", message, text: newText, ...call }, room);
    }
    if (draw < 0.6) return hand.does({ type: "delete", message }, room);
    if (draw < 0.88) {
      const type = chance.often(0.75) ? "react" : "unreact";
      const second = chance.often(type === "react" ? 0.1 : 0.9) ? this.#again(room, type) : null;
      if (second) return second;
      return hand.does({ type, message, reaction: chance.pick(REACTIONS) }, room);
    }
    const pinner = chance.often(0.8) ? this.#owner : hand;
    if (chance.often(0.6)) return pinner.does({ type: "pin", message }, room);
    return pinner.does({ type: "unpin", message: this.#pinned(room) ?? message }, room);
  }

  /** Somebody takes back a reaction, or adds it once more. */
  #again(room: string, type: "react" | "unreact"): LoggedCommand | null {
    const { entries } = this.reference.rooms.get(room) as ReferenceRoom;
    const added = entries
      .slice(-60)
      .flatMap(({ by, event }) => (event.type === "reaction.added" ? [{ by, ...event }] : []));
    if (added.length === 0) return null;
    const { by, target, reaction } = this.#chance.pick(added);
    const hand = this.#hands.find(({ user }) => user === by) as Hand;
    const [ms, n] = halves(entries[target - 1]?.id as Position);
    const message = formatCursor(1 as Epoch, target, ms, n);
    return hand.does({ type, message, reaction }, room);
  }

  /** One of those that are pinned, if any. */
  #pinned(room: string): Cursor | null {
    const { entries } = this.reference.rooms.get(room) as ReferenceRoom;
    const pins = pinsOf(entries);
    if (pins.length === 0) return null;
    const { seq } = this.#chance.pick(pins);
    const [ms, n] = halves(entries[seq - 1]?.id as Position);
    return formatCursor(1 as Epoch, seq as Seq, ms, n);
  }

  /** Mostly of a message nearby; also of what is long gone, of no message, and of none there is. */
  #cursor(room: string): Cursor {
    const chance = this.#chance;
    const { entries } = this.reference.rooms.get(room) as ReferenceRoom;
    const newest = entries.length;
    const sent = entries.flatMap(({ event }, i) => (event.type === "message.sent" ? [i + 1] : []));
    const draw = chance.next();
    // Nearby, anywhere, or about where the history ends.
    const near = sent.filter((seq) => {
      if (draw < 0.85) return seq >= newest - NEAR;
      return draw < 0.92 || Math.abs(newest - this.#kept - seq) < NEAR;
    });
    const seq =
      near.length > 0 && chance.often(0.95) ? chance.pick(near) : chance.between(1, newest);
    const id = entries[seq - 1]?.id as Position;
    const [ms, n] = halves(id);
    const forgery = chance.next();
    if (forgery < 0.01) return formatCursor(2 as Epoch, seq as Seq, ms, n);
    if (forgery < 0.02) return formatCursor(1 as Epoch, (seq + 1) as Seq, ms, n);
    if (forgery < 0.03) return formatCursor(1 as Epoch, seq as Seq, ms, n + 1);
    if (forgery < 0.035) return "never seen" as Cursor;
    return formatCursor(1 as Epoch, seq as Seq, ms, n);
  }
}
