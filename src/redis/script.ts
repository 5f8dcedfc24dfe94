/**
 * One Lua file, one typed function. The order of KEYS and ARGV is stated in the
 * file's own header and checked against the binding at start, so that the two
 * cannot be swapped in silence; so is the library whose functions it calls.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pipeline, type Pipelining, type Redis, type RedisArg } from "./connect.ts";
import { isRefusal } from "./replies.ts";

const SHEBANG = "#!lua\n";

/** Lua that several scripts share: its functions stand before theirs. */
export interface ScriptLibrary {
  readonly file: URL;
  /** Numbers that its functions use, by the names on its `--@ constants` line. */
  readonly constants: Readonly<Record<string, number>>;
}

export interface ScriptDefinition<Reply> {
  /** The `.lua` file beside the binding. */
  readonly file: URL;
  /** The file's name is on the `--@ library` line; without one there is none. */
  readonly library?: ScriptLibrary;
  /** Names on the `--@ keys` line; a last `...name` takes any number of further keys. */
  readonly keys: readonly string[];
  /** Names on the `--@ args` line, likewise. */
  readonly args: readonly string[];
  /** From what Redis returned to a union; throws on a shape that is not known. */
  readonly decode: (reply: unknown) => Reply;
}

/** A script with its keys and arguments in order, ready for a pipeline. */
export interface ScriptCall<Reply> {
  readonly script: Script<Reply>;
  readonly keys: readonly string[];
  readonly args: readonly RedisArg[];
}

export class Script<Reply> {
  readonly #source: string;
  readonly #sha: string;
  readonly #definition: ScriptDefinition<Reply>;

  constructor(definition: ScriptDefinition<Reply>) {
    this.#definition = definition;
    this.#source = readSource(definition);
    this.#sha = createHash("sha1").update(this.#source).digest("hex");
  }

  call(keys: readonly string[], args: readonly RedisArg[]): ScriptCall<Reply> {
    checkCount(this.#definition.keys, keys.length, "keys");
    checkCount(this.#definition.args, args.length, "arguments");
    return { script: this, keys, args };
  }

  async run(redis: Redis, keys: readonly string[], args: readonly RedisArg[]): Promise<Reply> {
    const [reply] = await runScripts(redis, [this.call(keys, args)]);
    if (reply instanceof Error) throw reply;
    return reply as Reply;
  }

  /** EVALSHA for a pipeline, or EVAL where the server does not know the script yet. */
  command(call: ScriptCall<Reply>, known: boolean): readonly RedisArg[] {
    const head = known ? ["EVALSHA", this.#sha] : ["EVAL", this.#source];
    return [...head, call.keys.length, ...call.keys, ...call.args];
  }

  decode(reply: unknown): Reply {
    return this.#definition.decode(reply);
  }
}

/** Runs scripts in one round trip; a call that Redis refused is an Error in its place. */
export async function runScripts<Reply>(
  redis: Redis | Pipelining,
  calls: readonly ScriptCall<Reply>[],
): Promise<(Reply | Error)[]> {
  if (calls.length === 0) return [];
  const replies = await pipeline(
    redis,
    calls.map((call) => call.script.command(call, true)),
  );
  return finishScripts(redis, calls, replies);
}

/**
 * Decodes the raw `replies` of calls that went out in a pipeline. A server that
 * has lost a script (restart, failover) gets it again: the refused calls ran
 * nothing, so sending just those once more is safe.
 */
export async function finishScripts<Reply>(
  redis: Redis | Pipelining,
  calls: readonly ScriptCall<Reply>[],
  replies: readonly unknown[],
): Promise<(Reply | Error)[]> {
  const complete = [...replies];
  const lost = calls.flatMap((call, i) => (isNoScript(replies[i]) ? [{ call, i }] : []));
  if (lost.length > 0) {
    const again = await pipeline(
      redis,
      lost.map(({ call }) => call.script.command(call, false)),
    );
    lost.forEach(({ i }, n) => {
      complete[i] = again[n];
    });
  }
  return calls.map((call, i) => {
    const reply = complete[i];
    return reply instanceof Error ? reply : call.script.decode(reply);
  });
}

export function isNoScript(reply: unknown): boolean {
  return isRefusal(reply) && reply.message.startsWith("NOSCRIPT");
}

function readSource({ file, library, keys, args }: ScriptDefinition<unknown>): string {
  const stated = { library: library && [nameOf(library.file)], keys, args };
  const own = readChecked(file, stated);
  if (!library) return SHEBANG + own;
  const { constants } = library;
  const shared = readChecked(library.file, { constants: Object.keys(constants) });
  const given = Object.entries(constants).map(([name, value]) => `local ${name} = ${value}\n`);
  return [SHEBANG, ...given, shared, own].join("");
}

/** A file without its first line; throws unless its header states just these names. */
function readChecked(
  file: URL,
  stated: Readonly<Record<string, readonly string[] | undefined>>,
): string {
  const source = readFileSync(file, "utf8");
  if (!source.startsWith(SHEBANG)) throw new Error(`${nameOf(file)} must begin with #!lua`);
  for (const [label, names] of Object.entries(stated)) {
    const line = new RegExp(`^--@ ${label}(.*)$`, "m").exec(source)?.[1]?.trim();
    if (line !== names?.join(" ")) {
      throw new Error(
        `${nameOf(file)} states ${label} "${line}" but its binding "${names?.join(" ")}"`,
      );
    }
  }
  return source.slice(SHEBANG.length);
}

function nameOf(file: URL): string {
  return file.pathname.split("/").at(-1) as string;
}

function checkCount(names: readonly string[], count: number, what: string): void {
  const open = names.at(-1)?.startsWith("...") ?? false;
  const least = open ? names.length - 1 : names.length;
  if (count < least || (!open && count > least)) {
    throw new Error(`a script got ${count} ${what} for ${names.join(" ")}`);
  }
}
