/** A replay in words. The last line is the one that counts. */
import type { Audience } from "./audience.ts";
import type { Corpus } from "./corpus.ts";
import { isEqual } from "./compare.ts";
import type { Cluster } from "./cluster.ts";
import type { Devices } from "./devices.ts";
import type { LogFile } from "./log-file.ts";
import type { Player } from "./player.ts";
import type { Reader } from "./reader.ts";
import { READERS, type Verdict } from "./verify.ts";
import type { Tally } from "./tally.ts";
import { PEOPLE_CHECKS, type PeopleVerdict } from "./verify-people.ts";

const LABEL_COLUMNS = 16;
const SHOWN_DIFFERENCES = 12;
const SHOWN_LINES = 5;
const SHOWN_WARNINGS = 12;

export function corpusLines({ synthetic, logs, plans }: Corpus): string[] {
  const total = (type: keyof (typeof plans)[number]["counts"]): number =>
    plans.reduce((sum, { counts }) => sum + counts[type], 0);
  const notices = logs.reduce((sum, log) => sum + log.notices, 0);
  const kinds = [
    `${grouped(total("message"))} messages`,
    `${grouped(total("action"))} actions`,
    `${grouped(total("join"))} joins`,
    `${grouped(total("leave"))} leaves`,
    `${grouped(total("rename"))} renames`,
    `${grouped(notices)} notices`,
  ];
  return [
    ...(synthetic === null ? [] : [synthetic]),
    row("corpus", `${plans.length} ${plans.length === 1 ? "log" : "logs"}: ${kinds.join(", ")}`),
    ...logs.filter(({ unreadable }) => unreadable.length > 0).map(unreadableLine),
  ];
}

function unreadableLine({ name, unreadable }: LogFile): string {
  const byReason = new Map<string, number[]>();
  for (const { reason, line } of unreadable) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), line]);
  }
  const reasons = [...byReason].map(([reason, lines]) => {
    const more = lines.length > SHOWN_LINES ? ", …" : "";
    return `${grouped(lines.length)} ${reason} (${lines.slice(0, SHOWN_LINES).join(", ")}${more})`;
  });
  return row("", `unreadable lines in ${name}: ${reasons.join("; ")}`);
}

export interface Outcome {
  readonly corpus: Corpus;
  readonly player: Pick<Player, "outcomeMs" | "latestMs" | "failures">;
  readonly playedMs: number;
  readonly speed: number | null;
  readonly devices: Pick<Devices, "size" | "attending" | "hungUp">;
  readonly audience: Pick<Audience, "share" | "seed">;
  readonly readers: readonly Pick<Reader, "reads" | "wentBack" | "failures">[];
  readonly observers: number;
  readonly reconnects: number;
  readonly tally: Tally;
  /** From sending to the arrival at observers. */
  readonly observedMs: readonly number[];
  /** Null where the engine is not ours. */
  readonly cluster: Pick<Cluster, "kills" | "words"> | null;
  /** Whether edges and projectors were to be killed. */
  readonly kill: boolean;
  readonly verdict: Verdict;
  readonly people: PeopleVerdict;
}

export function reportLines(outcome: Outcome): string[] {
  const { player, playedMs, speed, tally, verdict } = outcome;
  const sent = player.outcomeMs.length;
  const rate = Math.round((sent * 1_000) / Math.max(1, playedMs));
  const pace = speed === null ? "max" : `${speed}, at most ${seconds(player.latestMs)} late`;
  const { devices, observers, readers } = outcome;
  return [
    row(
      "played",
      `${grouped(sent)} messages in ${seconds(playedMs)}, ${grouped(rate)} msg/s (speed ${pace})`,
    ),
    row(
      "sockets",
      `${grouped(devices.size)} devices, ${observers} observers, ${readers.length} readers, ${grouped(tally.openMost)} open at most`,
    ),
    row("send → outcome", percentiles(player.outcomeMs)),
    row("send → observer", percentiles(outcome.observedMs)),
    row("reconnects", `${grouped(outcome.reconnects)}; ${grouped(tally.opened)} sockets in all`),
    row("closed with", counts(tally.closes)),
    row("resumes", counts(tally.resumes)),
    row("put off", counts(tally.deferred)),
    ...killLines(outcome),
    ...READERS.map((reader) => {
      const { rooms, entries } = verdict.equal[reader];
      const of = outcome.corpus.plans.length;
      return row(
        "read back",
        `${reader}: ${rooms} of ${of} rooms equal, ${grouped(entries)} entries`,
      );
    }),
    ...peopleLines(outcome),
    ...faultLines(outcome),
    closingLine(verdict),
  ];
}

function peopleLines({ devices, audience, readers, people, corpus }: Outcome): string[] {
  const share = `${Math.round(audience.share * 100)} % by seed ${audience.seed}`;
  const total = (of: (reader: Outcome["readers"][number]) => number): string =>
    grouped(readers.reduce((sum, reader) => sum + of(reader), 0));
  return [
    row(
      "attended",
      `${grouped(devices.attending)} devices (${share}), ${grouped(devices.hungUp)} hung up at the end`,
    ),
    row(
      "read along",
      `${total(({ reads }) => reads)} positions, ${total(({ wentBack }) => wentBack)} times back`,
    ),
    ...PEOPLE_CHECKS.map((check) => {
      const { rooms, values } = people.checks[check];
      const of = corpus.plans.length;
      return row("recounted", `${check}: ${rooms} of ${of} rooms equal, ${grouped(values)} values`);
    }),
  ];
}

function killLines({ cluster, kill }: Outcome): string[] {
  if (cluster === null) return [];
  const lines: string[] = [];
  const { total, inFlight, byName } = cluster.kills;
  if (kill) {
    const each = byName.map(([name, kills]) => `${name} ${kills}`).join(", ");
    lines.push(row("killed", `${total} times (${each}), ${inFlight} with messages in flight`));
  }
  const warnings = cluster.words.warnings.slice(0, SHOWN_WARNINGS);
  return [...lines, ...warnings.map(([text, times]) => row("warned", `${times} × ${text}`))];
}

function faultLines(outcome: Outcome): string[] {
  const { count, first } = outcome.player.failures;
  const failures = first.map((text) => row("FAILED", text));
  if (count > first.length) failures.push(row("FAILED", `and ${count - first.length} more`));
  const troubles = outcome.cluster?.words.troubles ?? [];
  const vacuous = isVacuous(outcome)
    ? [row("VACUOUS", "nobody was killed while messages were in flight: this proves nothing")]
    : [];
  const { people, readers, verdict } = outcome;
  const { first: differences, misnumbered } = verdict.worst;
  return [
    ...failures,
    ...readers.flatMap((reader) => reader.failures.map((text) => row("FAILED", text))),
    ...troubles.map((text) => row("TROUBLE", text)),
    ...differences.slice(0, SHOWN_DIFFERENCES).map((text) => row("DIFFERS", text)),
    ...people.first.map((text) => row("DIFFERS", text)),
    ...(misnumbered > 0
      ? [row("DIFFERS", `${misnumbered} entries have a seq that is not their place`)]
      : []),
    ...vacuous,
  ];
}

function closingLine({ worst }: Verdict): string {
  const { lost, doubled, reordered, unexpected } = worst;
  const more = unexpected > 0 ? ` unexpected ${unexpected}` : "";
  return `lost ${lost} doubled ${doubled} reordered ${reordered}${more}`;
}

/** True when the replay has shown what it is for. */
export function isPass(outcome: Outcome): boolean {
  const { player, readers, verdict, people, cluster } = outcome;
  const failed = readers.reduce(
    (sum, { failures }) => sum + failures.length,
    player.failures.count,
  );
  const calm = failed === 0 && (cluster?.words.troubles.length ?? 0) === 0;
  return calm && isEqual(verdict.worst) && people.wrong === 0 && !isVacuous(outcome);
}

function isVacuous({ kill, cluster }: Outcome): boolean {
  return kill && (cluster?.kills.inFlight ?? 0) === 0;
}

function percentiles(values: readonly number[]): string {
  if (values.length === 0) return "nothing was measured";
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): string => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return `${value.toFixed(1)} ms`;
  };
  const most = (sorted.at(-1) ?? 0).toFixed(0);
  return `p50 ${at(0.5)}  p99 ${at(0.99)}  p99.9 ${at(0.999)}  max ${most} ms`;
}

function counts(of: ReadonlyMap<string, number>): string {
  if (of.size === 0) return "none";
  return [...of].map(([what, times]) => `${what} ${grouped(times)}`).join(", ");
}

export function row(label: string, text: string): string {
  return label.padEnd(LABEL_COLUMNS) + text;
}
const grouped = (value: number): string => value.toLocaleString("en");
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
