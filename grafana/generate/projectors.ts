import { quantiles, rate, type DashboardSource } from "./panel.ts";

export const projectors: DashboardSource = {
  name: "projectors",
  title: "projectors",
  about: "From the log to the histories: lag, APPLY, leases.",
  sections: [
    {
      title: "Lag",
      panels: [
        {
          title: "Lag in commands",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: "max by (group, partition) (millrace_partition_lag_commands)",
              legend: "{{group}} {{partition}}",
            },
          ],
          red: { above: 10_000 },
          shows: "Commands in the log that the group has not applied.",
          act: "one partition: a hot room, or it is halted. All: add projectors, or see why APPLY is slow. At BACKLOG_MAX edges answer `busy`.",
        },
        {
          title: "Lag in time",
          kind: "lines",
          unit: "s",
          queries: [
            {
              expr: "max by (group, partition) (millrace_partition_lag_seconds)",
              legend: "{{group}} {{partition}}",
            },
          ],
          red: { above: 5 },
          shows: "Age of the oldest of them.",
          act: "as for lag in commands; a single old command is a partition that nobody owns or that is halted.",
        },
        {
          title: "Log length",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: "sum (max by (partition) (millrace_partition_log_entries))",
              legend: "entries",
            },
          ],
          red: "never",
          shows: "Entries in all logs.",
          act: "it only grows until logs are archived; Redis's memory says when that matters.",
        },
      ],
    },
    {
      title: "Deciding and applying",
      panels: [
        {
          title: "Decided, by outcome",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_projector_decided_total", "outcome"), legend: "{{outcome}}" },
          ],
          red: "never",
          shows: "Commands in effect, copies of earlier ones, and refusals.",
          act: "many duplicates mean that clients send again what had arrived: look for reconnects and deferred.",
        },
        {
          title: "APPLY time",
          kind: "lines",
          unit: "s",
          queries: quantiles("millrace_projector_apply_seconds", [0.5, 0.99]),
          red: { above: 0.06 },
          shows: "The round trip that applies the batches of a tick.",
          act: "Redis is slow: its CPU, its disk (delayed fsyncs), or batches are large.",
        },
        {
          title: "Commands a batch",
          kind: "lines",
          unit: "short",
          queries: quantiles("millrace_projector_batch_commands", [0.5, 0.99]),
          red: "never",
          shows: "How full a batch of one partition is.",
          act: "it rises with the load up to some 200, and each command costs less.",
        },
        {
          title: "APPLY, by outcome",
          kind: "lines",
          unit: "ops",
          queries: [
            { expr: rate("millrace_projector_applies_total", "outcome"), legend: "{{outcome}}" },
          ],
          red: "never",
          shows: "Answers of the script.",
          act: "`applied` is the rule, `already` a lost reply. `fenced` and `stale` follow take-overs; `diverged` means that somebody moved the group, `truncated` that somebody cut the log.",
        },
        {
          title: "Log entries applied",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate("millrace_projector_log_entries_total", "instance"),
              legend: "{{instance}}",
            },
          ],
          red: "never",
          shows: "Batches of edges that were worked off.",
          act: "compare workers: the one with more has the busier partitions.",
        },
        {
          title: "Put aside",
          kind: "figure",
          unit: "short",
          queries: [
            {
              expr: "sum (increase(millrace_projector_dead_letters_total[15m]))",
              legend: "in 15 minutes",
            },
          ],
          red: { above: 1 },
          shows: "Commands that became dead letters.",
          act: "read the partition's `dead` stream: it has the command and the reason.",
        },
        {
          title: "Failed folds",
          kind: "figure",
          unit: "short",
          queries: [
            {
              expr: "sum (increase(millrace_projector_fold_failures_total[15m]))",
              legend: "in 15 minutes",
            },
          ],
          red: { above: 1 },
          shows: "Batches that could not be folded, after which the partition started over.",
          act: "a mistake of ours: find `a batch could not be folded` in the projector's log and report it.",
        },
      ],
    },
    {
      title: "Ownership and pace",
      panels: [
        {
          title: "Partitions, by worker",
          kind: "lines",
          unit: "short",
          queries: [
            {
              expr: "sum by (instance, state) (millrace_projector_partitions)",
              legend: "{{instance}} {{state}}",
            },
          ],
          red: "never",
          shows: "Who owns how many; `careful` ones look for a command that kills its worker.",
          act: "the owned ones add up to PARTITIONS and are spread evenly a few seconds after a change.",
        },
        {
          title: "Halted partitions",
          kind: "figure",
          unit: "short",
          queries: [
            { expr: 'sum (millrace_projector_partitions{state="halted"})', legend: "halted" },
          ],
          red: { above: 1 },
          shows: "Partitions whose log was cut before it was projected.",
          act: "nothing goes on there by itself: restore the log from the replica or backup that still has it, then restart the projector.",
        },
        {
          title: "Take-overs and losses",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate("millrace_projector_leases_taken_total", "instance"),
              legend: "{{instance}} taken",
            },
            {
              expr: rate("millrace_projector_leases_lost_total", "instance"),
              legend: "{{instance}} lost",
            },
          ],
          red: { above: 1 },
          shows: "Leases that changed hands.",
          act: "again and again: workers stall past LEASE_TTL_MS (event loop delay, machine without CPU) or keep restarting.",
        },
        {
          title: "Rest between ticks",
          kind: "lines",
          unit: "s",
          queries: [
            {
              expr: 'max by (instance) (millrace_pace_rest_seconds{role="projector"})',
              legend: "{{instance}}",
            },
          ],
          red: { above: 0.05 },
          shows: "The pace: 0 while the loop blocks and answers at once.",
          act: "it is at most 5 ms by design; anything above is a mistake of ours.",
        },
        {
          title: "Rate that the pace sees",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: 'max by (instance) (millrace_pace_messages_per_second{role="projector"})',
              legend: "{{instance}}",
            },
          ],
          red: "never",
          shows: "Commands a second of one worker; the loop rests from 400 on.",
          act: "it explains the rest beside it.",
        },
        {
          title: "Ticks",
          kind: "lines",
          unit: "ops",
          queries: [
            {
              expr: rate('millrace_ticks_total{role="projector"}', "instance"),
              legend: "{{instance}}",
            },
          ],
          red: { above: 2_000 },
          shows: "Rounds of a projector's loop.",
          act: "a loop that does not rest: report it with the projector's log.",
        },
      ],
    },
  ],
};
