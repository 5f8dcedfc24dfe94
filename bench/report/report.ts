/** The result of one scenario as two files: JSON with everything, Markdown for people. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Findings, Scenario } from "../scenarios/scenario.ts";
import type { Machine } from "./machine.ts";

export interface Report {
  readonly scenario: Scenario;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly command: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly findings: Findings;
}

/** Returns the path of the Markdown file. */
export async function writeReport(dir: string, report: Report): Promise<string> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, `${report.startedAt.slice(0, 10)}-${report.scenario.name}`);
  const { scenario, findings, ...rest } = report;
  const { cases, faults } = findings;
  const data = { scenario: scenario.name, about: scenario.about, ...rest, faults, cases };
  await writeFile(`${path}.json`, `${JSON.stringify(data, null, 2)}\n`);
  await writeFile(`${path}.md`, markdown(report));
  return `${path}.md`;
}

function markdown({ scenario, startedAt, command, commit, machine, findings }: Report): string {
  const { cpu, cores, memoryGib, kernel, node, redis } = machine;
  const faults = findings.faults.map((fault) => `- ${fault}`).join("\n");
  return `# ${scenario.name}: ${scenario.about}

${markdownTable(findings.table)}

${faults === "" ? "Nothing was lost, doubled or reordered." : `**Not a result**:\n\n${faults}`}

| | |
| --- | --- |
| command | \`${command}\` |
| commit | ${commit} |
| started | ${startedAt} |
| machine | ${cores} cores of ${cpu}, ${memoryGib} GiB, Linux ${kernel} |
| software | Node ${node}, ${redis} with \`appendfsync always\` |

How to read it: bench/README.md. Everything that was measured: the JSON file beside this one.
`;
}

export function markdownTable([head, ...rows]: Findings["table"]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const names = head ?? [];
  return [line(names), line(names.map(() => "---")), ...rows.map(line)].join("\n");
}
