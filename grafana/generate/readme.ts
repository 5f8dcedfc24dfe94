/** grafana/README.md, of which most is one line per panel. */
import { panelTables } from "./all.ts";

export function readme(): string {
  return `# Watching Millrace

\`\`\`sh
npm start          # writes where its roles answer scrapes to DATA_DIR
npm run observe    # a Prometheus over them, with the alerts; installs nothing, starts no service
\`\`\`

Every role answers \`/metrics\` on a port of its own (METRICS_PORT, on 127.0.0.1).
\`src/ops/metric-table.ts\` describes every metric; no label names a user or a room.

| what | where |
| --- | --- |
| dashboards, to import or provision | \`dashboards/*.json\`, made from \`generate/*.ts\` |
| alerts for Prometheus | \`alerts/*.yaml\`, tested by \`alerts/tests/*.yaml\` |
| provisioning files for Grafana | \`provisioning/\` |
| Redis, roles, Prometheus and Grafana in containers | \`../deploy/\` |

After a change in \`generate/\` run \`npx vitest run test/grafana/dashboards.test.ts -u\`; the
dashboards and this file are written anew, and a test fails while they are not. Scrapers give
each target the labels \`role\` (\`edge\` or \`projector\`) and \`instance\`, under the job \`millrace\`.

## Panels

A panel is red where its line or figure is. "Never" are figures that explain others.

${panelTables()}
`;
}
