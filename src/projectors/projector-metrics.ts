/** What a projector answers to a scrape. */
import type { Log } from "../ops/log.ts";
import { Metrics, publishCounts, type Publisher } from "../ops/metrics.ts";
import { tallyOf, type Pipelining, type Redis } from "../redis/connect.ts";
import type { BlockingReader } from "../redis/streams-reader.ts";
import type { ListKeeper } from "./lists/list-keeper.ts";
import type { PresenceSweep } from "./presence/sweep.ts";
import type { Ownership } from "./runtime/ownership.ts";
import type { Projector } from "./runtime/projector.ts";

export interface ProjectorParts {
  readonly projector: Projector;
  readonly ownership: Ownership;
  readonly sweep: PresenceSweep;
  readonly lists: ListKeeper;
  readonly redis: Pipelining;
  readonly leases: Redis;
  readonly reader: BlockingReader;
  /** The connections of `lists`. */
  readonly outboxes: { readonly redis: Redis; readonly reader: BlockingReader };
  readonly log: Log;
}

export function projectorMetrics(parts: ProjectorParts): Metrics {
  const { redis, leases, reader, outboxes, log } = parts;
  const metrics = new Metrics("projector", (error) => {
    log.debug({ err: error }, "a scrape is partial");
  });
  metrics.add((to) => publishWork(to, parts));
  metrics.add((to) => publishPartitions(to, parts));
  metrics.add((to) => publishLists(to, parts));
  metrics.add((to) => {
    redis.tally.publish(to, "projector");
    tallyOf(leases).publish(to, "leases");
    reader.tally.publish(to, "blocking");
    tallyOf(outboxes.redis).publish(to, "lists");
    outboxes.reader.tally.publish(to, "outboxes");
  });
  return metrics;
}

function publishWork(to: Publisher, { projector, sweep }: ProjectorParts): void {
  const { tally } = projector;
  publishCounts(to, "millrace_projector_presence_changes_total", "to", tally.presence);
  to.set("millrace_projector_edges_swept_total", sweep.ended);
  publishCounts(to, "millrace_projector_entries_total", "type", tally.events);
  to.set("millrace_projector_positions_total", tally.positions);
  const decided = "millrace_projector_decided_total";
  to.set(decided, tally.applied, { outcome: "applied", code: "" });
  to.set(decided, tally.duplicate, { outcome: "duplicate", code: "" });
  for (const [code, count] of Object.entries(tally.rejected)) {
    to.set(decided, count, { outcome: "rejected", code });
  }
  publishCounts(to, "millrace_projector_applies_total", "outcome", tally.applies);
  to.distribution("millrace_projector_apply_seconds", tally.applySeconds);
  to.distribution("millrace_projector_batch_commands", tally.batchCommands);
  to.set("millrace_projector_fold_failures_total", tally.foldFailures);
  to.set("millrace_projector_dead_letters_total", tally.deadLetters);
  to.set("millrace_projector_log_entries_total", tally.logEntries);
  to.set("millrace_ticks_total", tally.ticks);
  to.set("millrace_pace_rest_seconds", tally.restMs / 1_000);
  to.set("millrace_pace_messages_per_second", projector.perSecond);
}

function publishLists(to: Publisher, { lists }: ProjectorParts): void {
  const { claimed, ...outcomes } = lists.tally;
  publishCounts(to, "millrace_projector_list_changes_total", "outcome", outcomes);
  to.set("millrace_projector_list_claims_total", claimed);
}

function publishPartitions(to: Publisher, { ownership }: ProjectorParts): void {
  const states = { owned: 0, halted: 0, draining: 0, careful: 0 };
  for (const partition of ownership.held()) {
    states.owned++;
    if (partition.halted) states.halted++;
    if (partition.draining) states.draining++;
    if (partition.careful) states.careful++;
  }
  publishCounts(to, "millrace_projector_partitions", "state", states);
  to.set("millrace_projector_leases_taken_total", ownership.taken);
  to.set("millrace_projector_leases_lost_total", ownership.lost);
}
