import { quantiles, rate, RATE, type DashboardSource } from "./panel.ts";

export const redis: DashboardSource = {
  name: "redis",
  title: "Redis",
  about: "The store, as the edges ask it, and the way to it, as every role sees it.",
  sections: [
    {
      title: "The server",
      panels: [
        {
          title: "Answers",
          kind: "figure",
          unit: "bool_yes_no",
          queries: [{ expr: "min (millrace_store_up)", legend: "Redis" }],
          red: { below: 1 },
          shows: "Whether Redis answered the last scrape of every edge.",
          act: "sockets stay open and senders hear `unavailable`: bring Redis back, everything goes on by itself.",
        },
        {
          title: "Append-only file",
          kind: "figure",
          unit: "bool_yes_no",
          queries: [{ expr: "min (millrace_store_append_file_ok)", legend: "last write" }],
          red: { below: 1 },
          shows: "Whether the last write to disk succeeded.",
          act: "a full or broken disk: Redis refuses writes until it is mended.",
        },
        {
          title: "Up since",
          kind: "figure",
          unit: "s",
          queries: [{ expr: "max (millrace_store_uptime_seconds)", legend: "uptime" }],
          red: { below: 60 },
          shows: "Time since Redis was started.",
          act: "it was restarted: read its log. Edges and projectors have looked at everything again by themselves.",
        },
        {
          title: "Memory",
          kind: "lines",
          unit: "bytes",
          queries: [
            { expr: "max (millrace_store_memory_bytes)", legend: "used" },
            { expr: "max (millrace_store_memory_max_bytes)", legend: "limit (0: none)" },
          ],
          red: { above: 8e9 },
          shows: "Memory of Redis and its limit.",
          act: "lower HISTORY_PER_ROOM or give it more; at the limit Redis refuses writes, and senders hear `unavailable`.",
        },
        {
          title: "CPU",
          kind: "lines",
          unit: "percentunit",
          queries: [
            { expr: `max (rate(millrace_store_cpu_seconds_total${RATE}))`, legend: "Redis" },
          ],
          red: { above: 0.8 },
          shows: "Share of one core, and Redis has only one for commands.",
          act: "see commands a second: fewer, fuller batches come with load; past that, spread partitions over several masters.",
        },
        {
          title: "Commands",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: `max (rate(millrace_store_commands_total${RATE}))`, legend: "commands" },
          ],
          red: "never",
          shows: "Commands, those inside scripts included.",
          act: "divide by messages: it falls with load, because batches are fuller.",
        },
        {
          title: "Network",
          kind: "lines",
          unit: "Bps",
          queries: [
            { expr: `max (rate(millrace_store_received_bytes_total${RATE}))`, legend: "in" },
            { expr: `max (rate(millrace_store_sent_bytes_total${RATE}))`, legend: "out" },
          ],
          red: { above: 100e6 },
          shows: "Bytes to and from Redis.",
          act: "out grows with the number of edges: each reads every bell.",
        },
        {
          title: "Clients",
          kind: "lines",
          unit: "short",
          queries: [{ expr: "max (millrace_store_clients)", legend: "connections" }],
          red: { above: 5_000 },
          shows: "Connections to Redis, three a role.",
          act: "somebody else connects to it, or connections leak: CLIENT LIST names each.",
        },
        {
          title: "Keys",
          kind: "lines",
          unit: "short",
          queries: [{ expr: "max (millrace_store_keys)", legend: "keys" }],
          red: { above: 20e6 },
          shows: "Keys: three a room, one a user and one a device.",
          act: "memory follows them; rooms that nobody uses stay until they are archived.",
        },
        {
          title: "Delayed fsyncs",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: `max (rate(millrace_store_fsyncs_delayed_total${RATE}))`, legend: "delayed" },
          ],
          red: { above: 1 },
          shows: "Writes that waited for a slow disk.",
          act: "a faster disk, or ack `memory` if that promise is enough.",
        },
      ],
    },
    {
      title: "The way to it",
      panels: [
        {
          title: "Round trips",
          kind: "lines",
          unit: "s",
          queries: quantiles("millrace_redis_round_trip_seconds", [0.5, 0.99], {
            by: "role, link",
          }),
          red: { above: 0.06 },
          shows: "One pipeline there and back, by what the connection is for.",
          act: "`hot` and `projector` count for delivery. All slow: Redis or network. One role: its event loop.",
        },
        {
          title: "Connections ready",
          kind: "figure",
          unit: "bool_yes_no",
          queries: [
            { expr: "min by (role, link) (millrace_redis_connected)", legend: "{{role}} {{link}}" },
          ],
          red: { below: 1 },
          shows: "Whether every role has its connections.",
          act: "they come back by themselves when Redis answers; if Redis is up, look at the network between.",
        },
        {
          title: "Reconnects",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate("millrace_redis_reconnects_total", "instance, link"),
              legend: "{{instance}} {{link}}",
            },
          ],
          red: { above: 0.1 },
          shows: "Connections that were lost and made again.",
          act: "Redis restarts, or something between cuts idle connections.",
        },
        {
          title: "Pipelines without an answer",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate("millrace_redis_failures_total", "instance, link"),
              legend: "{{instance}} {{link}}",
            },
          ],
          red: { above: 1 },
          shows: "Broken links and time-outs of 3 s.",
          act: "what was under way is tried again where that is harmless; as under reconnects.",
        },
        {
          title: "Commands, by connection",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate("millrace_redis_commands_total", "role, link"),
              legend: "{{role}} {{link}}",
            },
          ],
          red: "never",
          shows: "Which role asks how much.",
          act: "`reads` is clients reading histories and resuming, `hot` appends and bells.",
        },
        {
          title: "Bytes, by connection",
          kind: "lines",
          unit: "Bps",
          queries: [
            {
              expr: rate("millrace_redis_received_bytes_total", "role, link"),
              legend: "{{role}} {{link}} read",
            },
            {
              expr: rate("millrace_redis_sent_bytes_total", "role, link"),
              legend: "{{role}} {{link}} written",
            },
          ],
          red: { above: 100e6 },
          shows: "What goes over each connection.",
          act: "as under network of the server.",
        },
      ],
    },
  ],
};
