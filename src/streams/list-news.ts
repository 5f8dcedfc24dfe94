/** Whose list of rooms has changed, as it is published to the edges: many in one message, none stored. */
import { COMMANDS } from "../protocol/frames.ts";
import { pack, unpackUntrusted } from "../protocol/msgpack.ts";
import { list, struct, type ValueOf } from "../protocol/schema.ts";

/** Changes in one message. */
export const NEWS_MAX = 1_000;
const DEPTH = 4;

const { room, user } = COMMANDS.invite.fields;
const NEWS = list(struct({ user, room }), NEWS_MAX, 1);
export type ListNews = ValueOf<typeof NEWS>[number];

export function packListNews(news: readonly ListNews[]): Uint8Array {
  return pack(NEWS.write(news, "positional"));
}
/** Throws SchemaError on anything else: whoever reaches Redis can publish. */
export function unpackListNews(bytes: Uint8Array): readonly ListNews[] {
  return NEWS.read(unpackUntrusted(bytes, DEPTH), "positional", "news of lists");
}
