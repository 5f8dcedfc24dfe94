/** Reads a whole room over HTTP, page by page from its first entry. */
import type { HistoryPage } from "../../client/replies.ts";
import type { Seq } from "../../protocol/ids.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Seen } from "./compare.ts";
import { openClient, type ClientRequest, type EngineAccess } from "./engine-access.ts";
import { markOf } from "./plan.ts";

export async function readOverHttp(
  access: EngineAccess,
  room: string,
  request: ClientRequest,
): Promise<Seen[]> {
  // Only its HTTP is used: it never connects.
  const client = openClient(access, request);
  const seen: Seen[] = [];
  try {
    for (;;) {
      const after = (seen.at(-1)?.seq ?? 0) as Seq;
      const page: HistoryPage = await client
        .room(room)
        .history({ after, limit: LIMITS.pageEntries });
      for (const entry of page.entries) seen.push({ seq: entry.seq, mark: markOf(entry) });
      // An empty page below the head would never end otherwise.
      if (page.entries.length === 0 || (seen.at(-1)?.seq ?? 0) >= page.head) return seen;
    }
  } finally {
    client.close();
  }
}
