/** What is unread of threads, over HTTP, against a recount of all that was done. */
import { beforeAll, describe, expect, it } from "vitest";
import type { RunningEdge } from "../../src/edge/edge.ts";
import { LIMITS } from "../../src/protocol/limits.ts";
import { Chance } from "../projectors/chance.ts";
import { type Engine, engineOfFile } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";

const NAMES = ["ann", "ben", "cy"] as const;
const START_SEQ = NAMES.length;

const open = engineOfFile();
let engine: Engine;
let edge: RunningEdge;
beforeAll(async () => {
  engine = await open({ historyPerRoom: 1_000 });
  edge = await engine.edge();
});

interface Said {
  readonly seq: number;
  readonly by: string;
  readonly thread: number | null;
  deleted: boolean;
}

/** A room with everything that was done in it, counted in the plainest way. */
class Story {
  readonly room: string;
  readonly said: Said[] = [];
  readonly through = new Map<string, number>();
  readonly #peers: ReadonlyMap<string, Peer>;

  private constructor(room: string, peers: ReadonlyMap<string, Peer>) {
    this.room = room;
    this.#peers = peers;
  }

  static async begin(room: string): Promise<Story> {
    const peers = new Map<string, Peer>();
    for (const name of NAMES) {
      peers.set(name, await engine.peer(edge, name, { device: `${name}-in-${room}` }));
    }
    const [ann, ...others] = [...peers.values()] as [Peer, ...Peer[]];
    await createRoom(ann, room, others);
    for (const peer of peers.values()) await peer.follow(room);
    const story = new Story(room, peers);
    NAMES.forEach((name, i) => story.through.set(name, i + 1));
    return story;
  }

  async say(by: string, thread: number | null): Promise<number> {
    const replyTo = thread === null ? {} : { replyTo: this.#cursor(by, thread) };
    const { room } = this;
    const { seq } = await applied(
      this.#peer(by).run({ type: "send", room, text: "x", ...replyTo }),
    );
    for (const peer of this.#peers.values()) await peer.hasSeq(room, seq);
    this.said.push({ seq, by, thread, deleted: false });
    this.through.set(by, seq);
    return seq;
  }

  async delete(said: Said): Promise<void> {
    const { room } = this;
    const message = this.#cursor(said.by, said.seq);
    const { seq } = await applied(this.#peer(said.by).run({ type: "delete", room, message }));
    for (const peer of this.#peers.values()) await peer.hasSeq(room, seq);
    said.deleted = true;
  }

  async read(by: string, seq: number): Promise<void> {
    if (seq <= (this.through.get(by) ?? 0)) return;
    const since = this.#peer(by).frames.length;
    this.#peer(by).send({ type: "read", room: this.room as never, through: this.#cursor(by, seq) });
    await this.#peer(by).next("unread", ({ through }) => through === seq, since);
    this.through.set(by, seq);
  }

  async markUnread(by: string, seq: number): Promise<void> {
    const { room } = this;
    const message = this.#cursor(by, seq);
    await applied(this.#peer(by).run({ type: "markUnread", room, message }));
    const back = Math.max(seq - 1, NAMES.indexOf(by as never) + 1);
    this.through.set(by, Math.min(this.through.get(by) as number, back));
  }

  unread(user: string, thread: number): { replies: number; unread: number } {
    const replies = this.said.filter((each) => each.thread === thread && !each.deleted);
    const unread = replies.slice(-LIMITS.threadUnreadCounted).filter(({ seq, by }) => {
      return by !== user && seq > (this.through.get(user) as number);
    });
    return { replies: replies.length, unread: unread.length };
  }

  async told(user: string, thread: number, query = ""): Promise<unknown> {
    const path = `/v1/rooms/${this.room}/messages/${thread}/thread${query}`;
    return (await engine.http(edge, user, path)).json();
  }

  #peer(name: string): Peer {
    return this.#peers.get(name) as Peer;
  }
  #cursor(by: string, seq: number) {
    const entry = this.#peer(by)
      .rooms.get(this.room)
      ?.find((each) => each.seq === seq);
    if (!entry) throw new Error(`${by} has no entry ${seq}`);
    return entry.cursor;
  }
}

async function step(story: Story, chance: Chance, threads: readonly number[]): Promise<void> {
  const by = chance.pick(NAMES);
  const roll = chance.next();
  if (roll < 0.5) return void (await story.say(by, chance.pick([null, ...threads, ...threads])));
  const { seq } = chance.pick(story.said);
  if (roll < 0.65) {
    const there = story.said.filter((each) => each.thread !== null && !each.deleted);
    return there.length === 0 ? undefined : story.delete(chance.pick(there));
  }
  return roll < 0.8 ? story.read(by, seq) : story.markUnread(by, seq);
}

describe("the unread replies of a thread", () => {
  it("[UN20] equal a recount, with own and deleted replies, after reads and marks, on any page", async () => {
    for (const seed of [1, 2, 3]) {
      const chance = new Chance(seed);
      const story = await Story.begin(`story-${seed}`);
      const threads = [await story.say("ann", null), await story.say("ben", null)];
      const seen = new Set<number>();
      for (let i = 0; i < 70; i++) {
        await step(story, chance, threads);
        if (i % 3 > 0) continue;
        for (const user of NAMES) {
          for (const thread of threads) {
            const wanted = story.unread(user, thread);
            const query = chance.pick(["", "?limit=1", `?after=${START_SEQ + i}&limit=2`]);
            const told = await story.told(user, thread, query);
            expect(told, `seed ${seed}, step ${i}, ${user}, ${query}`).toMatchObject(wanted);
            seen.add(wanted.unread);
          }
        }
      }
      expect(seen.size, `seed ${seed}`).toBeGreaterThan(5);
      await story.markUnread("cy", threads[0] as number);
      await story.delete(story.said[0] as Said);
      const told = await story.told("cy", threads[0] as number);
      expect(told).toMatchObject(story.unread("cy", threads[0] as number));
    }
  }, 60_000);

  it("[UN20] are counted among the newest hundred, and told to members alone", async () => {
    const story = await Story.begin("long");
    const thread = await story.say("ann", null);
    for (let i = 0; i < LIMITS.threadUnreadCounted; i++) await story.say("ben", thread);
    const count = LIMITS.threadUnreadCounted;
    const told = (await story.told("ann", thread, "?limit=3")) as { entries: unknown[] };
    expect(told).toMatchObject({ replies: count, unread: count, more: true });
    expect(told.entries).toHaveLength(3);
    await story.say("ben", thread);
    expect(await story.told("ann", thread)).toMatchObject({ replies: count + 1, unread: count });
    expect(await story.told("ben", thread)).toMatchObject({ unread: 0 });
    const outsider = await story.told("eve", thread);
    expect(outsider).toMatchObject({ error: { code: "forbidden" } });
    expect(outsider).not.toHaveProperty("unread");
  }, 30_000);
});
