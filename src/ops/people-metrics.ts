/** The rows of the metric table about people: who is there and who types. */
import { EDGE, PROJECTOR, row } from "./metric-row.ts";

export const PEOPLE = {
  millrace_edge_attending: row([
    "gauge",
    "rooms",
    EDGE,
    "Rooms that are attended, once for each connection that attends one.",
  ]),
  millrace_edge_people: row([
    "gauge",
    "users",
    EDGE,
    "Users that this edge says are there, once for each room.",
  ]),
  millrace_edge_incarnations_total: row(
    [
      "counter",
      "partitions",
      EDGE,
      "Times that this edge made itself known to a partition, by why.",
    ],
    ["why"],
  ),
  millrace_edge_presence_frames_total: row(
    ["counter", "frames", EDGE, "Frames of presence: whole states, and changes, one a room."],
    ["kind"],
  ),
  millrace_edge_presence_reads_total: row([
    "counter",
    "rooms",
    EDGE,
    "Rooms whose presence was read: the first attends, or bells were missed.",
  ]),
  millrace_edge_typing_total: row(
    [
      "counter",
      "signs",
      EDGE,
      "Signs of typing by fate: `published` to the edges, `heard` from them, `dropped` for the rate or a bound, `unreadable`.",
    ],
    ["fate"],
  ),
  millrace_projector_presence_changes_total: row(
    ["counter", "users", PROJECTOR, "Users who came to a room, and users who went from one."],
    ["to"],
  ),
  millrace_projector_edges_swept_total: row([
    "counter",
    "edges",
    PROJECTOR,
    "Ends of edges' leases in a partition that were put into its log.",
  ]),
} as const;
