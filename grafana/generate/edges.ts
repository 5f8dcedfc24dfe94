import { rate, RATE, type DashboardSource } from "./panel.ts";

export const edges: DashboardSource = {
  name: "edges",
  title: "edges",
  about: "Sockets, frames and appends of the edges.",
  sections: [
    {
      title: "Connections",
      panels: [
        {
          title: "Opened",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate("millrace_edge_connections_opened_total", "instance"),
              legend: "{{instance}}",
            },
          ],
          red: { above: 500 },
          shows: "New sockets.",
          act: "a storm of reconnects: look at the closes beside; it passes if edges have CPU left, else add edges.",
        },
        {
          title: "Ended, by reason",
          kind: "lines",
          unit: "ops",
          queries: [{ expr: rate("millrace_edge_closes_total", "reason"), legend: "{{reason}}" }],
          red: { above: 500 },
          shows: "Sockets that ended; `peer` closed by the client, `vanished` without a word.",
          act: "`vanished`: a proxy or the network. `unauthorized`, `tokenExpired`: your token service. `tooSlow`: see lagging. `badFrame`: a broken client.",
        },
        {
          title: "Lagging now",
          kind: "figure",
          unit: "short",
          queries: [{ expr: "sum (millrace_edge_lagging_sessions)", legend: "sessions" }],
          red: { above: 100 },
          shows: "Sessions that read too slowly and catch up from the histories.",
          act: "all of one edge: its network. All over: messages are larger or more than links carry; they lose nothing, but are late.",
        },
        {
          title: "Fell behind",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_lagged_total", "instance"), legend: "{{instance}}" },
          ],
          red: { above: 10 },
          shows: "Times that a session was taken off its rooms.",
          act: "as under lagging; each costs a read of Redis for each of its rooms.",
        },
        {
          title: "HTTP answers",
          kind: "lines",
          unit: "reqps",
          queries: [
            { expr: rate("millrace_edge_http_requests_total", "status"), legend: "{{status}}" },
          ],
          red: { above: 1_000 },
          shows: "Answers to history pages, tickets and health checks, by status.",
          act: "503: Redis is away. 401: tokens. Many 200: somebody reads histories in a loop.",
        },
        {
          title: "Failures",
          kind: "figure",
          unit: "short",
          queries: [
            { expr: "sum (increase(millrace_edge_failures_total[15m]))", legend: "in 15 minutes" },
          ],
          red: { above: 1 },
          shows: "Handlers that threw.",
          act: "a mistake of ours: find `a handler failed` in the edge's log and report it.",
        },
      ],
    },
    {
      title: "Frames",
      panels: [
        {
          title: "Received, by type",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_frames_received_total", "type"), legend: "{{type}}" },
          ],
          red: "never",
          shows: "What clients ask for.",
          act: "many `resume` are a reconnect storm, many `ping` a client that polls.",
        },
        {
          title: "Refused, by code",
          kind: "lines",
          unit: "ops",
          queries: [{ expr: rate("millrace_edge_refused_total", "code"), legend: "{{code}}" }],
          red: { above: 10 },
          shows: "Frames and commands that never reached the log.",
          act: "a client sends what the protocol does not allow: which version was rolled out last?",
        },
        {
          title: "Bytes",
          kind: "lines",
          unit: "Bps",
          queries: [
            { expr: rate("millrace_edge_received_bytes_total"), legend: "in" },
            { expr: rate("millrace_edge_sent_bytes_total", "kind"), legend: "out, {{kind}}" },
          ],
          red: { above: 100e6 },
          shows: "Bytes of frames, without those of TCP and WebSocket.",
          act: "compare with the network cards of the edges; spread the edges over machines.",
        },
      ],
    },
    {
      title: "Appends and pace",
      panels: [
        {
          title: "Waiting for the log",
          kind: "lines",
          unit: "short",
          queries: [
            { expr: "sum by (instance) (millrace_edge_waiting_commands)", legend: "{{instance}}" },
          ],
          red: { above: 2_000 },
          shows: "Commands that are not known to be in the log.",
          act: "Redis is slow or away; past 4,096 of one partition the edge answers `busy`.",
        },
        {
          title: "Appends, by outcome",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_appends_total", "outcome"), legend: "{{outcome}}" },
          ],
          red: "never",
          shows: "Batches offered to the log.",
          act: "`busy` means that projectors are behind, `failed` that Redis did not answer; both show as deferred.",
        },
        {
          title: "Commands an append",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: `${rate("millrace_edge_accepted_total")} / ${rate('millrace_edge_appends_total{outcome="appended"}')}`,
              legend: "commands",
            },
          ],
          red: "never",
          shows: "How full a log entry is: the more, the less each message costs Redis.",
          act: "it rises with the load, up to 256.",
        },
        {
          title: "Rest between ticks",
          kind: "lines",
          unit: "s",
          queries: [
            {
              expr: 'max by (instance) (millrace_pace_rest_seconds{role="edge"})',
              legend: "{{instance}}",
            },
          ],
          red: { above: 0.05 },
          shows: "The pace: 0 while the loop blocks and answers at once.",
          act: "it is at most 8 ms by design; anything above is a mistake of ours.",
        },
        {
          title: "Rate that the pace sees",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: 'max by (instance) (millrace_pace_messages_per_second{role="edge"})',
              legend: "{{instance}}",
            },
          ],
          red: "never",
          shows: "Messages a second of one edge; the loop rests from 400 on.",
          act: "it explains the rest beside it.",
        },
        {
          title: "Ticks",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate('millrace_ticks_total{role="edge"}', "instance"), legend: "{{instance}}" },
          ],
          red: { above: 2_000 },
          shows: "Rounds of an edge's loop: each is a wake-up and a round trip.",
          act: "more than some hundred under load mean that the pace does not hold; report it.",
        },
        {
          title: "Socket server",
          kind: "figure",
          unit: "short",
          queries: [
            {
              expr: `count by (adapter, ack) (millrace_edge_info)`,
              legend: "{{adapter}}, ack {{ack}}",
            },
          ],
          red: "never",
          shows: "Edges by socket server and acknowledgement.",
          act: "`ws` costs several times the CPU of `uws`: use a platform for which uWebSockets.js has a binary.",
        },
        {
          title: "Bytes a command in and out",
          kind: "lines",
          unit: "bytes",
          queries: [
            {
              expr: `sum (rate(millrace_edge_received_bytes_total${RATE})) / ${rate("millrace_edge_accepted_total")}`,
              legend: "in",
            },
            {
              expr: `sum (rate(millrace_edge_sent_bytes_total${RATE})) / ${rate("millrace_edge_deliveries_total")}`,
              legend: "out, a delivery",
            },
          ],
          red: { above: 16_384 },
          shows: "How large messages are.",
          act: "pages of histories count too: many resumes, or messages near the limit of 8,192 bytes.",
        },
      ],
    },
  ],
};
