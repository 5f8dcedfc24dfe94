import { rate, type DashboardSource } from "./panel.ts";
import { reading } from "./reading.ts";

export const people: DashboardSource = {
  name: "people",
  title: "people",
  about:
    "Who is there, who types, who has read what: what edges say, what the log makes of it, what is told.",
  sections: [
    {
      title: "Who is there",
      panels: [
        {
          title: "Users there, by edge",
          kind: "lines",
          unit: "short",
          queries: [{ expr: "sum by (instance) (millrace_edge_people)", legend: "{{instance}}" }],
          red: "never",
          shows: "Users that an edge says are there, once for each room.",
          act: "it falls on one edge and rises on the others when an edge goes; compare with the connections.",
        },
        {
          title: "Attended rooms, by edge",
          kind: "lines",
          unit: "short",
          queries: [
            { expr: "sum by (instance) (millrace_edge_attending)", legend: "{{instance}}" },
          ],
          red: "never",
          shows: "Rooms that are attended, once for each connection.",
          act: "far above the users there: they have many devices, or clients attend what nobody looks at.",
        },
        {
          title: "Comings and goings",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_projector_presence_changes_total", "to"), legend: "{{to}}" },
          ],
          red: { above: 5_000 },
          shows: "Users who came to a room or went from one, by the log.",
          act: "a storm of connects, after an edge or a network was away: it passes. If it stays, clients come and go in a circle.",
        },
      ],
    },
    {
      title: "Edges in the log",
      panels: [
        {
          title: "New incarnations",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: "sum by (instance, why) (increase(millrace_edge_incarnations_total[5m]))",
              legend: "{{instance}} {{why}}",
            },
          ],
          red: { above: 100 },
          shows: "How often an edge made itself known to a partition in 5 minutes.",
          act: "`gone` means that it slept past its lease (event loop delay, no CPU), `doubtful` that Redis did not answer; `first` is the rule after quiet times.",
        },
        {
          title: "Ended edges",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: "sum by (instance) (increase(millrace_projector_edges_swept_total[5m]))",
              legend: "{{instance}}",
            },
          ],
          red: "never",
          shows: "Leases of edges that ended, one for each partition, in 5 minutes.",
          act: "after an edge has died or was stopped, or has nobody in a partition any more.",
        },
      ],
    },
    {
      title: "What is told",
      panels: [
        {
          title: "Presence frames",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_presence_frames_total", "kind"), legend: "{{kind}}" },
          ],
          red: "never",
          shows: "Whole states for newcomers, and changes, encoded once a room.",
          act: "whole ones follow the connects; changes are at most four a second and room.",
        },
        {
          title: "Presence read",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate("millrace_edge_presence_reads_total", "instance"),
              legend: "{{instance}}",
            },
          ],
          red: "never",
          shows: "Rooms whose presence was read from Redis.",
          act: "many without many connects: bells are missed, see the missed bells of the edge.",
        },
        {
          title: "Signs of typing",
          kind: "lines",
          unit: "ops",
          queries: [{ expr: rate("millrace_edge_typing_total", "fate"), legend: "{{fate}}" }],
          red: "never",
          shows: "What edges published and heard, and what they dropped for its rate or a bound.",
          act: "many dropped: a client repeats its sign too often. Unreadable ones: somebody else publishes there, or edges of two versions run.",
        },
      ],
    },
    ...reading,
  ],
};
