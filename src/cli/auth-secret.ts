/** The HS256 secret that tokens are signed with when an operator has configured none. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Config } from "../config.ts";

const SECRET_BYTES = 32;

const pathIn = (dataDir: string): string => join(dataDir, "auth-secret");

/** AUTH_SECRET, else the secret that `start` left in DATA_DIR, else null. */
export async function findAuthSecret(config: Config): Promise<string | null> {
  if (config.authSecret !== null) return config.authSecret;
  try {
    return (await readFile(pathIn(config.dataDir), "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** The same, and makes one on the first call; only this user can read it. */
export async function ensureAuthSecret(config: Config): Promise<string> {
  const found = await findAuthSecret(config);
  if (found !== null) return found;
  await mkdir(config.dataDir, { recursive: true });
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  // `wx`: whoever comes second must not replace a secret that is in use.
  await writeFile(pathIn(config.dataDir), `${secret}\n`, { mode: 0o600, flag: "wx" });
  return secret;
}
