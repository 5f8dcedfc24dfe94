/**
 * MessagePack as this protocol uses it: nil, booleans, numbers, text and
 * arrays. Integers past 32 bits travel as float64 (or uint64, read alike). msgpackr reads far more than that (extensions that build RegExp, Set
 * and Error objects, records that generate code), so hostile bytes are walked
 * here first, without allocating, and only then handed over.
 */
import { Packr, Unpackr } from "msgpackr";
import { UnreadableError } from "./schema.ts";

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" });

export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** Bytes that this program wrote itself: no walk before reading. */
export function unpackTrusted(bytes: Uint8Array): unknown {
  return unpackr.unpack(bytes);
}

/** Bytes from outside. Throws UnreadableError for anything but one whole, plain value. */
export function unpackUntrusted(bytes: Uint8Array, depthMax: number): unknown {
  const end = skipValue(bytes, 0, depthMax);
  if (end !== bytes.length) throw new UnreadableError("frame: bytes after the end of the value");
  return unpackr.unpack(bytes);
}

/**
 * Offset just past the value that begins at `at`. Refuses maps, binary,
 * extensions, truncated values and nesting deeper than `depthMax`. The number
 * of items is bounded by the number of bytes, so is the time.
 */
function skipValue(bytes: Uint8Array, at: number, depthMax: number): number {
  const pending: number[] = [1];
  while (pending.length > 0) {
    const top = pending.length - 1;
    if (pending[top] === 0) {
      pending.pop();
      continue;
    }
    (pending[top] as number)--;
    const tag = byteAt(bytes, at++);
    if (tag <= 0x7f || tag >= 0xe0 || tag === 0xc0 || tag === 0xc2 || tag === 0xc3) continue;
    if (tag >= 0x90 && tag <= 0x9f) pending.push(tag & 0x0f);
    else if (tag >= 0xa0 && tag <= 0xbf) at += tag & 0x1f;
    else if (tag === 0xca || tag === 0xcb) at += tag === 0xca ? 4 : 8;
    else if (tag >= 0xcc && tag <= 0xcf) at += 1 << (tag - 0xcc);
    else if (tag >= 0xd0 && tag <= 0xd3) at += 1 << (tag - 0xd0);
    else if (tag >= 0xd9 && tag <= 0xdb) {
      const width = 1 << (tag - 0xd9);
      at += width + lengthAt(bytes, at, width);
    } else if (tag === 0xdc || tag === 0xdd) {
      const width = tag === 0xdc ? 2 : 4;
      pending.push(lengthAt(bytes, at, width));
      at += width;
    } else {
      throw new UnreadableError(`frame: MessagePack type 0x${tag.toString(16)} is not used here`);
    }
    if (pending.length > depthMax + 1) throw new UnreadableError("frame: nested too deeply");
    if (at > bytes.length) throw new UnreadableError("frame: cut short");
  }
  return at;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new UnreadableError("frame: cut short");
  return byte;
}

function lengthAt(bytes: Uint8Array, at: number, width: number): number {
  let length = 0;
  for (let i = 0; i < width; i++) length = length * 256 + byteAt(bytes, at + i);
  return length;
}

/** Header of an array of `size` items, to splice items that are packed already. */
export function arrayHeader(size: number): Uint8Array {
  if (size < 16) return Uint8Array.of(0x90 | size);
  if (size < 65_536) return Uint8Array.of(0xdc, size >> 8, size & 0xff);
  throw new RangeError(`an array of ${size} items is past every bound of the protocol`);
}
