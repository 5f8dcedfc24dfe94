/**
 * A test of the tests of changed messages: each check is taken out of a copy, and what
 * the copy folds and shows must differ from the model then.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type * as RoomReaderModule from "../src/edge/room-reader.ts";
import type * as IngestModule from "../src/ingest/ingest.ts";
import type * as FoldModule from "../src/projectors/runtime/fold.ts";
import type * as ScriptsModule from "../src/projectors/runtime/scripts.ts";
import type * as StateModule from "../src/projectors/runtime/partition-state.ts";
import { decodeEntry } from "../src/protocol/codec.ts";
import type { RoomId, UserId } from "../src/protocol/ids.ts";
import { packCommands } from "../src/streams/command-log.ts";
import { Chance } from "./projectors/chance.ts";
import { Compiled } from "./projectors/compiled.ts";
import { shownAt } from "./projectors/message-reference.ts";
import { Story, STORY_ROOMS } from "./projectors/message-story.ts";
import { Scene } from "./projectors/scene.ts";

const KEPT = 150;
const BATCH = 6;

let compiled: Compiled;
let scene: Scene;
let story: Story;
beforeAll(async () => {
  compiled = await Compiled.fromSources();
  scene = await Scene.start();
  story = new Story(new Chance(5), 150, KEPT);
});
afterEach(async () => void (await scene.redis.flushall()));
afterAll(async () => {
  compiled.remove();
  await scene.stop();
});

/** Whether an engine folds the story and shows it as the model says. */
async function showsTheStory(engine: Compiled): Promise<boolean> {
  const on = scene.with({
    scripts: await engine.load<typeof ScriptsModule>("projectors/runtime/scripts.js"),
    fold: await engine.load<typeof FoldModule>("projectors/runtime/fold.js"),
    state: await engine.load<typeof StateModule>("projectors/runtime/partition-state.js"),
    ingest: await engine.load<typeof IngestModule>("ingest/ingest.js"),
  });
  const { RoomReader } = await engine.load<typeof RoomReaderModule>("edge/room-reader.js");
  for (const { id, commands } of story.log) {
    await on.redis.xadd(
      on.keys.events(on.partition),
      id,
      "b",
      packCommands("e", commands) as Buffer,
    );
  }
  for (let i = 0; i < story.log.length; i += BATCH) {
    const grant = await on.acquire(`w${i}`);
    await on.apply(grant, await on.decide(grant, BATCH, KEPT));
  }
  const reader = new RoomReader(on.redis, on.keys);
  for (const room of STORY_ROOMS) {
    const entries = story.reference.rooms.get(room)?.entries ?? [];
    for (let after = 0; after < entries.length;) {
      const question = { after, limit: 200 };
      const page = await reader.history("ann" as UserId, room as RoomId, question);
      const shown = "refused" in page ? [] : page.entries;
      const wrong = shown.some(({ seq, payload }) => {
        const { event } = decodeEntry(payload);
        return JSON.stringify(event) !== JSON.stringify(inOrder(shownAt(entries, seq)));
      });
      if (wrong || shown.length === 0) return false;
      after = shown.at(-1)?.seq ?? entries.length;
    }
  }
  return true;
}

/** With its fields in the order in which they are read from bytes. */
function inOrder(event: object): object {
  const order = ["type", "target", "text", "through", "replyTo", "mentions", "everyone", "edits"];
  const last = ["editedAt", "pinned", "replies", "lastReply", "reactions"];
  const place = (name: string): number => [...order, ...last].indexOf(name);
  const known = Object.keys(event).every((name) => place(name) >= 0);
  if (!known || !("through" in event)) return event;
  return Object.fromEntries(Object.entries(event).sort(([a], [b]) => place(a) - place(b)));
}

const MUTANTS: readonly [check: string, file: string, find: string, replacement: string][] = [
  [
    "awaiting what a batch sends and changes",
    "projectors/messages/message-state.js",
    "return this.#awaited.size > 0 && this.#awaited.has(",
    "return false && this.#awaited.has(",
  ],
  [
    "id of a named message",
    "projectors/messages/message-state.js",
    "if (message?.origin.id !== cursor.id)",
    "if (message === null)",
  ],
  [
    "epoch of a cursor",
    "projectors/messages/message-state.js",
    "cursor === null || cursor.epoch !== room.epoch",
    "cursor === null",
  ],
  [
    "end of the history, by seq",
    "streams/blocks.js",
    "return seq <= head && head - seq < kept;",
    "return seq <= head;",
  ],
  [
    "emptying of an edit that was replaced",
    "domain/message.js",
    "return previous.seq === message.origin.seq ? null : previous;",
    "return null;",
  ],
  [
    "emptying of the last edit of what was deleted",
    "domain/message.js",
    "message.deletedIn = seq;\n    return last;",
    "message.deletedIn = seq;\n    return null;",
  ],
  [
    "count of replies without those deleted",
    "domain/message.js",
    "first.replies = first.replies.filter((reply) => reply.seq !== seq);",
    "",
  ],
  [
    "once of a reaction",
    "domain/decide-message.js",
    'if (before)\n        return { outcome: "nothing", seq: before.seq };',
    "",
  ],
  [
    "author of an edit",
    "domain/decide-message.js",
    "isAuthor: message.origin.by === by",
    "isAuthor: true",
  ],
  [
    "members among those mentioned",
    "domain/decide-message.js",
    "filter((user) => isMember(standing(room, user)))",
    "filter(() => true)",
  ],
  ["folded form in a page", "edge/folded.lua", "if shown[i - from + 1] then", "if false then"],
];

describe("without the", () => {
  it("[OP59] engine as it is shows the story", async () => {
    expect(await showsTheStory(compiled)).toBe(true);
  });

  it.each(MUTANTS)("[OP59] %s, pages differ from the model", async (_check, file, find, put) => {
    const mutant = compiled.mutant(file, find, put);
    try {
      expect(await showsTheStory(mutant).catch(() => false)).toBe(false);
    } finally {
      mutant.remove();
    }
  });
});
