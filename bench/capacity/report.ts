/** Answers as text for a terminal; `--json` has the same and more. */
import { medianError, type Checked } from "./check.ts";
import type { Answer, Count } from "./model.ts";
import type { OneMachine } from "./one-machine.ts";
import type { Question } from "./question.ts";
import type { UnitCosts } from "./unit-costs.ts";

type Row = readonly string[];

export function answerText(
  costs: UnitCosts,
  question: Question,
  found: Answer,
  machine: OneMachine,
): string {
  return [
    `${rounded(question.users)} users, ${percent(question.online)} of them online at the peak, ${question.msgsPerUserDay} messages each a day, to ${question.receivers} sockets each; at most ${percent(question.target)} of anything in use`,
    section("Load at the peak", loadRows(found)),
    section("Processes", processRows(question, found)),
    section("What saturates first", [
      ["of each process", "in use", "headroom", ""],
      ...found.resources.map(resourceRow),
    ]),
    section("Storage", storageRows(question, found)),
    section("Walls", wallRows(costs, question, found, machine)),
    section(
      "Unit costs, and where each is from",
      costs.sources.map(({ cost, value, from }) => [cost, value, from]),
    ),
  ].join("\n\n");
}

function loadRows({ demand }: Answer): Row[] {
  return [
    [
      "messages",
      `${rounded(demand.messagesPerSec)}/s`,
      `mean ${rounded(demand.meanMessagesPerSec)}/s`,
    ],
    ["deliveries", `${rounded(demand.deliveriesPerSec)}/s`, ""],
    ["sockets", rounded(demand.sockets), ""],
    ["rooms", rounded(demand.rooms), ""],
  ];
}

function processRows(question: Question, found: Answer): Row[] {
  const several = found.masters.kind === "enough" && found.masters.count > 1;
  const { outBytesPerSec, inBytesPerSec } = found.edgeNetwork;
  const network = `each ${mbit(outBytesPerSec)} out, ${mbit(inBytesPerSec)} in`;
  return [
    ["edges", ...counted(found.edges, network)],
    ["projector workers", ...counted(found.projectors, "")],
    ["partitions", found.partitions === null ? "–" : String(found.partitions), "at least"],
    [
      "Redis masters",
      ...counted(found.masters, several ? "needs Redis Cluster, which is not measured" : ""),
    ],
    [
      "Redis servers",
      ...counted(
        found.redisServers,
        `with ${question.replicas} replicas of each; their cost is not measured`,
      ),
    ],
  ];
}

function counted(count: Count, note: string): [string, string] {
  return count.kind === "enough" ? [String(count.count), note] : ["never", count.because];
}

function resourceRow({ name, inUse, headroom, told }: Answer["resources"][number]): Row {
  const times = Number.isFinite(headroom) ? `× ${headroom.toPrecision(2)}` : "–";
  return [name, percent(inUse), times, told];
}

function storageRows(question: Question, found: Answer): Row[] {
  return [
    [
      "Redis, all masters",
      bytesTold(found.redisBytes),
      `${question.hotDays} days of log and histories`,
    ],
    [
      "archive",
      bytesTold(found.archiveBytes),
      `not measured: ${question.archiveDays} days × ${found.bytes.entry} B an entry, uncompressed`,
    ],
  ];
}

function wallRows(costs: UnitCosts, question: Question, found: Answer, machine: OneMachine): Row[] {
  const { hear } = costs;
  const beyond = found.hearingWall > hear.to ? `, measured to ${rounded(hear.to)}/s` : "";
  return [
    [
      "a deployment",
      `${rounded(found.hearingWall)} msg/s`,
      `then hearing of all messages fills ${percent(question.target)} of an edge, and more edges do not help${beyond}`,
    ],
    [
      "one such machine",
      `${rounded(machine.messagesPerSec)} msg/s`,
      `${rounded(machine.deliveriesPerSec)} deliveries/s on ${machine.cores} cores with all roles; then ${machine.by} are in use`,
    ],
  ];
}

export function checkText(checked: readonly Checked[]): string {
  const head = [
    "msg/s",
    "case",
    "measured µs",
    "model µs",
    "error",
    "redis",
    "edges",
    "projectors",
  ];
  const rows = checked.map(({ label, messagesPerSec, within, file, parts }) => {
    const all = parts[0];
    const scenario = file.replace(/^[\d-]*/, "").replace(/\.json$/, "");
    const where = within ? "" : " (beyond the fitted rates)";
    return [
      String(messagesPerSec),
      `${scenario}${label === "" ? ", left out" : `, ${label}`}${where}`,
      all?.measured.toFixed(1) ?? "",
      all?.predicted.toFixed(1) ?? "",
      ...parts.map(({ error }) => signed(error)),
    ];
  });
  // Errors of roles cancel in the sum, so the worst of them is said as well.
  const worst = Math.max(
    ...checked.flatMap(({ parts }) => parts.map(({ error }) => Math.abs(error))),
  );
  const told = `By the sum of all roles half of the cases are closer than ${percent(medianError(checked))}; the worst role is off by ${percent(worst)}.`;
  return `${table([head, ...rows])}\n\n${told}`;
}

function section(title: string, rows: readonly Row[]): string {
  return `${title}\n${table(rows)}`;
}

/** Columns as wide as they have to be; the last one is not padded. */
function table(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd())
    .join("\n");
}

function signed(share: number): string {
  return `${share > 0 ? "+" : ""}${(share * 100).toFixed(0)} %`;
}
function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
/** Two or three digits are all that such a model knows. */
function rounded(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}
function mbit(perSec: number): string {
  return `${rounded((perSec * 8) / 1e6)} Mbit/s`;
}
function bytesTold(bytes: number): string {
  return bytes >= 2 ** 40 ? `${rounded(bytes / 2 ** 40)} TiB` : `${rounded(bytes / 2 ** 30)} GiB`;
}
