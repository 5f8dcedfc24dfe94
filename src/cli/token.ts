/** Tokens for trying things out: HS256, signed with the secret of this installation. */
import { SignJWT } from "jose";

import { ConfigError, type Config } from "../config.ts";
import { USER_ID } from "../protocol/ids.ts";
import { findAuthSecret } from "./auth-secret.ts";

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const LIFE_SECONDS_MAX = 366 * SECONDS.d;

export interface TokenOptions {
  readonly user: string;
  readonly secret: string;
  readonly audience: string;
  readonly lifeSeconds: number;
}

export async function signToken(options: TokenOptions): Promise<string> {
  const { user, secret, audience, lifeSeconds } = options;
  if (!USER_ID.test(user)) throw new ConfigError("--as: expected a user id of 1 to 64 characters");
  return new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${lifeSeconds} s`)
    .sign(new TextEncoder().encode(secret));
}

/** A token of `user` with the secret that is configured or lies in DATA_DIR. */
export async function tokenFor(config: Config, user: string, life = "24h"): Promise<string> {
  const lifeSeconds = parseLife(life);
  const secret = await findAuthSecret(config);
  if (secret === null) {
    throw new ConfigError(
      `there is no secret to sign with: set AUTH_SECRET, or run npm start once so that ${config.dataDir} holds one`,
    );
  }
  return signToken({ user, secret, audience: config.authAudience, lifeSeconds });
}

/** `90s`, `30m`, `24h` or `7d` in seconds. */
export function parseLife(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const seconds = match ? Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS] : 0;
  if (seconds < 1 || seconds > LIFE_SECONDS_MAX) {
    throw new ConfigError(
      `--for: expected a time like 30m, 24h or 7d of at most 366d, not "${text}"`,
    );
  }
  return seconds;
}
