/**
 * Reads of rooms, through the gate: where a cursor stands, pages of history, who
 * is in a room. Requests of one turn share a round trip, and equal ones a reply,
 * so that a storm of reconnecting clients costs Redis one read per room.
 */
import { refusal, type Standing } from "../domain/gate.ts";
import { readMember, readReceiptsOn, ROOM_FIELD } from "../domain/room-record.ts";
import type { Member, Role } from "../domain/room.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { ROOM_KINDS, type RoomKind } from "../protocol/frames.ts";
import type { CursorParts } from "../protocol/cursor.ts";
import type { Epoch, RoomId, Seq, UserId } from "../protocol/ids.ts";
import { pipeline, type Redis, type RedisArg } from "../redis/connect.ts";
import type { Position } from "../redis/position.ts";
import { array, asInteger, asText, asTextOrNull, readEntries, readHash } from "../redis/replies.ts";
import { isNoScript, Script, type ScriptCall } from "../redis/script.ts";
import { readConversationEntry, type ConversationEntry } from "../streams/conversation.ts";
import type { Keys } from "../streams/keys.ts";
import { FOLDED } from "./folded.ts";

/** Calls of one round trip; more wait for the next. */
const CALLS_PER_TRIP = 200;

export interface ResumePoint {
  readonly status: "ok" | "snapshot" | "gap" | "reset" | "unknown";
  readonly kind: RoomKind | null;
  readonly epoch: Epoch;
  readonly head: Seq;
  readonly headId: Position;
  /** Oldest first. */
  readonly entries: readonly ConversationEntry[];
}
export interface HistoryPage {
  readonly kind: RoomKind | null;
  readonly epoch: Epoch;
  readonly head: Seq;
  /** Oldest entry that Redis still keeps. */
  readonly firstKept: Seq;
  readonly entries: readonly ConversationEntry[];
}
export interface PageWanted {
  readonly before?: number;
  readonly after?: number;
  readonly limit: number;
}
export interface RoomDetails {
  readonly kind: RoomKind;
  readonly name: string;
  readonly epoch: Epoch;
  readonly head: Seq;
  /** Whether others are told who has read how far. */
  readonly receiptsOn: boolean;
  readonly members: ReadonlyMap<UserId, Member>;
}
export interface Refused {
  readonly refused: ErrorCode;
}

const resumeScript = new Script<ResumePoint>({
  file: new URL("./resume.lua", import.meta.url),
  library: FOLDED,
  keys: ["conversation", "room", "folded"],
  args: ["epoch", "seq", "id", "limit"],
  decode(reply) {
    const [status, kind, epoch, head, headId, entries] = array(reply);
    const word = asText(status) as ResumePoint["status"];
    const page = conversationEntries(entries);
    return {
      status: word,
      kind: readKind(kind),
      epoch: asInteger(epoch) as Epoch,
      head: asInteger(head) as Seq,
      headId: asText(headId) as Position,
      entries: word === "ok" ? page : page.toReversed(),
    };
  },
});

const pageScript = new Script<HistoryPage>({
  file: new URL("./page.lua", import.meta.url),
  library: FOLDED,
  keys: ["conversation", "room", "folded"],
  args: ["before", "after", "limit"],
  decode(reply) {
    const [kind, epoch, head, firstKept, entries] = array(reply);
    return {
      kind: readKind(kind),
      epoch: asInteger(epoch) as Epoch,
      head: asInteger(head) as Seq,
      firstKept: asInteger(firstKept) as Seq,
      entries: conversationEntries(entries),
    };
  },
});

export class RoomReader {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #waiting = new Map<string, Request>();
  #scheduled = false;

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** What follows `cursor` (null: the newest page) in a room, whoever asks. */
  resumePoint(room: RoomId, cursor: CursorParts | null, limit: number): Promise<ResumePoint> {
    const { epoch, seq, id } = cursor ?? { epoch: 0, seq: -1, id: "0-0" };
    const call = resumeScript.call(this.roomKeys(room), [epoch, seq, id, limit]);
    return this.script(`resume ${room} ${epoch} ${seq} ${id} ${limit}`, call);
  }

  /** The same for a user; refused unless the gate lets them read. */
  async resume(
    user: UserId,
    room: RoomId,
    cursor: CursorParts | null,
    limit: number,
  ): Promise<ResumePoint | Refused> {
    return this.admitted(user, room, () => this.resumePoint(room, cursor, limit));
  }

  /**
   * What members alone may read. The gate is asked before, so that a room that is closed takes no
   * longer to refuse than one that does not exist; and the role is read once more behind the page,
   * so that who is no member by then sees nothing of it.
   */
  async admitted<Page extends { readonly kind: RoomKind | null }>(
    user: UserId,
    room: RoomId,
    read: () => Promise<Page>,
  ): Promise<Page | Refused> {
    const refused = refusedTo(await this.#standing(user, room));
    if (refused) return refused;
    const [page, role] = await Promise.all([read(), this.role(user, room)]);
    return refusedTo({ kind: page.kind, role }) ?? page;
  }

  async #standing(user: UserId, room: RoomId): Promise<Standing> {
    const key = this.#keys.room(this.#keys.partitionOf(room), room);
    const [kind, role] = await Promise.all([
      this.command(["HGET", key, "kind"]),
      this.role(user, room),
    ]);
    return { kind: readKind(kind), role };
  }

  /** Whether the gate lets the user take part in a room. */
  async mayAttend(user: UserId, room: RoomId): Promise<boolean> {
    return refusal(await this.#standing(user, room), "attend") === null;
  }

  /** The `limit` entries below `before`, or above `after`; the newest with neither. */
  async history(user: UserId, room: RoomId, page: PageWanted): Promise<HistoryPage | Refused> {
    return this.admitted(user, room, () => this.page(room, page));
  }

  /** The same, whoever asks. */
  page(room: RoomId, { before = 0, after = -1, limit }: PageWanted): Promise<HistoryPage> {
    const call = pageScript.call(this.roomKeys(room), [before, after, limit]);
    return this.script(`page ${room} ${before} ${after} ${limit}`, call);
  }

  async details(user: UserId, room: RoomId): Promise<RoomDetails | Refused> {
    const found = await this.admitted(user, room, () => this.#details(room));
    if ("refused" in found) return found;
    const { kind } = found;
    return kind === null ? { refused: "forbidden" } : { ...found, kind };
  }

  async #details(room: RoomId): Promise<Omit<RoomDetails, "kind"> & { kind: RoomKind | null }> {
    const partition = this.#keys.partitionOf(room);
    // Some of its fields: it holds the position of every member as well.
    const names = ["kind", "name", "epoch", "seq", ROOM_FIELD.receipts];
    const [fields, values] = await Promise.all([
      this.command(["HMGET", this.#keys.room(partition, room), ...names]),
      this.command(["HGETALL", this.#keys.members(partition, room)]),
    ]);
    const members = new Map<UserId, Member>();
    for (const [name, value] of readHash(values)) members.set(name as UserId, readMember(value));
    const [kind, name, epoch, head, receipts] = array(fields);
    return {
      kind: readKind(kind),
      name: asTextOrNull(name) ?? "",
      epoch: Number(asTextOrNull(epoch)) as Epoch,
      head: Number(asTextOrNull(head)) as Seq,
      receiptsOn: readReceiptsOn(asTextOrNull(receipts)),
      members,
    };
  }

  /** Of somebody in a room, or invited to it. */
  async role(user: UserId, room: RoomId): Promise<Role | null> {
    const key = this.#keys.members(this.#keys.partitionOf(room), room);
    const value = asTextOrNull(await this.command(["HGET", key, user]));
    return value === null ? null : readMember(value).role;
  }

  /** Keys of the scripts that read one room. */
  roomKeys(room: RoomId): [string, string, string] {
    const [keys, partition] = [this.#keys, this.#keys.partitionOf(room)];
    return [
      keys.conversation(partition, room),
      keys.room(partition, room),
      keys.foldedBlocks(partition, room),
    ];
  }

  /** One read, in the next round trip, behind all that was asked for before. */
  command(command: readonly RedisArg[]): Promise<unknown> {
    const name = command.join(" ");
    // Behind the pages that were asked for since, or one of them could be younger than the role.
    const equal = this.#waiting.get(name);
    if (equal && this.#waiting.delete(name)) this.#waiting.set(name, equal);
    return this.#enqueue(name, { command, unknown: command });
  }

  /** The same for a script; calls of equal `name` share an answer. */
  async script<Reply>(name: string, call: ScriptCall<Reply>): Promise<Reply> {
    const command = call.script.command(call, true);
    const reply = await this.#enqueue(name, { command, unknown: call.script.command(call, false) });
    return call.script.decode(reply);
  }

  /** Joins an equal request that has not left yet. */
  #enqueue(name: string, ask: Ask): Promise<unknown> {
    let request = this.#waiting.get(name);
    if (!request) {
      request = makeRequest(ask);
      this.#waiting.set(name, request);
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#depart());
    }
    return request.reply;
  }

  #depart(): void {
    this.#scheduled = false;
    const requests = [...this.#waiting.values()];
    this.#waiting.clear();
    for (let at = 0; at < requests.length; at += CALLS_PER_TRIP) {
      const trip = requests.slice(at, at + CALLS_PER_TRIP);
      this.#travel(trip).catch((error: unknown) => {
        for (const request of trip) request.reject(error);
      });
    }
  }

  async #travel(trip: readonly Request[]): Promise<void> {
    const replies = await pipeline(
      this.#redis,
      trip.map(({ ask }) => ask.command),
    );
    // A server that lost a script gets its text, and everything behind it is read again too:
    // reads may always be repeated, and a role is never older than its page.
    const lost = replies.findIndex(isNoScript);
    const again = lost < 0 ? [] : trip.slice(lost);
    trip.slice(0, trip.length - again.length).forEach((request, i) => settle(request, replies[i]));
    if (again.length === 0) return;
    const answers = await pipeline(
      this.#redis,
      again.map(({ ask }) => ask.unknown),
    );
    again.forEach((request, i) => settle(request, answers[i]));
  }
}

function settle(request: Request, reply: unknown): void {
  if (reply instanceof Error) request.reject(reply);
  else request.resolve(reply);
}

interface Ask {
  readonly command: readonly RedisArg[];
  /** What to send when the server does not know the script. */
  readonly unknown: readonly RedisArg[];
}
interface Request {
  readonly ask: Ask;
  readonly reply: Promise<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

function makeRequest(ask: Ask): Request {
  let resolve: Request["resolve"] = () => {};
  let reject: Request["reject"] = () => {};
  const reply = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { ask, reply, resolve, reject };
}

export function refusedTo(standing: Standing): Refused | null {
  const code = refusal(standing, "read");
  return code === null ? null : { refused: code };
}

export function conversationEntries(reply: unknown): ConversationEntry[] {
  return readEntries(reply).map(({ id, fields }) => readConversationEntry(id, fields));
}

export function readKind(reply: unknown): RoomKind | null {
  const word = asTextOrNull(reply);
  return ROOM_KINDS.find((kind) => kind === word) ?? null;
}
