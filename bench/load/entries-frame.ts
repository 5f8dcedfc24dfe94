/**
 * Reads of an `entries` or `resumed` frame what the generator needs, the seqs and the texts,
 * and steps over the rest. Throws on a shape that it does not know, because a
 * delivery that is not understood would count as lost.
 */
import { SERVER_FRAMES } from "../../src/protocol/frames.ts";
import { readStamp, type Stamp } from "./send-frame.ts";

const FRAME_FIELDS = 3;
const PAGE_FIELDS = 7;
const OK = "ok";
const ENTRY_FIELDS = 7;
/** Fields of an entry between its seq and its event. */
const ENTRY_SKIPPED = 5;
const MESSAGE_SENT = 1;
const TRUE = 0xc3;

export interface Entry extends Stamp {
  seq: number;
}

export function isEntriesFrame(frame: Buffer): boolean {
  return frame[0] === (0x90 | FRAME_FIELDS) && frame[1] === SERVER_FRAMES.entries.code;
}

export function isPageFrame(frame: Buffer): boolean {
  return frame[0] === (0x90 | PAGE_FIELDS) && frame[1] === SERVER_FRAMES.resumed.code;
}

/** The room that an `entries` or `resumed` frame is of; its name is short. */
export function roomOf(frame: Buffer): string {
  const size = (frame[2] as number) & 0x1f;
  return frame.toString("latin1", 3, 3 + size);
}

export interface Page {
  /** Whether it holds what comes after the cursor, and not a page to begin anew with. */
  readonly continues: boolean;
  readonly more: boolean;
}

export class EntriesReader {
  readonly #entry: Entry = { seq: 0, sender: 0, n: 0, atUs: 0 };
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Hands out one and the same object for every entry. */
  read(frame: Buffer, each: (entry: Entry) => void): void {
    this.#bytes = frame;
    this.#at = 2;
    this.#skip();
    this.#entries(each);
  }

  /** The same of a `resumed` frame; of a page that does not continue, no entries. */
  readPage(frame: Buffer, each: (entry: Entry) => void): Page {
    this.#bytes = frame;
    this.#at = 2;
    this.#skip();
    const status = this.#at + 1;
    this.#skip();
    const continues = frame.toString("latin1", status, this.#at) === OK;
    this.#uint();
    this.#uint();
    const more = this.#byte() === TRUE;
    if (continues) this.#entries(each);
    return { continues, more };
  }

  #entries(each: (entry: Entry) => void): void {
    const frame = this.#bytes;
    for (let left = this.#arraySize(); left > 0; left--) {
      this.#expect(0x90 | ENTRY_FIELDS);
      this.#entry.seq = this.#uint();
      for (let i = 0; i < ENTRY_SKIPPED; i++) this.#skip();
      this.#expect(0x92);
      this.#expect(MESSAGE_SENT);
      const end = this.#textEnd();
      readStamp(frame, this.#at, this.#entry);
      this.#at = end;
      each(this.#entry);
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Error("an entries frame was cut short");
    return byte;
  }

  #expect(byte: number): void {
    const found = this.#byte();
    if (found !== byte) throw new Error(`entries frame: ${found} where ${byte} was expected`);
  }

  #arraySize(): number {
    const tag = this.#byte();
    if (tag >= 0x90 && tag <= 0x9f) return tag & 0x0f;
    if (tag === 0xdc) return (this.#byte() << 8) | this.#byte();
    throw new Error(`entries frame: ${tag} where an array was expected`);
  }

  #uint(): number {
    const tag = this.#byte();
    if (tag < 0x80) return tag;
    if (tag < 0xcc || tag > 0xce) throw new Error(`entries frame: ${tag} where a seq was expected`);
    let value = 0;
    for (let left = 1 << (tag - 0xcc); left > 0; left--) value = value * 256 + this.#byte();
    return value;
  }

  /** The text begins at `#at` afterwards. */
  #textEnd(): number {
    const tag = this.#byte();
    const size = tag === 0xd9 ? this.#byte() : tag & 0x1f;
    return this.#at + size;
  }

  /** One text or number. */
  #skip(): void {
    const tag = this.#byte();
    if (tag < 0x80) return;
    if (tag >= 0xa0 && tag <= 0xbf) this.#at += tag & 0x1f;
    else if (tag >= 0xcc && tag <= 0xcf) this.#at += 1 << (tag - 0xcc);
    else if (tag === 0xcb) this.#at += 8;
    else if (tag === 0xd9) {
      const size = this.#byte();
      this.#at += size;
    } else throw new Error(`entries frame: ${tag} where text or a number was expected`);
  }
}
