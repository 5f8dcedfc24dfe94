/** What `npm start` prints when everything runs: where it is and what to try next. */
import { parseAddress } from "../client/address.ts";
import { SUBPROTOCOL, PROTOCOL_VERSION } from "../protocol/version.ts";

export interface WelcomeOptions {
  /** `http://host:port` of every edge. */
  readonly addresses: readonly string[];
  /** Whether the demo rooms are there and tokens can be signed. */
  readonly demo: boolean;
  readonly startedMs: number;
}

export function welcome({ addresses, demo, startedMs }: WelcomeOptions): string {
  const edges = addresses.map(parseAddress);
  const [first] = edges;
  const lines = [
    `  millrace runs, ${(startedMs / 1_000).toFixed(1)} s after its start`,
    "",
    ...edges.map(({ httpUrl, socketUrl }) => `  ${httpUrl}   ${socketUrl}`),
  ];
  if (!demo || !first) return lines.join("\n");
  const hello = {
    type: "hello",
    version: PROTOCOL_VERSION,
    token: "TOKEN",
    device: "wscat",
    agent: "wscat",
  };
  return [
    ...lines,
    "",
    "  Chat in two further terminals:",
    "    npm run chat -- --as ann --room general",
    "    npm run chat -- --as bob --room general",
    "",
    "  Tokens:           node bin/millrace.mjs token --as ann",
    `  Health:           curl ${first.httpUrl}/health`,
    "  What goes on:     node bin/millrace.mjs status",
    "  Graphs, alarms:   npm run observe",
    `  By hand, in JSON: npx wscat -s ${SUBPROTOCOL.json} -c ${first.socketUrl}`,
    `    first frame:    ${JSON.stringify(hello)}`,
    "",
    "  Frames: docs/client-protocol.md   Settings: README.md   Stop: Ctrl-C",
  ].join("\n");
}
