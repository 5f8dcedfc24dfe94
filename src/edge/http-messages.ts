/** HTTP about single messages: versions, reactions, threads, pins. */
import type { Context } from "hono";
import { ENTRY, type Entry } from "../protocol/frames.ts";
import { ROOM_ID, type RoomId, type Seq } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import { failed, isRefused, readCount, unknownParameter, type App } from "./http-answers.ts";
import type { MessageReader } from "./message-reader.ts";
import type { Refused } from "./room-reader.ts";

const THREAD_PAGE_DEFAULT = 50;
/** What HSCAN gives out as its cursor. */
const SCAN_CURSOR = /^\d{1,20}$/;

export function messageRoutes(app: App, reader: MessageReader): void {
  app.get("/v1/rooms/:room/pins", async (c) => {
    const wrong = unknownParameter(c.req.query(), []);
    if (wrong !== null) return failed(c, "invalid", wrong);
    const room = c.req.param("room");
    if (!ROOM_ID.test(room)) return failed(c, "forbidden");
    const found = await reader.pins(c.get("identity").user, room as RoomId);
    if ("refused" in found) return failed(c, found.refused);
    const pins = found.map(({ seq, pinnedIn, entry }) => {
      return { seq, pinnedIn, entry: entry && asJson(entry) };
    });
    return c.json({ room, pins });
  });

  app.get("/v1/rooms/:room/messages/:seq/versions", (c) =>
    answer(c, [], async (room, seq) => {
      const versions = await reader.versions(c.get("identity").user, room, seq);
      return "refused" in versions ? versions : { versions };
    }),
  );

  app.get("/v1/rooms/:room/messages/:seq/reactions", (c) => {
    const { after = "0" } = c.req.query();
    if (!SCAN_CURSOR.test(after)) return failed(c, "invalid", "after is the next of a page before");
    return answer(c, ["after"], (room, seq) =>
      reader.reactions(c.get("identity").user, room, seq, after),
    );
  });

  app.get("/v1/rooms/:room/messages/:seq/thread", (c) => {
    const query = c.req.query();
    const after = readCount(query["after"] ?? "0", 0);
    const limit = readCount(query["limit"] ?? String(THREAD_PAGE_DEFAULT), 1);
    if (Number.isNaN(after)) return failed(c, "invalid", "after is a seq, from 0");
    if (!(limit <= LIMITS.pageEntries)) {
      return failed(c, "invalid", `limit is a number from 1 to ${LIMITS.pageEntries}`);
    }
    return answer(c, ["after", "limit"], async (room, seq) => {
      const found = await reader.thread(c.get("identity").user, room, seq, { after, limit });
      return "refused" in found ? found : { ...found, entries: found.entries.map(asJson) };
    });
  });
}

/** Asks about the message of the address, when the question is in order. */
async function answer(
  c: Context,
  parameters: readonly string[],
  ask: (room: RoomId, seq: Seq) => Promise<object | Refused>,
): Promise<Response> {
  const wrong = unknownParameter(c.req.query(), parameters);
  if (wrong !== null) return failed(c, "invalid", wrong);
  const seq = readCount(c.req.param("seq") ?? "", 1);
  if (Number.isNaN(seq)) return failed(c, "invalid", "a message is named by its seq, from 1");
  const room = c.req.param("room") ?? "";
  if (!ROOM_ID.test(room)) return failed(c, "forbidden");
  const found = await ask(room as RoomId, seq as Seq);
  return isRefused(found) ? failed(c, found.refused) : c.json({ room, seq, ...found });
}

function asJson(entry: Entry): unknown {
  return ENTRY.write(entry, "named");
}
