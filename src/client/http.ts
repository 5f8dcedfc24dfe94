import { ERROR_CODES, type ErrorCode } from "../protocol/errors.ts";
import { ENTRY, ROOM_KINDS, type Entry, type RoomKind } from "../protocol/frames.ts";
import {
  ROOM_ID,
  USER_ID,
  type Epoch,
  type RoomId,
  type Seq,
  type UserId,
} from "../protocol/ids.ts";
import {
  choice,
  flag,
  list,
  nullable,
  struct,
  text,
  uint,
  type Fields,
  type ValuesOf,
} from "../protocol/schema.ts";
import { SchemaError } from "../protocol/schema.ts";
import { ClientError } from "./client-error.ts";

/** A request without an answer is given up after this time. */
export const HTTP_TIMEOUT_MS = 15_000;
/** More than any answer of the server holds; keeps a broken proxy from filling the memory. */
const ITEMS_MAX = 100_000;

/** A page of a room's history, oldest first. */
export interface HistoryPage {
  readonly room: RoomId;
  readonly epoch: Epoch;
  /** Seq of the newest entry of the room. */
  readonly head: Seq;
  /** There are further entries in the direction asked, older ones as far as they are kept. */
  readonly more: boolean;
  readonly entries: readonly Entry[];
}

/** The entries next to a seq, itself not included, or the newest; at most LIMITS.pageEntries. */
export type HistoryQuery =
  | { readonly before?: Seq; readonly after?: never; readonly limit?: number }
  | { readonly after: Seq; readonly before?: never; readonly limit?: number };

export interface RoomInfo {
  readonly room: RoomId;
  readonly kind: RoomKind;
  readonly name: string;
  readonly head: Seq;
  readonly epoch: Epoch;
  readonly members: readonly {
    readonly user: UserId;
    readonly role: string;
    readonly since: Seq;
  }[];
}

/** A room of one's own list. */
export interface ListedRoom {
  readonly room: RoomId;
  readonly kind: RoomKind;
  readonly name: string;
  /** `invited` is not in it yet. */
  readonly role: string;
  readonly epoch: Epoch;
  /** Seq of the newest entry. */
  readonly head: Seq;
  /** Up to here this user has read. */
  readonly through: Seq;
  /** Messages after it by others, counted up to LIMITS.unreadCounted, and those that call this user. */
  readonly unread: number;
  readonly mentions: number;
  /** The newest message. */
  readonly last: Entry | null;
}

const room = text<RoomId>({ bytes: 80, pattern: ROOM_ID });
const user = text<UserId>({ bytes: 256, pattern: USER_ID });
const HISTORY = {
  room,
  epoch: uint<Epoch>(),
  head: uint<Seq>(),
  more: flag,
  entries: list(ENTRY, ITEMS_MAX),
} satisfies Fields;
const ROOM = {
  room,
  kind: choice(ROOM_KINDS),
  name: text({ bytes: 1_024 }),
  head: uint<Seq>(),
  epoch: uint<Epoch>(),
  members: list(struct({ user, role: text({ bytes: 64 }), since: uint<Seq>() }), ITEMS_MAX),
} satisfies Fields;
const ROOMS = {
  rooms: list(
    struct({
      room,
      kind: choice(ROOM_KINDS),
      name: text({ bytes: 1_024 }),
      role: text({ bytes: 64 }),
      epoch: uint<Epoch>(),
      head: uint<Seq>(),
      through: uint<Seq>(),
      unread: uint(),
      mentions: uint(),
      last: nullable(ENTRY),
    }),
    ITEMS_MAX,
  ),
} satisfies Fields;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  readonly fetch: Fetch;
  /** Where the connection is, or tries to be. */
  readonly baseUrl: () => string;
  readonly token: {
    fresh(): Promise<string>;
    latest(): Promise<string>;
  };
}

/** Reads over HTTP. Everything rejects with ClientError. */
export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  history(room: RoomId, { before, after, limit }: HistoryQuery): Promise<HistoryPage> {
    const query = new URLSearchParams();
    if (before !== undefined) query.set("before", String(before));
    if (after !== undefined) query.set("after", String(after));
    if (limit !== undefined) query.set("limit", String(limit));
    return this.#get(`/v1/rooms/${encodeURIComponent(room)}/messages?${query}`, HISTORY);
  }

  room(room: RoomId): Promise<RoomInfo> {
    return this.#get(`/v1/rooms/${encodeURIComponent(room)}`, ROOM);
  }

  async rooms(): Promise<readonly ListedRoom[]> {
    return (await this.#get("/v1/rooms", ROOMS)).rooms;
  }

  async #get<F extends Fields>(path: string, fields: F): Promise<ValuesOf<F>> {
    let reply = await this.#ask(path, await this.#options.token.latest());
    // The token may have run out since the connection was made.
    if (reply.status === 401) reply = await this.#ask(path, await this.#options.token.fresh());
    if (reply.status !== 200) throw refusal(reply.body);
    try {
      return pick(reply.body, fields);
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      throw new ClientError("badReply", `${path}: ${error.message}`, { cause: error });
    }
  }

  async #ask(path: string, token: string): Promise<{ status: number; body: unknown }> {
    const { fetch, baseUrl } = this.#options;
    try {
      const response = await fetch(`${baseUrl()}${path}`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
      });
      return { status: response.status, body: parseJson(await response.text()) };
    } catch (error) {
      throw new ClientError("unreachable", undefined, { cause: error });
    }
  }
}

/** Unlike frames, HTTP bodies may grow new fields, so only those we know are read. */
function pick<F extends Fields>(body: unknown, fields: F): ValuesOf<F> {
  const source = (body ?? {}) as Record<string, unknown>;
  const known = Object.keys(fields).map((name) => [name, source[name]]);
  return struct(fields).read(Object.fromEntries(known), "named", "");
}

function refusal(body: unknown): ClientError {
  const { error } = (body ?? {}) as { error?: { code?: unknown; message?: unknown } };
  if (!error || !ERROR_CODES.includes(error.code as ErrorCode)) return new ClientError("badReply");
  const message = typeof error.message === "string" ? error.message : undefined;
  return new ClientError(error.code as ErrorCode, message);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // A proxy's error page, for example: the status or the missing fields tell.
    return null;
  }
}
