/**
 * An edge in a process of its own, to be killed: argv is the folder of the compiled
 * sources and the edge's options as JSON, with the secret as text. Says `ready`, and
 * ends in good order when its stdin does, so also when whoever started it is gone.
 */
const [, , base, text] = process.argv;
const { startEdge } = await import(new URL("edge/edge.js", base).href);
const { createLog } = await import(new URL("ops/log.js", base).href);
const log = createLog({ level: "silent", format: "json", name: "child" });
const { secret, audience, ...options } = JSON.parse(text);
const auth = { secret: new TextEncoder().encode(secret), audience };
const edge = await startEdge({ ...options, auth, log });
process.stdin.on("end", () => {
  edge.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.stdin.resume();
process.stdout.write(`ready ${edge.address} ${edge.incarnation}\n`);
