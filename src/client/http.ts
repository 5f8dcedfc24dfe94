import { ERROR_CODES, type ErrorCode } from "../protocol/errors.ts";
import type { RoomId, Seq } from "../protocol/ids.ts";
import { SchemaError, struct, type Fields, type ValuesOf } from "../protocol/schema.ts";
import { ClientError } from "./client-error.ts";
import {
  HISTORY,
  PINS,
  REACTORS,
  ROOM,
  ROOMS,
  THREAD,
  VERSIONS,
  type HistoryPage,
  type HistoryQuery,
  type ListedRoom,
  type MessageVersion,
  type Pin,
  type ReactorsPage,
  type RoomInfo,
  type ThreadPage,
} from "./replies.ts";

/** A request without an answer is given up after this time. */
export const HTTP_TIMEOUT_MS = 15_000;
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

/** Replies after a seq, oldest first; at most LIMITS.pageEntries. */
export interface ThreadQuery {
  readonly after?: Seq;
  readonly limit?: number;
}

/** Reads over HTTP. Everything rejects with ClientError. */
export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  history(room: RoomId, query: HistoryQuery): Promise<HistoryPage> {
    return this.#get(`${pathOf(room)}/messages${queryOf({ ...query })}`, HISTORY);
  }

  room(room: RoomId): Promise<RoomInfo> {
    return this.#get(pathOf(room), ROOM);
  }

  async rooms(): Promise<readonly ListedRoom[]> {
    return (await this.#get("/v1/rooms", ROOMS)).rooms;
  }

  async versions(room: RoomId, seq: Seq): Promise<readonly MessageVersion[]> {
    return (await this.#get(`${pathOf(room)}/messages/${seq}/versions`, VERSIONS)).versions;
  }

  reactions(room: RoomId, seq: Seq, after?: string): Promise<ReactorsPage> {
    return this.#get(`${pathOf(room)}/messages/${seq}/reactions${queryOf({ after })}`, REACTORS);
  }

  thread(room: RoomId, seq: Seq, query: ThreadQuery): Promise<ThreadPage> {
    return this.#get(`${pathOf(room)}/messages/${seq}/thread${queryOf({ ...query })}`, THREAD);
  }

  async pins(room: RoomId): Promise<readonly Pin[]> {
    return (await this.#get(`${pathOf(room)}/pins`, PINS)).pins;
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

function pathOf(room: RoomId): string {
  return `/v1/rooms/${encodeURIComponent(room)}`;
}

function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? "" : `?${query}`;
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
