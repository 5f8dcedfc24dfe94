/**
 * A projector in a process of its own, to be killed: argv is the module that
 * starts it and its options as JSON. Says `ready`, and ends in good order on
 * SIGTERM.
 */
const [, , module, options] = process.argv;
const base = new URL(module);
const { startProjector } = await import(new URL("projectors/worker.js", base).href);
const { createLog } = await import(new URL("ops/log.js", base).href);
const log = createLog({ level: "warn", format: "json", name: "child" });
const projector = await startProjector({ ...JSON.parse(options), log });
process.on("SIGTERM", () => {
  projector.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.stdout.write(`ready ${projector.worker}\n`);
