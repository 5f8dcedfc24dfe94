/** Who is let in: every way in which a token can be wrong, and keys of each kind. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Authenticator } from "../../src/edge/auth.ts";
import type { RunningEdge } from "../../src/edge/edge.ts";
import { AUDIENCE, engineOfFile, SECRET, token, type Engine } from "./engine.ts";

const start = engineOfFile();
const secret = new TextEncoder().encode(SECRET);
const nowSec = Math.floor(Date.now() / 1000);
const CLAIMS = { sub: "ann", aud: AUDIENCE, exp: nowSec + 600 };
let engine: Engine;
let edge: RunningEdge;
let dir: string;
let pair: { publicKey: CryptoKey; privateKey: CryptoKey };

beforeAll(async () => {
  engine = await start({ projector: false });
  edge = await engine.edge();
  dir = await mkdtemp(join(tmpdir(), "millrace-test-"));
  pair = await generateKeyPair("EdDSA", { extractable: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function signed(
  claims: JWTPayload,
  { alg = "HS256", key = secret as Uint8Array | CryptoKey } = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, kid: "one" }).sign(key);
}
function unsigned(header: object, claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.`;
}
async function jwksFile(...keys: object[]): Promise<string> {
  const path = join(dir, `${Math.random()}.json`);
  await writeFile(path, JSON.stringify({ keys }));
  return path;
}
async function publicJwk(): Promise<object> {
  return { ...(await exportJWK(pair.publicKey)), kid: "one", alg: "EdDSA", use: "sig" };
}

describe("a token", () => {
  it("[AU22] is believed with the right key, audience, time and subject only", async () => {
    const { exp, ...endless } = CLAIMS;
    const { sub, ...nobody } = CLAIMS;
    const { aud, ...toNobody } = CLAIMS;
    const valid = await signed(CLAIMS);
    const other = new TextEncoder().encode("another secret of 32 bytes or more");
    const wrong: Record<string, string> = {
      empty: "",
      noise: "a.b.c",
      "alg none": unsigned({ alg: "none" }, CLAIMS),
      "alg none in capitals": unsigned({ alg: "NONE", typ: "JWT" }, CLAIMS),
      "without its signature": `${valid.split(".").slice(0, 2).join(".")}.`,
      "with other claims": `${valid.split(".")[0]}.${unsigned({}, { ...CLAIMS, sub: "eve" }).split(".")[1]}.${valid.split(".")[2]}`,
      "another key": await signed(CLAIMS, { key: other }),
      "another algorithm": await signed(CLAIMS, { alg: "HS512" }),
      "a key of its own": await signed(CLAIMS, { alg: "EdDSA", key: pair.privateKey }),
      "another audience": await signed({ ...CLAIMS, aud: "elsewhere" }),
      "no audience": await signed(toNobody),
      "no end": await signed(endless),
      "its end passed": await signed({ ...CLAIMS, exp: nowSec - 60 }),
      "not valid yet": await signed({ ...CLAIMS, nbf: nowSec + 600 }),
      "no subject": await signed(nobody),
      "a subject that is a number": await signed({ ...CLAIMS, sub: 5 as unknown as string }),
      "a subject that is a list": await signed({ ...CLAIMS, sub: ["ann"] as unknown as string }),
      "an empty subject": await signed({ ...CLAIMS, sub: "" }),
      "a subject with control characters": await signed({ ...CLAIMS, sub: "a\nb" }),
      "a subject too long": await signed({ ...CLAIMS, sub: "a".repeat(65) }),
    };
    expect([exp, sub, aud]).toEqual([CLAIMS.exp, "ann", AUDIENCE]);
    const auth = await Authenticator.create(
      { secret, audience: AUDIENCE },
      engine.admin,
      engine.keys,
    );
    for (const [what, credential] of Object.entries(wrong)) {
      expect([what, await auth.identify(credential)]).toEqual([what, null]);
    }
    expect(await auth.identify(valid)).toMatchObject({ user: "ann" });
    expect(await auth.identify(await signed({ ...CLAIMS, aud: ["x", AUDIENCE] }))).not.toBeNull();
    expect(await auth.identify(await signed({ ...CLAIMS, sub: "Ünï 漢字:a" }))).not.toBeNull();
  });

  it("[AU22] of a JWKS file: EdDSA keys beside the secret, each for its own algorithm", async () => {
    const jwks = await jwksFile(await publicJwk());
    const auth = await Authenticator.create(
      { secret, jwksFile: jwks, audience: AUDIENCE },
      engine.admin,
      engine.keys,
    );
    const eddsa = { alg: "EdDSA", key: pair.privateKey };
    expect(await auth.verifyToken(await signed(CLAIMS, eddsa))).toMatchObject({ user: "ann" });
    expect(await auth.verifyToken(await signed(CLAIMS))).toMatchObject({ user: "ann" });
    const stranger = await generateKeyPair("EdDSA");
    const forged = await signed(CLAIMS, { alg: "EdDSA", key: stranger.privateKey });
    expect(await auth.verifyToken(forged)).toBeNull();
    // The public key is public: it must not serve as an HS256 secret.
    const { x } = (await publicJwk()) as { x: string };
    const confused = await signed(CLAIMS, { key: new Uint8Array(Buffer.from(x, "base64url")) });
    expect(await auth.verifyToken(confused)).toBeNull();

    const only = await Authenticator.create(
      { jwksFile: jwks, audience: AUDIENCE },
      engine.admin,
      engine.keys,
    );
    expect(await only.verifyToken(await signed(CLAIMS))).toBeNull();
    expect(await only.verifyToken(await signed(CLAIMS, eddsa))).toMatchObject({ user: "ann" });
  });

  it("[AU22] an edge without a usable key does not start, and leaves nothing open", async () => {
    const auth = { audience: AUDIENCE };
    await expect(engine.edge({ auth })).rejects.toThrow("no key to check tokens with");
    const missing = { ...auth, jwksFile: join(dir, "missing.json") };
    await expect(engine.edge({ auth: missing })).rejects.toThrow("missing.json");
    const empty = { ...auth, jwksFile: await jwksFile() };
    const bare = await engine.edge({ auth: empty });
    expect((await refusal(bare, await signed(CLAIMS))).code).toBe(4404);
  });
});

async function refusal(at: RunningEdge, credential: string): Promise<{ code: number }> {
  const peer = await engine.open(at);
  peer.hello(credential).catch(() => undefined);
  return peer.closed;
}

describe("a connection", () => {
  it("[AU22] with a credential that is not believed is closed with 4404", async () => {
    for (const credential of ["", "x", "ticket:", "ticket:x", unsigned({ alg: "none" }, CLAIMS)]) {
      expect((await refusal(edge, credential)).code).toBe(4404);
    }
  });

  it("[AU23] ends with 4003 when its token does, not before", async () => {
    const before = performance.now();
    // Clocks may be five seconds apart: this one ended some seconds ago.
    const peer = await engine.open(edge);
    await peer.hello(await signed({ ...CLAIMS, exp: Math.floor(Date.now() / 1000) - 3 }));
    const lasting = await engine.open(edge);
    await lasting.hello(await token("bob"));
    expect((await peer.closed).code).toBe(4003);
    expect(performance.now() - before).toBeGreaterThan(900);
    expect(lasting.code).toBeNull();
    expect((await refusal(edge, await signed({ ...CLAIMS, exp: nowSec - 60 }))).code).toBe(4404);
  });
});
