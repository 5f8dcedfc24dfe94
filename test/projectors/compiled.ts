/**
 * The sources as plain JavaScript in a folder of their own: to be run as a
 * process that can be killed, and to be changed on purpose.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");
/** Types are checked elsewhere; here only the code counts. */
const OPTIONS = ["--noCheck", "--incremental", "false", "--tsBuildInfoFile", "null"];

export class Compiled {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async fromSources(): Promise<Compiled> {
    const compiled = new Compiled(mkdtempSync(join(tmpdir(), "millrace-compiled-")));
    const { dir } = compiled;
    const project = ["-p", join(ROOT, "tsconfig.build.json"), "--outDir", dir];
    await promisify(execFile)(process.execPath, [TSC, ...project, ...OPTIONS]);
    const scripts = (path: string): boolean => !path.split(sep).at(-1)?.endsWith(".ts");
    cpSync(join(ROOT, "src"), dir, { recursive: true, filter: scripts });
    writeFileSync(join(dir, "package.json"), JSON.stringify({ type: "module" }));
    symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));
    return compiled;
  }

  /** A copy in which `find`, which must stand there exactly once, is replaced. */
  mutant(file: string, find: string, replacement: string): Compiled {
    const mutant = new Compiled(mkdtempSync(join(tmpdir(), "millrace-mutant-")));
    cpSync(this.dir, mutant.dir, { recursive: true, verbatimSymlinks: true });
    const path = join(mutant.dir, file);
    const parts = readFileSync(path, "utf8").split(find);
    if (parts.length !== 2) throw new Error(`${file} holds "${find}" ${parts.length - 1} times`);
    writeFileSync(path, parts.join(replacement));
    return mutant;
  }

  /** A module by its path from src, for instance `ingest/ingest.js`. */
  async load<T>(module: string): Promise<T> {
    return (await import(/* @vite-ignore */ pathToFileURL(join(this.dir, module)).href)) as T;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
