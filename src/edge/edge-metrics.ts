/** What an edge answers to a scrape: its own tally, and what Redis tells of logs and itself. */
import type { Ingest } from "../ingest/ingest.ts";
import type { Log } from "../ops/log.ts";
import { Metrics, publishCounts, type Publisher } from "../ops/metrics.ts";
import type { AckLevel } from "../protocol/frames.ts";
import { tallyOf, type Redis } from "../redis/connect.ts";
import { readServerInfo } from "../redis/server-info.ts";
import type { Keys } from "../streams/keys.ts";
import { reportOutboxes } from "../streams/outbox-report.ts";
import { reportPartitions } from "../streams/partition-report.ts";
import type { EdgeTally } from "./edge-tally.ts";
import type { Links } from "./links.ts";
import type { People } from "./people.ts";
import type { Pump } from "./pump.ts";
import type { RoomTails } from "./room-tails.ts";
import type { SessionHub } from "./session-hub.ts";
import type { SocketServer } from "./sockets/socket-port.ts";

export interface EdgeParts {
  readonly tally: EdgeTally;
  readonly hub: SessionHub;
  readonly tails: RoomTails;
  readonly people: People;
  readonly ingest: Ingest;
  readonly pump: Pump;
  readonly links: Links;
  readonly keys: Keys;
  readonly ack: AckLevel;
  readonly adapter: SocketServer["adapter"];
  readonly log: Log;
}

export function edgeMetrics(parts: EdgeParts): Metrics {
  const { links, keys, log } = parts;
  const metrics = new Metrics("edge", (error) => log.debug({ err: error }, "a scrape is partial"));
  metrics.add((to) => publishSessions(to, parts));
  metrics.add((to) => publishCommands(to, parts));
  metrics.add((to) => publishRooms(to, parts));
  metrics.add((to) => publishPeople(to, parts));
  metrics.add((to) => publishReading(to, parts));
  metrics.add((to) => publishLinks(to, links));
  metrics.add((to) => publishPartitions(to, links.redis, keys));
  metrics.add((to) => publishOutboxes(to, links.redis, keys));
  metrics.add((to) => publishStore(to, links.redis));
  return metrics;
}

function publishSessions(to: Publisher, { tally, hub, adapter, ack }: EdgeParts): void {
  let lagging = 0;
  for (const session of hub.all()) if (session.subscriptions?.lagging) lagging++;
  to.set("millrace_edge_connections", hub.size);
  to.set("millrace_edge_connections_opened_total", tally.opened);
  publishCounts(to, "millrace_edge_closes_total", "reason", tally.closes);
  to.set("millrace_edge_lagging_sessions", lagging);
  to.set("millrace_edge_lagged_total", tally.lagged);
  publishCounts(to, "millrace_edge_frames_received_total", "type", tally.framesReceived);
  to.set("millrace_edge_received_bytes_total", tally.bytesReceived);
  publishCounts(to, "millrace_edge_sent_bytes_total", "kind", tally.bytesSent);
  publishCounts(to, "millrace_edge_refused_total", "code", tally.refused);
  publishCounts(to, "millrace_edge_http_requests_total", "status", tally.httpAnswers);
  to.set("millrace_edge_failures_total", tally.failures);
  to.set("millrace_edge_info", 1, { adapter, ack });
}

function publishCommands(to: Publisher, { tally, ingest }: EdgeParts): void {
  to.set("millrace_edge_accepted_total", tally.accepted);
  publishCounts(to, "millrace_edge_deferred_total", "code", tally.deferred);
  to.set("millrace_edge_waiting_commands", ingest.waiting);
  publishCounts(to, "millrace_edge_appends_total", "outcome", ingest.appends);
  to.distribution("millrace_edge_delivery_seconds", tally.deliverySeconds);
}

function publishRooms(to: Publisher, { tally, tails, pump }: EdgeParts): void {
  to.set("millrace_edge_published_frames_total", tally.publishedFrames);
  to.set("millrace_edge_published_entries_total", tally.publishedEntries);
  to.set("millrace_edge_deliveries_total", tally.deliveries);
  publishCounts(to, "millrace_edge_resumes_total", "status", tally.resumes);
  to.set("millrace_edge_resumed_entries_total", tally.resumedEntries);
  const rooms = { direct: 0, bell: 0, [pump.mode]: tails.size };
  publishCounts(to, "millrace_edge_rooms", "mode", rooms);
  to.set("millrace_edge_room_reads_total", tally.roomReads);
  to.set("millrace_edge_rooms_broken_total", tally.roomsBroken);
  to.set("millrace_edge_bells_missed_total", tally.bellsMissed);
  to.set("millrace_ticks_total", tally.ticks);
  to.set("millrace_pace_rest_seconds", pump.pace.restMs / 1_000);
  to.set("millrace_pace_messages_per_second", pump.pace.perSecond);
}

function publishPeople(to: Publisher, { tally, people }: EdgeParts): void {
  to.set("millrace_edge_attending", people.views.size);
  to.set("millrace_edge_people", people.presence.size);
  publishCounts(to, "millrace_edge_incarnations_total", "why", people.presence.raised());
  publishCounts(to, "millrace_edge_presence_frames_total", "kind", tally.presenceFrames);
  to.set("millrace_edge_presence_reads_total", tally.presenceReads);
  publishCounts(to, "millrace_edge_typing_total", "fate", tally.typing);
}

function publishReading(to: Publisher, { tally, people }: EdgeParts): void {
  const { appended, ...readings } = people.readings.tally;
  publishCounts(to, "millrace_edge_readings_total", "fate", readings);
  to.set("millrace_edge_reading_facts_total", appended);
  to.set("millrace_edge_receipt_frames_total", tally.receiptFrames);
  to.set("millrace_edge_count_reads_total", tally.countReads);
}

function publishLinks(to: Publisher, { redis, hot, blocking, news }: Links): void {
  tallyOf(redis).publish(to, "reads");
  hot.tally.publish(to, "hot");
  blocking.tally.publish(to, "blocking");
  news.tally.publish(to, "news");
}

async function publishPartitions(to: Publisher, redis: Redis, keys: Keys): Promise<void> {
  for (const report of await reportPartitions(redis, keys)) {
    const { group } = report;
    const partition = String(report.partition);
    to.set("millrace_partition_lag_commands", report.lagCommands, { group, partition });
    to.set("millrace_partition_lag_seconds", report.lagMs / 1_000, { group, partition });
    to.set("millrace_partition_log_entries", report.logEntries, { partition });
    to.set("millrace_partition_dead_letters", report.deadLetters, { partition });
  }
}

async function publishOutboxes(to: Publisher, redis: Redis, keys: Keys): Promise<void> {
  for (const { changes, lagMs, ...report } of await reportOutboxes(redis, keys)) {
    const partition = String(report.partition);
    to.set("millrace_outbox_changes", changes, { partition });
    to.set("millrace_outbox_lag_seconds", lagMs / 1_000, { partition });
  }
}

async function publishStore(to: Publisher, redis: Redis): Promise<void> {
  const info = await readServerInfo(redis).catch((error: unknown) => {
    to.set("millrace_store_up", 0);
    throw error;
  });
  to.set("millrace_store_up", 1);
  to.set("millrace_store_memory_bytes", info.memoryBytes);
  to.set("millrace_store_memory_max_bytes", info.memoryMaxBytes);
  to.set("millrace_store_clients", info.clients);
  to.set("millrace_store_keys", info.keys);
  to.set("millrace_store_commands_total", info.commands);
  to.set("millrace_store_cpu_seconds_total", info.cpuSeconds);
  to.set("millrace_store_received_bytes_total", info.receivedBytes);
  to.set("millrace_store_sent_bytes_total", info.sentBytes);
  to.set("millrace_store_append_file_ok", info.appendFileOk ? 1 : 0);
  to.set("millrace_store_fsyncs_delayed_total", info.fsyncsDelayed);
  to.set("millrace_store_uptime_seconds", info.uptimeSeconds);
}
