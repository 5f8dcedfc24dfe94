import { quantiles, rate, RATE, type DashboardSource } from "./panel.ts";

export const overview: DashboardSource = {
  name: "overview",
  title: "overview",
  about: "Whether the engine does its work, and how much of it. Begin here.",
  sections: [
    {
      title: "Is everything there?",
      panels: [
        {
          title: "Roles up",
          kind: "figure",
          unit: "bool_yes_no",
          queries: [{ expr: 'min by (role) (up{job="millrace"})', legend: "{{role}}" }],
          red: { below: 1 },
          shows: "Whether every process of a role answers scrapes.",
          act: "find the instance that is down under Status, Targets in Prometheus and read its last log lines; a supervisor restarts it, so if it stays down its start is refused.",
        },
        {
          title: "Restarts in 15 minutes",
          kind: "figure",
          unit: "short",
          queries: [
            {
              expr: 'sum by (role) (changes(process_start_time_seconds{job="millrace"}[15m]))',
              legend: "{{role}}",
            },
          ],
          red: { above: 1 },
          shows: "Processes that were started anew.",
          act: "look for the line before the start in that role's log; nothing was lost, but whoever was connected had to come again.",
        },
        {
          title: "Dead letters",
          kind: "figure",
          unit: "short",
          queries: [
            {
              expr: "sum (max by (partition) (millrace_partition_dead_letters))",
              legend: "waiting",
            },
          ],
          red: { above: 1 },
          shows: "Commands that could not be decided and were put aside.",
          act: "`millrace status` shows the partition; read its `dead` stream, report what is in it, then delete what was dealt with.",
        },
      ],
    },
    {
      title: "Messages",
      panels: [
        {
          title: "Commands and deliveries",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_edge_accepted_total"), legend: "accepted" },
            { expr: rate("millrace_projector_decided_total"), legend: "decided" },
            { expr: rate("millrace_edge_deliveries_total"), legend: "deliveries" },
          ],
          red: "never",
          shows: "What goes in, what is decided, what is pushed to followers.",
          act: "accepted and decided run together; if decided stays below, look at the lag.",
        },
        {
          title: "Delivery time",
          kind: "lines",
          unit: "s",
          queries: quantiles("millrace_edge_delivery_seconds", [0.5, 0.99]),
          red: { above: 0.1 },
          shows: "From a command's arrival at an edge until its entry is pushed by that edge.",
          act: "see which part is slow: round trips (Redis), APPLY and lag (projectors), event loop below.",
        },
        {
          title: "Lag",
          kind: "lines",
          unit: "s",
          queries: [
            { expr: "max by (group) (millrace_partition_lag_seconds)", legend: "{{group}}" },
          ],
          red: { above: 5 },
          shows: "How long the oldest command that is not applied has waited.",
          act: "is a projector down, a partition halted, or all of them busy? Then start it, repair it, or add projectors.",
        },
        {
          title: "Rejected",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate('millrace_projector_decided_total{outcome="rejected"}', "code"),
              legend: "{{code}}",
            },
          ],
          red: { above: 50 },
          shows: "Commands that were refused by the rules of their rooms.",
          act: "one code alone is usually one broken client; `internal` is ours, see dead letters.",
        },
        {
          title: "Deferred",
          kind: "lines",
          unit: "ops",
          queries: [{ expr: rate("millrace_edge_deferred_total", "code"), legend: "{{code}}" }],
          red: { above: 1 },
          shows: "Commands that clients were asked to send again.",
          act: "`busy`: projectors are behind. `unavailable`: Redis is away. `tooManyCommands`: a client does not wait for outcomes.",
        },
        {
          title: "Connections",
          kind: "lines",
          unit: "short",
          queries: [
            { expr: "sum by (instance) (millrace_edge_connections)", legend: "{{instance}}" },
          ],
          red: { above: 50_000 },
          shows: "Open sockets of each edge.",
          act: "add edges before memory or CPU of one is used up; a sudden fall on one edge is a restart.",
        },
      ],
    },
    {
      title: "Processes",
      panels: [
        {
          title: "CPU",
          kind: "lines",
          unit: "percentunit",
          queries: [
            {
              expr: `sum by (instance) (rate(process_cpu_user_seconds_total${RATE}))`,
              legend: "{{instance}} user",
            },
            {
              expr: `sum by (instance) (rate(process_cpu_system_seconds_total${RATE}))`,
              legend: "{{instance}} kernel",
            },
          ],
          red: { above: 0.9 },
          shows: "Share of one core.",
          act: "a role uses one core for its work: add a process of that role.",
        },
        {
          title: "Event loop busy",
          kind: "lines",
          unit: "percentunit",
          queries: [
            {
              expr: rate("millrace_event_loop_busy_seconds_total", "instance"),
              legend: "{{instance}}",
            },
          ],
          red: { above: 0.85 },
          shows: "Share of time that the event loop did not wait.",
          act: "the process is at its limit before CPU shows it: add one of that role.",
        },
        {
          title: "Event loop delay",
          kind: "lines",
          unit: "s",
          queries: quantiles("millrace_event_loop_delay_seconds", [0.99], { by: "instance" }),
          red: { above: 0.125 },
          shows: "How late a timer is.",
          act: "something holds the loop up: garbage collection (beside), or a machine with too few cores.",
        },
        {
          title: "Garbage collection",
          kind: "lines",
          unit: "percentunit",
          queries: [
            { expr: rate("nodejs_gc_duration_seconds_sum", "instance"), legend: "{{instance}}" },
          ],
          red: { above: 0.1 },
          shows: "Share of time spent collecting garbage.",
          act: "compare with the heap: a heap near its limit collects all the time; restart the role and report it.",
        },
        {
          title: "Memory",
          kind: "lines",
          unit: "bytes",
          queries: [
            { expr: "sum by (instance) (process_resident_memory_bytes)", legend: "{{instance}}" },
          ],
          red: { above: 1.5e9 },
          shows: "Resident memory.",
          act: "divide by connections (edges) or by rooms at work (projectors): if it rises with neither, it is a leak; restart and report it.",
        },
        {
          title: "Heap and buffers",
          kind: "lines",
          unit: "bytes",
          queries: [
            {
              expr: "sum by (instance) (nodejs_heap_size_used_bytes)",
              legend: "{{instance}} heap",
            },
            {
              expr: "sum by (instance) (nodejs_external_memory_bytes)",
              legend: "{{instance}} buffers",
            },
          ],
          red: { above: 1e9 },
          shows: "What the memory is used for.",
          act: "the heap: as under memory. Buffers: slow clients or a slow Redis, see lagging sessions and round trips.",
        },
      ],
    },
  ],
};
