/** The rows of the metric table about what happens in rooms: what is read, what changes, whose list. */
import { EDGE, PROJECTOR, row } from "./metric-row.ts";

export const CONVERSATIONS = {
  millrace_edge_readings_total: row(
    [
      "counter",
      "positions",
      EDGE,
      "Positions that clients said they have read up to: `taken`, `replaced` by a further one before it went out, `refused` because too many wait.",
    ],
    ["fate"],
  ),
  millrace_edge_reading_facts_total: row([
    "counter",
    "facts",
    EDGE,
    "Facts with such positions that are in the log, one for a room and all that gathered there.",
  ]),
  millrace_edge_receipt_frames_total: row([
    "counter",
    "frames",
    EDGE,
    "Frames with the positions of others, each receiver counted.",
  ]),
  millrace_edge_count_reads_total: row([
    "counter",
    "counts",
    EDGE,
    "Unread counts that were read from Redis, for positions that are not at the head of their room.",
  ]),
  millrace_outbox_changes: row(
    ["gauge", "changes", EDGE, "Changes of memberships that are not in the users' lists yet."],
    ["partition"],
  ),
  millrace_outbox_lag_seconds: row(
    ["gauge", "seconds", EDGE, "Age of the oldest of them, by the store's clock."],
    ["partition"],
  ),
  millrace_projector_entries_total: row(
    ["counter", "entries", PROJECTOR, "Entries of conversations, by what happened."],
    ["type"],
  ),
  millrace_projector_positions_total: row([
    "counter",
    "positions",
    PROJECTOR,
    "Members' positions that a batch moved, own messages left out.",
  ]),
  millrace_projector_list_changes_total: row(
    [
      "counter",
      "changes",
      PROJECTOR,
      "Changes of the users' lists: `changed`, `known` because a list had that one or a later one, or `unlisted` because it was full.",
    ],
    ["outcome"],
  ),
  millrace_projector_list_claims_total: row([
    "counter",
    "changes",
    PROJECTOR,
    "Changes that were taken over from a keeper of lists who did not finish them.",
  ]),
} as const;
