/**
 * A projector in a process of its own, to be killed: argv is the folder of the
 * compiled sources and the projector's options as JSON. Says `ready`, and ends
 * in good order when its stdin does, so also when whoever started it is gone.
 */
const [, , base, options] = process.argv;
const { startProjector } = await import(new URL("projectors/worker.js", base).href);
const { createLog } = await import(new URL("ops/log.js", base).href);
const log = createLog({ level: "silent", format: "json", name: "child" });
const projector = await startProjector({ ...JSON.parse(options), log });
process.stdin.on("end", () => {
  projector.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.stdin.resume();
process.stdout.write(`ready ${projector.worker}\n`);
