/** Turns the JSON lines of our logs into lines for people. */

export interface ReadableOptions {
  readonly color: boolean;
  /** Whether to say which role spoke; a supervisor that prefixes lines says it itself. */
  readonly source: boolean;
}

const PAINT = { dim: 2, red: 31, yellow: 33, cyan: 36 } as const;
const LEVEL_PAINT: Readonly<Record<string, keyof typeof PAINT>> = {
  trace: "dim",
  debug: "dim",
  info: "cyan",
  warn: "yellow",
  error: "red",
  fatal: "red",
};
/** Fields that have a place of their own in the line, or none. */
const PLACED = new Set(["level", "time", "pid", "hostname", "name", "msg", "err"]);

/** One line (an error adds its stack below); anything that is not one of our records comes back unchanged. */
export function readableLine(line: string, options: ReadableOptions): string {
  const text = line.trimEnd();
  const record = parseRecord(text);
  if (!record) return text;
  const paint = (name: keyof typeof PAINT, part: string): string =>
    options.color ? `\u001B[${PAINT[name]}m${part}\u001B[0m` : part;
  const level = String(record["level"]);
  const parts = [
    paint("dim", clockTime(Number(record["time"]))),
    paint(LEVEL_PAINT[level] ?? "dim", level.padEnd(5)),
  ];
  if (options.source && "name" in record) parts.push(`${brief(record["name"])}:`);
  if ("msg" in record) parts.push(message(record["msg"]));
  const fields = Object.entries(record).filter(([name]) => !PLACED.has(name));
  if (fields.length > 0) {
    parts.push(paint("dim", fields.map(([name, value]) => `${name}=${brief(value)}`).join(" ")));
  }
  return parts.join(" ") + stackOf(record["err"]);
}

function parseRecord(text: string): Record<string, unknown> | null {
  if (!text.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) && "level" in value && "time" in value ? value : null;
  } catch {
    // Output of a process that is not ours, or a line cut by a crash.
    return null;
  }
}

function clockTime(ms: number): string {
  const at = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, "0");
  const rest = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${rest}`;
}

/** Quoted unless it is a plain word: what users sent must not steer a terminal. */
function brief(value: unknown): string {
  return typeof value === "string" && PLAIN.test(value) ? value : JSON.stringify(value);
}
const PLAIN = /^[^\s"\p{C}]+$/u;

function message(value: unknown): string {
  return typeof value === "string" ? value.replaceAll(/\p{Cc}/gu, " ") : brief(value);
}

function stackOf(error: unknown): string {
  if (!isRecord(error)) return "";
  const text = error["stack"] ?? error["message"];
  return typeof text === "string" ? `\n  ${text.replaceAll("\n", "\n  ")}` : "";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
