/**
 * Entry of every process: reads the command line, starts one role and ends it.
 * The only place that handles signals and stray errors.
 *
 * Exit codes: 0 done, 1 failed, 2 refused because of what was asked for; a
 * supervisor restarts after 1 and gives up after 2.
 */
import { once } from "node:events";

import { CommanderError } from "commander";

import { buildProgram, type Actions } from "./cli/program.ts";
import type { Running } from "./cli/roles.ts";

const REFUSED = 2;
/** Errors whose message says all that a person needs. */
const REFUSALS = new Set([
  "ConfigError",
  "DeploymentMismatchError",
  "LaunchRefused",
  "UnfitRedisError",
]);

const actions: Actions = {
  async start(config) {
    const { startEngine } = await import("./cli/start.ts");
    await untilStopped((stopping) => startEngine(config, stopping));
  },
  async edge(config) {
    const { runEdge } = await import("./cli/roles.ts");
    await untilStopped(() => runEdge(config));
  },
  async projector(config) {
    const { runProjector } = await import("./cli/roles.ts");
    await untilStopped(() => runProjector(config));
  },
  async token(config, options) {
    const { tokenFor } = await import("./cli/token.ts");
    say(await tokenFor(config, String(options["as"]), String(options["for"])));
  },
  async status(config) {
    const { status } = await import("./cli/status.ts");
    say(await status(config));
  },
  async chat(config, options) {
    const { chatFrom } = await import("./cli/chat-command.ts");
    await chatFrom(config, options);
  },
  async observe(config) {
    const { observe } = await import("./cli/observe.ts");
    const stopping = stopSignal(() => process.exit(1));
    process.exit(await observe(config, stopping, say));
  },
  async replay(config, options, files) {
    const { replay } = await import("./cli/replay.ts");
    const stopping = stopSignal(() => process.exit(1));
    process.exit(await replay({ config, options, files, stopping }));
  },
};

/** Runs a role until a signal or the end of the process that started it. */
async function untilStopped(start: (stopping: AbortSignal) => Promise<Running>): Promise<void> {
  let running: Running | null = null;
  const stopping = stopSignal(() => {
    if (running?.hurry) running.hurry();
    else process.exit(1);
  });
  try {
    running = await start(stopping);
    const { address, metricsTarget = null } = running;
    if (process.connected) process.send?.({ ready: true, address, metricsTarget });
    if (!stopping.aborted) await once(stopping, "abort");
    await running.stop();
  } catch (error) {
    // What a start says that was called off is of no interest.
    if (!stopping.aborted || running !== null) throw error;
  }
  process.exit(0);
}

/** Raised when somebody wants an end; who asks a second time is in a hurry. */
function stopSignal(hurry: () => void): AbortSignal {
  const stopping = new AbortController();
  const ask = (): void => (stopping.signal.aborted ? hurry() : stopping.abort());
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, ask);
  // A supervisor that was killed must not leave its roles behind.
  if (process.connected) process.once("disconnect", () => stopping.abort());
  return stopping.signal;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(error: unknown): never {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : REFUSED);
  if (error instanceof Error && REFUSALS.has(error.name)) {
    process.stderr.write(`millrace: ${error.message.replaceAll("\n", "\n          ")}\n`);
    process.exit(REFUSED);
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`millrace: ${text}\n`);
  process.exit(1);
}

// A state that nobody foresaw is not to be trusted; whoever supervises starts it anew.
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

try {
  await buildProgram(actions).parseAsync();
} catch (error) {
  fail(error);
}
