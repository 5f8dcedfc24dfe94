/**
 * RESP2, just as much as a link needs that sends whole batches: commands to one
 * piece of bytes, and replies from whatever pieces a socket brings.
 */
import type { RedisArg } from "./connect.ts";

/** Deeper than any reply of Redis; what is past it is not RESP. */
const DEPTH_MAX = 16;
const CR = 13;
const ZERO = 48;
const MINUS = 45;

/** All commands in one piece, to be written at once. */
export function encodeCommands(commands: readonly (readonly RedisArg[])[]): string | Buffer {
  const parts: Uint8Array[] = [];
  let text = "";
  for (const command of commands) {
    text += `*${command.length}\r\n`;
    for (const arg of command) {
      if (arg instanceof Uint8Array) {
        parts.push(Buffer.from(`${text}$${arg.length}\r\n`), arg);
        text = "\r\n";
      } else {
        const word = String(arg);
        text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
      }
    }
  }
  return parts.length === 0 ? text : Buffer.concat([...parts, Buffer.from(text)]);
}

interface OpenList {
  readonly items: unknown[];
  readonly size: number;
}

/**
 * Reads replies: text as Buffers that share memory with what came in, numbers,
 * lists, null, and Errors called `ReplyError` for refusals.
 */
export class ReplyReader {
  readonly #onReply: (reply: unknown) => void;
  /** Lists that still miss items, the outermost first. */
  readonly #open: OpenList[] = [];
  /** The beginning of a value that has not come in whole, and the size from which it is looked at again. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #wantedBytes = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(onReply: (reply: unknown) => void) {
    this.#onReply = onReply;
  }

  /** Throws on what is not RESP2; nothing of the connection can be trusted then. */
  push(piece: Buffer): void {
    this.#bytes = piece;
    if (this.#heldBytes > 0) {
      this.#held.push(piece);
      this.#heldBytes += piece.length;
      if (this.#heldBytes < this.#wantedBytes) return;
      this.#bytes = Buffer.concat(this.#held, this.#heldBytes);
    }
    this.#at = 0;
    let start = 0;
    while (start < this.#bytes.length && this.#value(start)) start = this.#at;
    this.#held = start < this.#bytes.length ? [this.#bytes.subarray(start)] : [];
    this.#heldBytes = this.#bytes.length - start;
  }

  /** One value, or the head of a list; false when it is not there in whole. */
  #value(start: number): boolean {
    this.#at = start + 1;
    const type = this.#bytes[start] as number;
    switch (type) {
      case 0x24: // $
        return this.#bulk(start);
      case 0x2a: // *
        return this.#list();
      case 0x3a: // :
      case 0x2b: // +
      case 0x2d: // -
        return this.#line(type);
      default:
        throw new Error(`Redis sent byte ${type} where a reply begins`);
    }
  }

  #bulk(start: number): boolean {
    const size = this.#integer();
    if (size === null) return false;
    if (size < 0) {
      this.#deliver(null);
      return true;
    }
    const from = this.#at;
    this.#at = from + size + 2;
    if (this.#at > this.#bytes.length) {
      this.#wantedBytes = this.#at - start;
      return false;
    }
    this.#deliver(this.#bytes.subarray(from, from + size));
    return true;
  }

  #list(): boolean {
    const size = this.#integer();
    if (size === null) return false;
    if (size < 0) this.#deliver(null);
    else if (size === 0) this.#deliver([]);
    else if (this.#open.push({ items: [], size }) > DEPTH_MAX) {
      throw new Error("Redis sent lists in lists without end");
    }
    return true;
  }

  #line(type: number): boolean {
    if (type === 0x3a) {
      const value = this.#integer();
      if (value !== null) this.#deliver(value);
      return value !== null;
    }
    const end = this.#bytes.indexOf("\r\n", this.#at);
    if (end < 0) {
      this.#wantedBytes = 0;
      return false;
    }
    const words = this.#bytes.subarray(this.#at, end);
    this.#at = end + 2;
    this.#deliver(type === 0x2b ? words : refusal(words.toString()));
    return true;
  }

  /** The digits up to the end of the line; null when the end is not there. */
  #integer(): number | null {
    const bytes = this.#bytes;
    let at = this.#at;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    let value = 0;
    while (at < bytes.length && bytes[at] !== CR) {
      const digit = (bytes[at++] as number) - ZERO;
      if (digit < 0 || digit > 9) throw new Error("Redis sent no digit in a number");
      value = value * 10 + digit;
    }
    if (at + 2 > bytes.length) {
      this.#wantedBytes = 0;
      return null;
    }
    this.#at = at + 2;
    return negative ? -value : value;
  }

  #deliver(value: unknown): void {
    let whole = value;
    for (;;) {
      const open = this.#open.at(-1);
      if (!open) {
        this.#onReply(whole);
        return;
      }
      open.items.push(whole);
      if (open.items.length < open.size) return;
      this.#open.pop();
      whole = open.items;
    }
  }
}

function refusal(words: string): Error {
  const error = new Error(words);
  error.name = "ReplyError";
  return error;
}
