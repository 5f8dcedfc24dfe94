/** What every way of learning of new entries owes to those who follow rooms. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { EdgeOptions, RunningEdge } from "../../src/edge/edge.ts";
import { BELL_INLINE_BYTES } from "../../src/streams/bell.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { engineOfFile, type Engine } from "./engine.ts";
import { applied, createRoom, type Peer } from "./peer.ts";

export interface TailerCase {
  readonly name: string;
  readonly options: Partial<EdgeOptions>;
  /** What /health says once rooms are followed. */
  readonly mode: "direct" | "bell";
}

export function tailerContract({ name, options, mode }: TailerCase): void {
  const start = engineOfFile();
  describe(name, () => {
    let engine: Engine;
    let proxy: FaultProxy;
    /** The edge under test reads through the proxy; the other one only writes. */
    let edge: RunningEdge;
    let reader: Peer;
    let writers: Peer[];

    beforeAll(async () => {
      engine = await start();
      proxy = await FaultProxy.start(engine.redis.socket);
      edge = await engine.edge({ ...options, redisUrl: proxy.url });
      const other = await engine.edge();
      reader = await engine.peer(edge, "reader");
      writers = await Promise.all(
        [0, 1, 2].map((i) => engine.peer(other, `writer-${i}`, { device: `w${i}` })),
      );
    });
    afterAll(() => proxy.stop());

    let rooms = 0;
    async function newRooms(count: number): Promise<string[]> {
      const made = Array.from({ length: count }, () => `${name.replaceAll(" ", "-")}-${++rooms}`);
      const [first, ...rest] = writers as [Peer, ...Peer[]];
      for (const room of made) await createRoom(first, room, [...rest, reader]);
      return made;
    }
    /** Every writer says `count` things in every room, all at once; commands put off come again. */
    async function talk(where: readonly string[], count: number, text = "text"): Promise<void> {
      await Promise.all(
        writers.map(async (writer) => {
          for (let i = 0; i < count; i++) {
            for (const room of where) {
              const outcome = await writer.insist({ type: "send", room, text: `${text} ${i}` });
              expect(outcome.type).toBe("applied");
            }
          }
        }),
      );
    }
    /** The reader has all of each room, in order, once. */
    async function arrived(where: readonly string[]): Promise<void> {
      const writer = writers[0] as Peer;
      for (const room of where) {
        const { head } = await writer.resume(room, null, 1);
        await reader.hasSeq(room, head);
        const expected = Array.from({ length: head }, (_, i) => i + 1);
        expect(reader.seqs(room)).toEqual(expected);
      }
      expect(reader.violations).toEqual([]);
    }

    it("[TA21] brings every entry of every followed room once and in order", async () => {
      const where = await newRooms(12);
      for (const room of where) await reader.follow(room);
      await talk(where, 15);
      await arrived(where);
      const health = (await (await fetch(`${edge.address}/health`)).json()) as { tailer: string };
      expect(health.tailer).toBe(mode);
    });

    it("[TA24] brings what is too large for a bell", async () => {
      const where = await newRooms(2);
      for (const room of where) await reader.follow(room);
      await talk(where, 4, "x".repeat(BELL_INLINE_BYTES / 2));
      await arrived(where);
    });

    it("[TA23] hears of a room that was opened while it waited", async () => {
      for (let round = 0; round < 10; round++) {
        const [room] = (await newRooms(1)) as [string];
        // Between the page and the opening of the room, too.
        const spoken = talk([room], 2);
        await reader.follow(room);
        await spoken;
        await arrived([room]);
      }
    });

    it("[TA25] finds by itself what a lost bell told of, and asks again for lost outcomes", async () => {
      const where = await newRooms(4);
      for (const room of where) await reader.follow(room);
      const silence = new AbortController();
      const losing = (async () => {
        while (!silence.signal.aborted) {
          for (const bell of engine.bells()) await engine.admin.xtrim(bell, "MAXLEN", 0);
          await new Promise((resolve) => setTimeout(resolve, 3));
        }
      })();
      await talk(where, 6);
      silence.abort();
      await losing;
      await arrived(where);
      // The reader's own commands as well.
      const own = await applied(
        reader.run({ type: "send", room: where[0] as string, text: "own" }),
      );
      expect(own.k).toBe(reader.lastK);
    });

    it("[TA26] catches up on bells that were trimmed while it could not read them", async () => {
      const where = await newRooms(3);
      for (const room of where) await reader.follow(room);
      proxy.blackHole("toServer", "toClient");
      await talk(where, 10);
      for (const bell of engine.bells()) await engine.admin.xtrim(bell, "MAXLEN", 0);
      proxy.heal();
      await talk(where, 1);
      await arrived(where);
    });

    it("[TA26] goes on over a link that breaks again and again", async () => {
      const where = await newRooms(3);
      for (const room of where) await reader.follow(room);
      const silence = new AbortController();
      const breaking = (async () => {
        while (!silence.signal.aborted) {
          proxy.reset();
          await new Promise((resolve) => setTimeout(resolve, 150));
        }
      })();
      await talk(where, 40);
      silence.abort();
      await breaking;
      await arrived(where);
    });

    it("[TA27] has a room that lost more than it reads at once resumed by its followers", async () => {
      const [room] = (await newRooms(1)) as [string];
      await reader.follow(room);
      proxy.blackHole("toServer", "toClient");
      await talk([room], 5);
      await engine.admin.xtrim(engine.conversation(room), "MAXLEN", 2);
      for (const bell of engine.bells()) await engine.admin.xtrim(bell, "MAXLEN", 0);
      proxy.heal();
      const broken = await reader.next("unsubscribed", (frame) => frame.room === room);
      expect(broken.code).toBe("unavailable");
      const page = await reader.resume(room, reader.rooms.get(room)?.at(-1)?.cursor);
      expect([page.status, page.entries.length]).toEqual(["gap", 2]);
    });
  });
}
