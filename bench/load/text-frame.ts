/** Messages of servers that speak JSON: found and changed by place, never parsed or built. */
import type { Outgoing } from "./dialect.ts";
import { readStamp, TEXT_BYTES, writeSender, writeStamp, type Stamp } from "./send-frame.ts";

const TEXT_KEY = '"text":"';
const TEXT_KEY_BYTES = Buffer.from(TEXT_KEY);

/** A template of the message around its text: `{"text":""}` for instance. */
export function textOutgoing(template: string, sender: number): Outgoing {
  const at = template.indexOf(`${TEXT_KEY}"`) + TEXT_KEY.length;
  if (at < TEXT_KEY.length) throw new Error(`no empty text in the template ${template}`);
  const [before, after] = [template.slice(0, at), template.slice(at)];
  const bytes = Buffer.concat([Buffer.from(before), Buffer.alloc(TEXT_BYTES), Buffer.from(after)]);
  const textAt = Buffer.byteLength(before);
  writeSender(bytes, textAt, sender);
  return {
    binary: false,
    stamp(n, atUs) {
      writeStamp(bytes, textAt, n, atUs);
      return bytes;
    },
  };
}

/** Reads the first text at or after `from` into `stamp`; the place behind it, -1 if there is none. */
export function readText(data: Buffer, from: number, stamp: Stamp): number {
  const key = data.indexOf(TEXT_KEY_BYTES, from);
  if (key === -1) return -1;
  const at = key + TEXT_KEY_BYTES.length;
  readStamp(data, at, stamp);
  return at + TEXT_BYTES;
}
