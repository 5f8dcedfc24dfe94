/** What of a thread is unread: derived from the one position that each member has in the room. */
import { LIMITS } from "../protocol/limits.ts";
import type { Mark } from "./marks.ts";
import type { Message, Reply } from "./message.ts";

/**
 * Replies that somebody at `mark` has not read yet, oldest first: among the newest
 * LIMITS.threadUnreadCounted that are not deleted. Own ones may be among them, where
 * a message was marked as unread; who wrote a reply stands in its entry alone.
 */
export function repliesAfter(
  { replies }: Pick<Message, "replies">,
  { through, from = through }: Mark,
): Reply[] {
  return replies.slice(-LIMITS.threadUnreadCounted).filter(({ seq }) => seq > from);
}
