/** Signs of typing, as edges publish them to each other: many in one message, none of them stored. */
import { CLIENT_FRAMES } from "../protocol/frames.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import { pack, unpackUntrusted } from "../protocol/msgpack.ts";
import { flag, list, struct, text, type ValueOf } from "../protocol/schema.ts";

/** Signs in one message. */
export const SIGNS_MAX = 1_000;
const DEPTH = 4;

const SIGNS = list(
  struct({
    room: CLIENT_FRAMES.typing.fields.room,
    user: text<UserId>({ bytes: 256 }),
    on: flag,
  }),
  SIGNS_MAX,
  1,
);
export type TypingSign = ValueOf<typeof SIGNS>[number];

export function packSigns(signs: readonly TypingSign[]): Uint8Array {
  return pack(SIGNS.write(signs, "positional"));
}
/** Throws SchemaError on anything else: whoever reaches Redis can publish. */
export function unpackSigns(bytes: Uint8Array): ValueOf<typeof SIGNS> {
  return SIGNS.read(unpackUntrusted(bytes, DEPTH), "positional", "signs of typing");
}

/** Names a user in a room; room ids hold no space. */
export function pairOf(room: RoomId, user: UserId): string {
  return `${room} ${user}`;
}
