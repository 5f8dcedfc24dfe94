/**
 * HTTP on the edge's port: history pages, rooms, tickets, health. Errors are
 * `{"error": {"code", "message"}}` with the codes of the socket protocol.
 */
import { Hono, type Context } from "hono";
import { cors } from "hono/cors";
import type { Log } from "../ops/log.ts";
import { decodeEntry } from "../protocol/codec.ts";
import { ENTRY } from "../protocol/frames.ts";
import { ROOM_ID, type RoomId } from "../protocol/ids.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { Authenticator, Identity } from "./auth.ts";
import { failed, isRefused, readCount, type App } from "./http-answers.ts";
import { messageRoutes } from "./http-messages.ts";
import type { MessageReader } from "./message-reader.ts";
import type { ListedRoom, RoomList } from "./room-list.ts";
import type { RoomReader } from "./room-reader.ts";

const PAGE_DEFAULT = 50;

export interface Health {
  readonly ok: boolean;
  readonly [field: string]: unknown;
}

export interface HttpOptions {
  readonly authenticator: Authenticator;
  readonly reader: RoomReader;
  readonly messages: MessageReader;
  readonly rooms: RoomList;
  readonly allowedOrigins: readonly string[];
  /** What `/health` reports; `ok` false gives 503. */
  readonly health: () => Promise<Health>;
  readonly log: Log;
}

export function createHttp(options: HttpOptions): App {
  const { authenticator, reader, allowedOrigins, health, log } = options;
  const app: App = new Hono();
  app.use(
    "*",
    cors({ origin: [...allowedOrigins], allowHeaders: ["authorization", "content-type"] }),
  );
  app.onError((error, c) => {
    log.error({ err: error, path: c.req.path }, "a request failed");
    return failed(c, "unavailable");
  });
  app.notFound((c) => failed(c, "notFound"));

  app.get("/health", async (c) => {
    const report = await health();
    return c.json(report, report.ok ? 200 : 503);
  });

  app.use("/v1/*", async (c, next) => {
    const identity = await authenticator.verifyToken(bearer(c.req.header("authorization")));
    if (identity === null) return failed(c, "unauthorized");
    c.set("identity", identity);
    return next();
  });
  app.post("/v1/tickets", async (c) => c.json(await authenticator.issueTicket(c.get("identity"))));
  app.get("/v1/rooms", async (c) => {
    const rooms = await options.rooms.of(c.get("identity").user);
    return c.json({ rooms: rooms.map(writeListed) });
  });
  app.get("/v1/rooms/:room", async (c) => {
    const room = c.req.param("room");
    if (!ROOM_ID.test(room)) return failed(c, "forbidden");
    const details = await reader.details(c.get("identity").user, room as RoomId);
    if ("refused" in details) return failed(c, details.refused);
    const members = [...details.members].map(([user, { role, since }]) => ({ user, role, since }));
    return c.json({ room, ...details, members });
  });
  app.get("/v1/rooms/:room/messages", (c) => history(c, reader, c.get("identity")));
  messageRoutes(app, options.messages);
  return app;
}

function writeListed({ last, ...listed }: ListedRoom): object {
  return { ...listed, last: last === null ? null : ENTRY.write(last, "named") };
}

async function history(c: Context, reader: RoomReader, { user }: Identity): Promise<Response> {
  const room = c.req.param("room") ?? "";
  const page = readPage(c.req.query());
  if (typeof page === "string") return failed(c, "invalid", page);
  if (!ROOM_ID.test(room)) return failed(c, "forbidden");
  const found = await reader.history(user, room as RoomId, page);
  if (isRefused(found)) return failed(c, found.refused);
  const entries = found.entries.map(({ payload }) => ENTRY.write(decodeEntry(payload), "named"));
  const { epoch, head, firstKept } = found;
  // In the direction of the question. What lies below the oldest kept cannot be had any more.
  const more =
    page.after === undefined
      ? (found.entries[0]?.seq ?? firstKept) > firstKept
      : (found.entries.at(-1)?.seq ?? head) < head;
  return c.json({ room, epoch, head, firstKept, more, entries });
}

type Page = { before?: number; after?: number; limit: number };

/** The page asked for, or what is wrong with the question. */
function readPage(query: Record<string, string>): Page | string {
  const { before, after, limit, ...rest } = query;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) return `no parameter "${unknown}" but only before, after, limit`;
  if (before !== undefined && after !== undefined) return "either before or after, not both";
  const page: Page = { limit: limit === undefined ? PAGE_DEFAULT : readCount(limit, 1) };
  if (before !== undefined) page.before = readCount(before, 1);
  if (after !== undefined) page.after = readCount(after, 0);
  if (!(page.limit <= LIMITS.pageEntries))
    return `limit is a number from 1 to ${LIMITS.pageEntries}`;
  if (Number.isNaN(page.before)) return "before is a seq, from 1";
  if (Number.isNaN(page.after)) return "after is a seq, from 0";
  return page;
}

function bearer(header: string | undefined): string {
  return /^Bearer (\S+)$/i.exec(header ?? "")?.[1] ?? "";
}
