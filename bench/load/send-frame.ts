/**
 * The generator's `send` frames. One template a sender, in which only digits
 * and the command number change: making a message costs next to nothing, so
 * that the generator takes little of the machine that it measures.
 *
 * The text has 64 bytes: sender, number of the message among the sender's own,
 * intended time of the send in microseconds, padding.
 */
import { decodeClientFrame } from "../../src/protocol/codec.ts";

export const TEXT_BYTES = 64;
const DIGITS = { sender: 6, n: 9, atUs: 12 } as const;
const AT = { sender: 0, n: 7, atUs: 17 } as const;
const UINT32 = 0xce;
const TEXT8 = 0xd9;

export class SendFrame {
  readonly bytes: Buffer;
  readonly #kAt: number;
  readonly #textAt: number;

  constructor(room: string, sender: number) {
    const name = Buffer.from(room, "latin1");
    const head = [0x94, 16, UINT32, 0, 0, 0, 1, 0xa0 | name.length, ...name, TEXT8, TEXT_BYTES];
    this.#kAt = 3;
    this.#textAt = head.length;
    this.bytes = Buffer.concat([Buffer.from(head), Buffer.alloc(TEXT_BYTES)]);
    writeSender(this.bytes, this.#textAt, sender);
    const read = decodeClientFrame(this.bytes);
    if (read.type !== "send" || read.room !== room) throw new Error("the send template is wrong");
  }

  /** The bytes are valid until the next call. */
  stamp(k: number, n: number, atUs: number): Buffer {
    this.bytes.writeUInt32BE(k, this.#kAt);
    writeStamp(this.bytes, this.#textAt, n, atUs);
    return this.bytes;
  }
}

export interface Stamp {
  sender: number;
  n: number;
  /** Intended time of the send. */
  atUs: number;
}

/** Reads the text that begins at `at` into `stamp`. */
export function readStamp(bytes: Buffer, at: number, stamp: Stamp): void {
  stamp.sender = readDigits(bytes, at + AT.sender, DIGITS.sender);
  stamp.n = readDigits(bytes, at + AT.n, DIGITS.n);
  stamp.atUs = readDigits(bytes, at + AT.atUs, DIGITS.atUs);
}

/** A `send` frame that a bare server passes on as it came: where its text begins. */
export function textStart(bytes: Buffer): number {
  return bytes.length - TEXT_BYTES;
}

/** Fills in what stays the same in the text that begins at `at`. */
export function writeSender(bytes: Buffer, at: number, sender: number): void {
  bytes.fill(".", at, at + TEXT_BYTES);
  writeDigits(bytes, at + AT.sender, DIGITS.sender, sender);
}

/** Fills in what is another in every message. */
export function writeStamp(bytes: Buffer, at: number, n: number, atUs: number): void {
  writeDigits(bytes, at + AT.n, DIGITS.n, n);
  writeDigits(bytes, at + AT.atUs, DIGITS.atUs, atUs);
}

function writeDigits(bytes: Buffer, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = at + width - 1; i >= at; i--) {
    bytes[i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function readDigits(bytes: Buffer, at: number, width: number): number {
  let value = 0;
  for (let i = at; i < at + width; i++) value = value * 10 + ((bytes[i] as number) - 48);
  return value;
}
