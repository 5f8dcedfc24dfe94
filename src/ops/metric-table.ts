/**
 * Every metric there is: what a scrape answers, what dashboards and alerts may
 * ask for, and what grafana/README.md explains come from this table.
 *
 * No label takes a user's or a room's name: every set of values is closed, or
 * bounded by the settings. The roles that a scraper finds (`role`, `instance`)
 * are labels of its targets and not in here.
 *
 * If you add a metric: a row here, a line where its role publishes it, and a
 * panel (test/grafana finds a metric that nobody looks at).
 */
import { CONVERSATIONS } from "./conversation-metrics.ts";
import { BOTH, EDGE, PROJECTOR, row } from "./metric-row.ts";
import { PEOPLE } from "./people-metrics.ts";

const SESSIONS = {
  millrace_edge_connections: row(["gauge", "connections", EDGE, "Open sockets."]),
  millrace_edge_connections_opened_total: row([
    "counter",
    "connections",
    EDGE,
    "Sockets that were opened.",
  ]),
  millrace_edge_closes_total: row(
    ["counter", "connections", EDGE, "Sockets that ended, by who or what ended them."],
    ["reason"],
  ),
  millrace_edge_lagging_sessions: row([
    "gauge",
    "sessions",
    EDGE,
    "Sessions taken off their rooms until they have read what waits for them.",
  ]),
  millrace_edge_lagged_total: row([
    "counter",
    "sessions",
    EDGE,
    "Times that a session read too slowly and was taken off its rooms.",
  ]),
  millrace_edge_frames_received_total: row(
    ["counter", "frames", EDGE, "Frames of clients that could be read, by type."],
    ["type"],
  ),
  millrace_edge_received_bytes_total: row([
    "counter",
    "bytes",
    EDGE,
    "Bytes of the clients' frames, without the transport's own.",
  ]),
  millrace_edge_sent_bytes_total: row(
    [
      "counter",
      "bytes",
      EDGE,
      "Bytes for clients: `published` to the followers of rooms, `page` for resumes, `frame` for the rest.",
    ],
    ["kind"],
  ),
  millrace_edge_refused_total: row(
    ["counter", "frames", EDGE, "Frames and commands refused before the log, by code."],
    ["code"],
  ),
  millrace_edge_http_requests_total: row(
    ["counter", "requests", EDGE, "Answers over HTTP, by status."],
    ["status"],
  ),
  millrace_edge_failures_total: row([
    "counter",
    "errors",
    EDGE,
    "Handlers that threw: each is a mistake of the engine.",
  ]),
  millrace_edge_info: row(
    ["gauge", "", EDGE, "Always 1; the socket server and what an acknowledgement promises."],
    ["adapter", "ack"],
  ),
} as const;

const COMMANDS = {
  millrace_edge_accepted_total: row([
    "counter",
    "commands",
    EDGE,
    "Commands that are in the log, at the ack level.",
  ]),
  millrace_edge_deferred_total: row(
    ["counter", "commands", EDGE, "Commands that clients were asked to send again, by code."],
    ["code"],
  ),
  millrace_edge_waiting_commands: row([
    "gauge",
    "commands",
    EDGE,
    "Commands in this process that are not known to be in the log.",
  ]),
  millrace_edge_appends_total: row(
    ["counter", "batches", EDGE, "Batches offered to the log, by outcome; each is one log entry."],
    ["outcome"],
  ),
  millrace_edge_delivery_seconds: row([
    "histogram",
    "seconds",
    EDGE,
    "From a command's arrival at this edge until its outcome came back and its entry was published here; one command in 16.",
  ]),
} as const;

const ROOMS = {
  millrace_edge_published_frames_total: row([
    "counter",
    "frames",
    EDGE,
    "Frames of entries, one a room and turn, however many follow it.",
  ]),
  millrace_edge_published_entries_total: row([
    "counter",
    "entries",
    EDGE,
    "Entries in those frames.",
  ]),
  millrace_edge_deliveries_total: row([
    "counter",
    "entries",
    EDGE,
    "Entries times the followers they were published to.",
  ]),
  millrace_edge_resumes_total: row(
    ["counter", "rooms", EDGE, "Answers to `resume`, a page each, by status."],
    ["status"],
  ),
  millrace_edge_resumed_entries_total: row(["counter", "entries", EDGE, "Entries on those pages."]),
  millrace_edge_rooms: row(
    ["gauge", "rooms", EDGE, "Followed rooms, by the way in which the edge learns of entries."],
    ["mode"],
  ),
  millrace_edge_room_reads_total: row([
    "counter",
    "rooms",
    EDGE,
    "Rooms read because an entry was missing or the bell did not carry it.",
  ]),
  millrace_edge_rooms_broken_total: row([
    "counter",
    "rooms",
    EDGE,
    "Rooms that could not be continued, so that their followers had to resume.",
  ]),
  millrace_edge_bells_missed_total: row([
    "counter",
    "bells",
    EDGE,
    "Times that the chain of a partition's bells was broken.",
  ]),
} as const;

const STORE = {
  millrace_partition_lag_commands: row(
    ["gauge", "commands", EDGE, "Commands in the log that the group has not applied."],
    ["group", "partition"],
  ),
  millrace_partition_lag_seconds: row(
    ["gauge", "seconds", EDGE, "Age of the oldest of them, by the store's clock."],
    ["group", "partition"],
  ),
  millrace_partition_log_entries: row(
    ["gauge", "entries", EDGE, "Entries in a partition's log."],
    ["partition"],
  ),
  millrace_partition_dead_letters: row(
    ["gauge", "commands", EDGE, "Commands that could not be decided and wait for a person."],
    ["partition"],
  ),
  millrace_store_up: row(["gauge", "", EDGE, "1 when Redis answered this scrape."]),
  millrace_store_memory_bytes: row(["gauge", "bytes", EDGE, "Memory that Redis uses."]),
  millrace_store_memory_max_bytes: row(["gauge", "bytes", EDGE, "Its limit; 0 for none."]),
  millrace_store_clients: row(["gauge", "connections", EDGE, "Connections to Redis."]),
  millrace_store_keys: row(["gauge", "keys", EDGE, "Keys in the database."]),
  millrace_store_commands_total: row([
    "counter",
    "commands",
    EDGE,
    "Redis commands, those of scripts included.",
  ]),
  millrace_store_cpu_seconds_total: row(["counter", "seconds", EDGE, "CPU time of Redis."]),
  millrace_store_received_bytes_total: row(["counter", "bytes", EDGE, "Bytes sent to Redis."]),
  millrace_store_sent_bytes_total: row(["counter", "bytes", EDGE, "Bytes that it answered."]),
  millrace_store_append_file_ok: row([
    "gauge",
    "",
    EDGE,
    "0 when the last write to the append-only file failed.",
  ]),
  millrace_store_fsyncs_delayed_total: row([
    "counter",
    "fsyncs",
    EDGE,
    "Writes that waited for a slow disk.",
  ]),
  millrace_store_uptime_seconds: row(["gauge", "seconds", EDGE, "Time since Redis was started."]),
} as const;

const PROJECTORS = {
  millrace_projector_decided_total: row(
    [
      "counter",
      "commands",
      PROJECTOR,
      "Decided commands in effect; `code` is that of a rejection.",
    ],
    ["outcome", "code"],
  ),
  millrace_projector_applies_total: row(
    ["counter", "batches", PROJECTOR, "Answers to APPLY, by outcome."],
    ["outcome"],
  ),
  millrace_projector_apply_seconds: row([
    "histogram",
    "seconds",
    PROJECTOR,
    "The round trip that applies the batches of a tick.",
  ]),
  millrace_projector_batch_commands: row([
    "histogram",
    "commands",
    PROJECTOR,
    "Commands in one batch of one partition.",
  ]),
  millrace_projector_partitions: row(
    ["gauge", "partitions", PROJECTOR, "Partitions of this worker, by what it does for them."],
    ["state"],
  ),
  millrace_projector_leases_taken_total: row([
    "counter",
    "partitions",
    PROJECTOR,
    "Take-overs: leases that this worker was granted.",
  ]),
  millrace_projector_leases_lost_total: row([
    "counter",
    "partitions",
    PROJECTOR,
    "Leases that went to another worker, or that this one gave up because its state was in doubt.",
  ]),
  millrace_projector_fold_failures_total: row([
    "counter",
    "batches",
    PROJECTOR,
    "Batches that could not be folded: each is a mistake of the engine.",
  ]),
  millrace_projector_dead_letters_total: row([
    "counter",
    "commands",
    PROJECTOR,
    "Commands and log entries put aside as dead letters.",
  ]),
  millrace_projector_log_entries_total: row([
    "counter",
    "entries",
    PROJECTOR,
    "Log entries that were applied.",
  ]),
} as const;

const SHARED = {
  millrace_pace_rest_seconds: row([
    "gauge",
    "seconds",
    BOTH,
    "Rest between two ticks; 0 while the loop blocks.",
  ]),
  millrace_pace_messages_per_second: row([
    "gauge",
    "messages/s",
    BOTH,
    "The rate that the pace goes by.",
  ]),
  millrace_ticks_total: row(["counter", "ticks", BOTH, "Rounds of the role's loop."]),
  millrace_redis_round_trip_seconds: row(
    ["histogram", "seconds", BOTH, "One pipeline to Redis and back, by connection."],
    ["link"],
  ),
  millrace_redis_commands_total: row(
    ["counter", "commands", BOTH, "Commands in those pipelines."],
    ["link"],
  ),
  millrace_redis_failures_total: row(
    ["counter", "pipelines", BOTH, "Pipelines without an answer: broken link or time-out."],
    ["link"],
  ),
  millrace_redis_connected: row(["gauge", "", BOTH, "1 while the connection is ready."], ["link"]),
  millrace_redis_reconnects_total: row(
    ["counter", "connections", BOTH, "Times that the connection came back."],
    ["link"],
  ),
  millrace_redis_sent_bytes_total: row(["counter", "bytes", BOTH, "Bytes written."], ["link"]),
  millrace_redis_received_bytes_total: row(["counter", "bytes", BOTH, "Bytes read."], ["link"]),
} as const;

/** Names that every Node process publishes, as prom-client's own defaults have them. */
const PROCESS = {
  process_cpu_user_seconds_total: row(["counter", "seconds", BOTH, "CPU time of the program."]),
  process_cpu_system_seconds_total: row([
    "counter",
    "seconds",
    BOTH,
    "CPU time of the kernel for it.",
  ]),
  process_resident_memory_bytes: row(["gauge", "bytes", BOTH, "Resident memory."]),
  process_start_time_seconds: row([
    "gauge",
    "seconds",
    BOTH,
    "When the process was started, in seconds since 1970.",
  ]),
  nodejs_heap_size_used_bytes: row(["gauge", "bytes", BOTH, "Live and dead objects of V8."]),
  nodejs_external_memory_bytes: row(["gauge", "bytes", BOTH, "Buffers outside of V8's heap."]),
  nodejs_gc_duration_seconds: row(
    ["histogram", "seconds", BOTH, "Pauses of the garbage collector, by kind."],
    ["kind"],
  ),
  millrace_event_loop_delay_seconds: row([
    "histogram",
    "seconds",
    BOTH,
    "How late a timer of 500 ms was.",
  ]),
  millrace_event_loop_busy_seconds_total: row([
    "counter",
    "seconds",
    BOTH,
    "Time that the event loop did not wait.",
  ]),
} as const;

export const METRICS = {
  ...SESSIONS,
  ...COMMANDS,
  ...ROOMS,
  ...PEOPLE,
  ...CONVERSATIONS,
  ...STORE,
  ...PROJECTORS,
  ...SHARED,
  ...PROCESS,
} as const;

export type MetricName = keyof typeof METRICS;
/** The labels of one metric, all of them, each with a value. */
export type LabelsOf<N extends MetricName> = {
  readonly [L in (typeof METRICS)[N]["labels"][number]]: string;
};
