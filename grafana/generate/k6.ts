import { RATE, type DashboardSource, type Query } from "./panel.ts";

/** k6 computes quantiles itself and writes each as a series of its own, in seconds. */
function trend(name: string): Query[] {
  return ["p50", "p95", "p99", "max"].map((stat) => ({
    expr: `max (k6_${name}_${stat})`,
    legend: stat,
  }));
}
function perSecond(name: string): string {
  return `sum (rate(k6_${name}_total${RATE}))`;
}

export const k6: DashboardSource = {
  name: "k6",
  title: "k6 run",
  about: "One run of a load scenario, as k6 writes it to Prometheus. Empty without one.",
  sections: [
    {
      title: "The verdict",
      panels: [
        {
          title: "Holes, missing, doubled",
          kind: "figure",
          unit: "short",
          queries: [
            { expr: "sum (k6_chat_holes_total) or vector(0)", legend: "holes" },
            { expr: "sum (k6_chat_missing_total) or vector(0)", legend: "missing" },
            { expr: "sum (k6_chat_doubled_total) or vector(0)", legend: "doubled" },
          ],
          red: { above: 1 },
          shows: "What was lost, doubled or out of order; 0 or the run has failed.",
          act: "keep the seed and the logs of all roles: this must not happen.",
        },
        {
          title: "Unseen and ghosts",
          kind: "figure",
          unit: "short",
          queries: [
            { expr: "sum (k6_chat_unseen_total) or vector(0)", legend: "unseen" },
            { expr: "sum (k6_chat_ghosts_total) or vector(0)", legend: "ghosts" },
          ],
          red: { above: 1 },
          shows:
            "People who were there and not shown, or shown and not there; 0 or the run has failed.",
          act: "the dashboard of people: what edges said, what the log made of it.",
        },
        {
          title: "Errors",
          kind: "figure",
          unit: "short",
          queries: [{ expr: "sum by (what) (k6_chat_errors_total)", legend: "{{what}}" }],
          red: { above: 1 },
          shows: "What was refused, failed or closed without the scenario's doing.",
          act: "the label says what; the edges' dashboard says why.",
        },
        {
          title: "Checks",
          kind: "figure",
          unit: "percentunit",
          queries: [{ expr: "min (k6_checks_rate)", legend: "passed" }],
          red: { below: 1 },
          shows: "Share of checks that passed.",
          act: "k6's summary names the check.",
        },
      ],
    },
    {
      title: "The load",
      panels: [
        {
          title: "Users and sockets done",
          kind: "lines",
          unit: "short",
          queries: [
            { expr: "max (k6_vus)", legend: "virtual users" },
            { expr: "sum (k6_chat_finished_total)", legend: "finished" },
            { expr: "sum (k6_chat_seen_total)", legend: "saw who is there" },
          ],
          red: "never",
          shows: "Virtual users at work, and sockets and readers that came to their end.",
          act: "at the end of a run every socket has finished, or the run has failed.",
        },
        {
          title: "Sent and delivered",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: perSecond("chat_sent"), legend: "sent" },
            { expr: perSecond("chat_delivered"), legend: "delivered" },
          ],
          red: "never",
          shows: "Messages of the senders, deliveries at the receivers.",
          act: "compare with commands and deliveries of the overview.",
        },
        {
          title: "Sent again, put off, reconnects",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: perSecond("chat_resent"), legend: "sent again" },
            { expr: perSecond("chat_deferred"), legend: "deferred" },
            { expr: perSecond("chat_reconnects"), legend: "reconnects" },
          ],
          red: { above: 100 },
          shows: "What clients had to do twice.",
          act: "outside of a reconnect storm the engine is past its limit, or was restarted.",
        },
      ],
    },
    {
      title: "Times",
      panels: [
        {
          title: "Delivery",
          kind: "lines",
          unit: "s",
          queries: trend("chat_delivery_ms"),
          red: { above: 0.25 },
          shows: "From when a message was due to its arrival, at connected receivers.",
          act: "see the delivery time of the overview: if that is well, k6 or the machine is at its limit.",
        },
        {
          title: "Catching up",
          kind: "lines",
          unit: "s",
          queries: trend("chat_catch_up_ms"),
          red: { above: 10 },
          shows: "The same where sender or receiver was away meanwhile.",
          act: "it contains the time away; compare with resuming.",
        },
        {
          title: "Connecting",
          kind: "lines",
          unit: "s",
          queries: trend("chat_connect_ms"),
          red: { above: 1 },
          shows: "From where a connection is wanted to `welcome`.",
          act: "edges' CPU: handshakes come in storms.",
        },
        {
          title: "Resuming",
          kind: "lines",
          unit: "s",
          queries: trend("chat_resume_ms"),
          red: { above: 5 },
          shows: "From a lost connection to following the room live again.",
          act: "round trips of `reads` on the Redis dashboard: resumes read the histories.",
        },
        {
          title: "Seeing who is there",
          kind: "lines",
          unit: "s",
          queries: trend("chat_presence_ms"),
          red: { above: 15 },
          shows: "From when everybody comes at once until a socket has seen all of its room.",
          act: "edges' CPU: handshakes come first. Then the lag of the partitions.",
        },
        {
          title: "Seeing who has gone",
          kind: "lines",
          unit: "s",
          queries: trend("chat_leaving_ms"),
          red: { above: 15 },
          shows: "From when some drop until the others have seen it, 5 s of grace included.",
          act: "as for seeing who is there.",
        },
        {
          title: "Pages of history",
          kind: "lines",
          unit: "s",
          queries: trend("chat_page_ms"),
          red: { above: 0.25 },
          shows: "One page, over HTTP or a socket.",
          act: "as for resuming.",
        },
        {
          title: "Histories read",
          kind: "lines",
          unit: "ops",
          queries: [{ expr: perSecond("chat_walks"), legend: "histories" }],
          red: "never",
          shows: "Histories read from one end to the other.",
          act: "only the scenario of history paging has them.",
        },
      ],
    },
  ],
};
