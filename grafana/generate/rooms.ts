import { quantiles, rate, type DashboardSource } from "./panel.ts";

export const rooms: DashboardSource = {
  name: "rooms",
  title: "rooms and delivery",
  about: "From the histories to the sockets: fan-out, resumes, and what had to be read again.",
  sections: [
    {
      title: "Delivery",
      panels: [
        {
          title: "Delivery time",
          kind: "lines",
          unit: "s",
          queries: quantiles("millrace_edge_delivery_seconds", [0.5, 0.99, 0.999]),
          red: { above: 0.1 },
          shows: "From a command's arrival at an edge until its entry is pushed by that edge.",
          act: "only the high quantiles: pauses (garbage collection, disk). All of them: Redis or projectors are at their limit.",
        },
        {
          title: "Published",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_published_entries_total"), legend: "entries" },
            { expr: rate("millrace_edge_published_frames_total"), legend: "frames" },
          ],
          red: "never",
          shows: "Entries, and the frames that carry them to all followers of a room at once.",
          act: "more entries a frame are cheaper; with few rooms and much traffic there are many.",
        },
        {
          title: "Deliveries",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_deliveries_total", "instance"), legend: "{{instance}}" },
          ],
          red: { above: 100_000 },
          shows: "Entries times followers, which is what an edge's CPU goes into.",
          act: "an edge does some 50,000 to 100,000 a second: add edges before that.",
        },
        {
          title: "Followers an entry",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: `${rate("millrace_edge_deliveries_total")} / ${rate("millrace_edge_published_entries_total")}`,
              legend: "an edge",
            },
          ],
          red: "never",
          shows: "The fan-out of the traffic of the moment.",
          act: "a jump is a large room that has woken up.",
        },
      ],
    },
    {
      title: "Coming back",
      panels: [
        {
          title: "Resumes, by status",
          kind: "lines",
          unit: "ops",
          queries: [{ expr: rate("millrace_edge_resumes_total", "status"), legend: "{{status}}" }],
          red: { above: 2_000 },
          shows: "Pages that answered `resume`.",
          act: "a reconnect storm; it passes by itself. `failed`: Redis was away. `gap`: clients were gone longer than HISTORY_PER_ROOM reaches.",
        },
        {
          title: "Histories lost",
          kind: "figure",
          unit: "short",
          queries: [
            {
              expr: 'sum (increase(millrace_edge_resumes_total{status="reset"}[15m]))',
              legend: "resets in 15 minutes",
            },
          ],
          red: { above: 1 },
          shows: "Cursors that were ahead of what Redis has.",
          act: "Redis lost acknowledged writes (failover, restored backup, a disk that lied): find out before you go on.",
        },
        {
          title: "Entries on pages",
          kind: "lines",
          unit: "ops",
          queries: [{ expr: rate("millrace_edge_resumed_entries_total"), legend: "entries" }],
          red: { above: 100_000 },
          shows: "What clients had missed, or read anew.",
          act: "clients that do not keep their cursors ask for the newest page again and again.",
        },
      ],
    },
    {
      title: "Following rooms",
      panels: [
        {
          title: "Rooms, by mode",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: "sum by (instance, mode) (millrace_edge_rooms)",
              legend: "{{instance}} {{mode}}",
            },
          ],
          red: { above: 200_000 },
          shows:
            "Followed rooms; `direct` blocks on each history, `bell` on one stream a partition.",
          act: "memory of the edge: some hundred bytes a room and follower; add edges.",
        },
        {
          title: "Rooms read again",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_room_reads_total", "instance"), legend: "{{instance}}" },
          ],
          red: { above: 1_000 },
          shows: "Reads because an entry was missing or too large for the bell.",
          act: "large messages cause them by design; with small ones see missed bells.",
        },
        {
          title: "Rooms broken off",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_rooms_broken_total", "instance"), legend: "{{instance}}" },
          ],
          red: { above: 1 },
          shows: "Rooms whose history did not continue, so that followers had to resume.",
          act: "a history that is trimmed faster than the edge reads: raise HISTORY_PER_ROOM, or Redis lost writes.",
        },
        {
          title: "Bells missed",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_bells_missed_total", "instance"), legend: "{{instance}}" },
          ],
          red: { above: 1 },
          shows: "Times that the chain of bells was broken.",
          act: "the edge stood still for longer than 4,096 batches take: look at its event loop. Nothing was lost: the rooms were read.",
        },
      ],
    },
  ],
};
