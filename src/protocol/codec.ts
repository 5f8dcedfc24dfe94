/**
 * Frames to bytes and back, in both encodings. The edge, the SDK, the bench and
 * the tests share this one codec.
 */
import {
  COMMANDS,
  ENTRY,
  SERVER_FRAMES,
  clientFrame,
  serverFrame,
  type ClientFrame,
  type Entry,
  type ServerFrame,
  type ServerFrameOf,
} from "./frames.ts";
import type { CommandNumber, RoomId } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import { arrayHeader, pack, unpackTrusted, unpackUntrusted } from "./msgpack.ts";
import { UnreadableError, type Field } from "./schema.ts";
import type { Encoding } from "./version.ts";

/** What a WebSocket carries: binary messages for `binary`, text for `json`. */
export type Encoded = Uint8Array | string;

export function encodeClientFrame(frame: ClientFrame, encoding: Encoding = "binary"): Encoded {
  return encode(clientFrame, frame, encoding);
}
export function encodeServerFrame(frame: ServerFrame, encoding: Encoding = "binary"): Encoded {
  return encode(serverFrame, frame, encoding);
}
/** Throws SchemaError (UnreadableError when there is not even a value) on anything but a frame within its bounds. */
export function decodeClientFrame(data: Encoded): ClientFrame {
  return decode(clientFrame, data, LIMITS.depth);
}
/** Throws SchemaError on anything but a frame within its bounds. */
export function decodeServerFrame(data: Encoded): ServerFrame {
  return decode(serverFrame, data, LIMITS.depth);
}

/** The `k` of a frame that is a command but for a field out of its bounds; null where there is none. */
export function peekCommandNumber(data: Encoded): CommandNumber | null {
  const wire = typeof data === "string" ? parseJson(data) : unpackUntrusted(data, LIMITS.depth);
  const k = Array.isArray(wire) ? wire[1] : (wire as { k?: unknown } | null)?.k;
  const type = Array.isArray(wire) ? wire[0] : (wire as { type?: unknown } | null)?.type;
  const isCommand = Object.entries(COMMANDS).some(
    ([name, { code }]) => type === name || type === code,
  );
  return isCommand && typeof k === "number" && Number.isSafeInteger(k) && k > 0
    ? (k as CommandNumber)
    : null;
}

/** An entry as it stands in a conversation stream and, unchanged, in frames. */
export function encodeEntry(entry: Entry): Uint8Array {
  return pack(ENTRY.write(entry, "positional"));
}
export function decodeEntry(bytes: Uint8Array): Entry {
  return ENTRY.read(unpackTrusted(bytes), "positional", "entry");
}

/** An `entries` frame around entries that are encoded already: bytes are copied, nothing is decoded. */
export function joinEntries(room: RoomId, entries: readonly Uint8Array[]): Uint8Array {
  return concat([
    arrayHeader(3),
    pack(SERVER_FRAMES.entries.code),
    pack(room),
    arrayHeader(entries.length),
    ...entries,
  ]);
}

export type ResumedHead = Pick<
  ServerFrameOf<"resumed">,
  "room" | "status" | "epoch" | "head" | "more"
>;

/** A `resumed` frame around entries that are encoded already. */
export function joinResumed(head: ResumedHead, entries: readonly Uint8Array[]): Uint8Array {
  const fields = [head.room, head.status, head.epoch, head.head, head.more];
  return concat([
    arrayHeader(7),
    pack(SERVER_FRAMES.resumed.code),
    ...fields.map(pack),
    arrayHeader(entries.length),
    ...entries,
  ]);
}

/** The JSON form of a binary frame that the edge has joined. */
export function transcodeToJson(frame: Uint8Array): string {
  return encode(serverFrame, decode(serverFrame, frame, LIMITS.depth), "json") as string;
}

function encode<T>(field: Field<T>, value: T, encoding: Encoding): Encoded {
  if (encoding === "json") return JSON.stringify(field.write(value, "named"));
  return pack(field.write(value, "positional"));
}

function decode<T>(field: Field<T>, data: Encoded, depth: number): T {
  if (typeof data !== "string") return field.read(unpackUntrusted(data, depth), "positional", "");
  return field.read(parseJson(data), "named", "");
}

function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new UnreadableError("frame: not JSON");
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
