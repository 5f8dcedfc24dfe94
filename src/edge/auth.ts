/**
 * Who is there: tokens (JWT, from configured keys only) and single-use tickets
 * bought with one. No claim is looked at before the signature holds.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { now } from "../ops/clock.ts";
import { USER_ID, type UserId } from "../protocol/ids.ts";
import type { Redis } from "../redis/connect.ts";
import type { Keys } from "../streams/keys.ts";

export interface AuthConfig {
  /** HS256 key of at least 32 bytes. */
  readonly secret?: Uint8Array;
  /** File with a JWKS of EdDSA or HS256 keys. */
  readonly jwksFile?: string;
  readonly audience: string;
}
export interface Identity {
  readonly user: UserId;
  /** Milliseconds since 1970, with the tolerance for other clocks. */
  readonly expiresAt: number;
}

export const TICKET_TTL_MS = 20_000;
const TICKET_PREFIX = "ticket:";
/** Clocks of token issuers may be this far off. */
const CLOCK_TOLERANCE_SEC = 5;
const ALGORITHMS = ["EdDSA", "Ed25519", "HS256"];

export class Authenticator {
  readonly #keys: readonly (Uint8Array | JWTVerifyGetKey)[];
  readonly #audience: string;
  readonly #redis: Redis;
  readonly #redisKeys: Keys;

  private constructor(options: {
    keys: readonly (Uint8Array | JWTVerifyGetKey)[];
    audience: string;
    redis: Redis;
    redisKeys: Keys;
  }) {
    this.#keys = options.keys;
    this.#audience = options.audience;
    this.#redis = options.redis;
    this.#redisKeys = options.redisKeys;
  }

  /** Rejects when no key is configured or the key file cannot be read. */
  static async create(config: AuthConfig, redis: Redis, redisKeys: Keys): Promise<Authenticator> {
    const keys: (Uint8Array | JWTVerifyGetKey)[] = [];
    if (config.secret) keys.push(config.secret);
    if (config.jwksFile !== undefined) {
      const jwks = JSON.parse(await readFile(config.jwksFile, "utf8")) as JSONWebKeySet;
      keys.push(createLocalJWKSet(jwks));
    }
    if (keys.length === 0)
      throw new Error("no key to check tokens with: set AUTH_SECRET or AUTH_JWKS_FILE");
    return new Authenticator({ keys, audience: config.audience, redis, redisKeys });
  }

  /** Null for whatever is not a valid token or an unused ticket. Rejects when Redis is away. */
  async identify(credential: string): Promise<Identity | null> {
    return credential.startsWith(TICKET_PREFIX)
      ? this.#redeem(credential)
      : this.verifyToken(credential);
  }

  async verifyToken(token: string): Promise<Identity | null> {
    for (const key of this.#keys) {
      const identity = await this.#verifyWith(key, token);
      if (identity) return identity;
    }
    return null;
  }

  async #verifyWith(key: Uint8Array | JWTVerifyGetKey, token: string): Promise<Identity | null> {
    const options = {
      algorithms: ALGORITHMS,
      audience: this.#audience,
      clockTolerance: CLOCK_TOLERANCE_SEC,
      requiredClaims: ["sub", "exp"],
    };
    try {
      const { payload } = await (typeof key === "function"
        ? jwtVerify(token, key, options)
        : jwtVerify(token, key, options));
      const { sub, exp } = payload;
      // The library's types promise a text, but it lets any JSON value pass.
      if (typeof sub !== "string" || exp === undefined || !USER_ID.test(sub)) return null;
      return { user: sub as UserId, expiresAt: (exp + CLOCK_TOLERANCE_SEC) * 1_000 };
    } catch {
      // Every way in which a token can be wrong gets the same answer.
      return null;
    }
  }

  /** A ticket for one connection; it carries the identity of the token it was bought with. */
  async issueTicket(identity: Identity): Promise<{ ticket: string; expiresInMs: number }> {
    const ticket = `${TICKET_PREFIX}${randomBytes(32).toString("base64url")}`;
    const ttlMs = Math.min(TICKET_TTL_MS, Math.max(1, identity.expiresAt - now()));
    await this.#redis.set(this.#ticketKey(ticket), JSON.stringify(identity), "PX", ttlMs);
    return { ticket, expiresInMs: ttlMs };
  }

  async #redeem(ticket: string): Promise<Identity | null> {
    const stored = await this.#redis.getdel(this.#ticketKey(ticket));
    return stored === null ? null : (JSON.parse(stored) as Identity);
  }

  /** The store knows only the digest: reading it gives no usable ticket. */
  #ticketKey(ticket: string): string {
    return this.#redisKeys.ticket(createHash("sha256").update(ticket).digest("base64url"));
  }
}
