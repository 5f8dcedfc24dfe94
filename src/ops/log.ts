/**
 * Logs are JSON lines on stdout, one object a line, or the readable form of the
 * same lines. Secrets never reach them: fields that carry one are blanked by
 * name wherever they stand, and `withoutPassword` cleans addresses.
 */
import { pino, type DestinationStream, type Logger } from "pino";

import { readableLine } from "./log-line.ts";

export type Log = Logger;

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["json", "pretty"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** The role that speaks, for instance `edge`. */
  readonly name: string;
  /** Where lines go instead of stdout. */
  readonly destination?: DestinationStream;
}

const SECRET_FIELDS = ["token", "ticket", "secret", "password", "authorization", "cookie"];
/** Depths at which a field may hide: itself, in an object, in an object of an object. */
const SECRET_PATHS = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);

export function createLog(options: LogOptions): Log {
  const { level, format, name } = options;
  // Synchronous, because the last lines before a crash are the ones that matter.
  const plain = options.destination ?? pino.destination({ dest: 1, sync: true });
  return pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      serializers: { err: describeError },
      redact: { paths: SECRET_PATHS, censor: "[redacted]" },
      formatters: { level: (label) => ({ level: label }) },
    },
    format === "json" ? plain : readable(plain),
  );
}

/** Nothing that a library hung on the error: one of Redis carries the whole command, messages and all. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { type, message, stack } = pino.stdSerializers.err(error);
  return { type, message, stack };
}

function readable(plain: DestinationStream): DestinationStream {
  const color = process.stdout.isTTY;
  return {
    write(line) {
      plain.write(`${readableLine(line, { color, source: true })}\n`);
    },
  };
}

/** An address fit for a log: the password, if it has one, is blanked. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/]*):[^@]*@/i, "$1:***@");
}
