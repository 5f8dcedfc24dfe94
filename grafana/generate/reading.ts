/** Sections of the dashboard `people`: what is read, what changes in rooms, and the users' lists. */
import { rate, type Section } from "./panel.ts";

export const reading: readonly Section[] = [
  {
    title: "What is read",
    panels: [
      {
        title: "Positions from clients",
        kind: "lines",
        unit: "ops",
        queries: [{ expr: rate("millrace_edge_readings_total", "fate"), legend: "{{fate}}" }],
        red: "never",
        shows: "How often clients say how far they have read, and what the edges make of it.",
        act: "refused ones: Redis takes no facts, so that too many wait; clients say them again. Many replaced ones: that is what gathering is for.",
      },
      {
        title: "Positions in the log",
        kind: "lines",
        unit: "ops",
        queries: [
          { expr: rate("millrace_edge_reading_facts_total"), legend: "facts" },
          { expr: rate("millrace_projector_positions_total"), legend: "positions that moved" },
        ],
        red: "never",
        shows: "Facts that edges appended, one a room and 200 ms, and what came of them.",
        act: "far fewer moved than clients say: a client repeats itself, or names what it has read long ago.",
      },
      {
        title: "Receipts",
        kind: "lines",
        unit: "ops",
        queries: [
          { expr: rate("millrace_edge_receipt_frames_total", "instance"), legend: "{{instance}}" },
        ],
        red: "never",
        shows: "Frames with the positions of others, each receiver counted.",
        act: "at most four a second for each that attends a room; rooms of more than 500 members have none.",
      },
      {
        title: "Counts read",
        kind: "lines",
        unit: "ops",
        queries: [
          { expr: rate("millrace_edge_count_reads_total", "instance"), legend: "{{instance}}" },
        ],
        red: "never",
        shows: "Unread counts read from Redis, because somebody stopped before the head of a room.",
        act: "many of them beside few messages: a client says every position that it scrolls past.",
      },
    ],
  },
  {
    title: "What changes",
    panels: [
      {
        title: "Entries by what happened",
        kind: "lines",
        unit: "ops",
        queries: [{ expr: rate("millrace_projector_entries_total", "type"), legend: "{{type}}" }],
        red: "never",
        shows: "Messages, edits, deletions, reactions, pins and memberships.",
        act: "a change reads and writes the message that it names, so many of them cost more than as many messages.",
      },
    ],
  },
  {
    title: "Users' lists of rooms",
    panels: [
      {
        title: "Changes waiting for the lists",
        kind: "lines",
        unit: "short",
        queries: [
          { expr: "sum (max by (partition) (millrace_outbox_changes))", legend: "waiting" },
        ],
        red: "never",
        shows: "Changes of memberships that are not in the users' lists yet.",
        act: "it falls by itself after a storm of joins. See how long the oldest one has waited.",
      },
      {
        title: "Lag of the lists",
        kind: "lines",
        unit: "s",
        queries: [{ expr: "max (millrace_outbox_lag_seconds)", legend: "oldest change" }],
        red: { above: 30 },
        shows: "How long the oldest of them has waited.",
        act: "does a projector run at all? What one was given when it died is taken over after 10 s. Rooms and members are right all the while, only lists are old.",
      },
      {
        title: "Changes of lists",
        kind: "lines",
        unit: "ops",
        queries: [
          {
            expr: rate("millrace_projector_list_changes_total", "outcome"),
            legend: "{{outcome}}",
          },
          { expr: rate("millrace_projector_list_claims_total"), legend: "taken over" },
        ],
        red: "never",
        shows: "What keepers of lists did, and what they took over from one that did not finish.",
        act: "known and taken over ones follow the end of a projector. Many unlisted ones: somebody is invited, or joins, past what a list holds (docs/client-protocol.md, section 7).",
      },
    ],
  },
];
