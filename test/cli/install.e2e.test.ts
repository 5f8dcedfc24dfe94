/** A machine without Redis, imitated by a PATH that holds nothing but what a test puts there. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-test-"));
  await program("sudo", `[ "$1" = -n ] && shift; exec "$@"`);
});
afterEach(() => rm(dir, { recursive: true }));

/** A shell script on the PATH that writes down how it was called. */
async function program(name: string, script: string): Promise<void> {
  const note = `echo "${name} $*" >> "${dir}/calls"`;
  await writeFile(join(dir, name), `#!/bin/sh\n${note}\n${script}\n`, { mode: 0o755 });
}
const INSTALLS = (dir: string): string =>
  `case "$1" in install|add) printf '#!/bin/sh\\n' > "${dir}/redis-server"; /bin/chmod +x "${dir}/redis-server";; esac`;

function findRedis(): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const env = { PATH: dir };
    execFile(process.execPath, ["bin/redis.mjs"], { env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}
async function calls(): Promise<string> {
  return readFile(join(dir, "calls"), "utf8");
}

describe("a machine without Redis", () => {
  it("[OP12] gets it from the package manager when nobody can be asked", async () => {
    await program("apt-get", INSTALLS(dir));
    expect(await findRedis()).toMatchObject({ code: 0, out: "redis-server\n" });
    expect(await calls()).toMatch(/apt-get update\n[^]*apt-get install -y .*redis-server\n/);
  });

  it("[OP12] is left alone when there is a Valkey", async () => {
    await program("valkey-server", "");
    await program("apt-get", INSTALLS(dir));
    expect(await findRedis()).toMatchObject({ code: 0, out: "valkey-server\n" });
    expect(await calls()).not.toMatch(/install/);
  });

  it("[OP12] is told exactly what to type when the installation fails", async () => {
    await program("apk", `[ "$1" = --version ] || { echo no network >&2; exit 4; }`);
    const { code, err } = await findRedis();
    expect(code).toBe(1);
    expect(err).toMatch(/no network[^]*type this[^]*apk add redis/);
  });

  it("[OP12] is told what is needed when no package manager is known", async () => {
    const { code, err } = await findRedis();
    expect(code).toBe(1);
    expect(err).toMatch(/install Redis 7 or Valkey, or set REDIS_URL/);
  });
});
