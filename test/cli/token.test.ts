import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { jwtVerify } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ensureAuthSecret, findAuthSecret } from "../../src/cli/auth-secret.ts";
import { parseLife, tokenFor } from "../../src/cli/token.ts";
import { readConfig, type Config } from "../../src/config.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-test-"));
});
afterEach(() => rm(dir, { recursive: true }));
const configOf = (environment: Record<string, string> = {}): Config =>
  readConfig("token", {}, { DATA_DIR: join(dir, "data"), ...environment });

describe("the secret of an installation", () => {
  it("[OP8] is made once and only its user can read it", async () => {
    const config = configOf();
    expect(await findAuthSecret(config)).toBeNull();
    const secret = await ensureAuthSecret(config);
    expect(Buffer.byteLength(secret)).toBeGreaterThanOrEqual(32);
    expect(await ensureAuthSecret(config)).toBe(secret);
    const { mode } = await stat(join(dir, "data", "auth-secret"));
    expect(mode & 0o777).toBe(0o600);
  });

  it("[OP8] is not made when one is configured", async () => {
    const config = configOf({ AUTH_SECRET: "c".repeat(40) });
    expect(await ensureAuthSecret(config)).toBe("c".repeat(40));
    await expect(stat(join(dir, "data"))).rejects.toThrow("ENOENT");
  });
});

describe("a token", () => {
  it("[OP8] names its user and audience, ends in time and is signed with the secret", async () => {
    const config = configOf();
    const key = new TextEncoder().encode(await ensureAuthSecret(config));
    const token = await tokenFor(config, "Ånn β", "2h");
    const { payload } = await jwtVerify(token, key, {
      audience: "millrace",
      algorithms: ["HS256"],
    });
    expect(payload.sub).toBe("Ånn β");
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(7_200);
  });

  it("[OP5] is refused without a secret, for a bad user and for a bad time", async () => {
    await expect(tokenFor(configOf(), "ann")).rejects.toThrow("AUTH_SECRET");
    const config = configOf({ AUTH_SECRET: "c".repeat(40) });
    await expect(tokenFor(config, "")).rejects.toThrow("--as");
    await expect(tokenFor(config, "a\nb")).rejects.toThrow("--as");
    for (const time of ["", "0s", "24", "-1h", "1.5h", "367d", "1w"]) {
      expect(() => parseLife(time)).toThrow("--for");
    }
    expect(parseLife("366d")).toBe(366 * 86_400);
  });
});
