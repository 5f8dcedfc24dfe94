/** Tokens and tickets. k6 has no JWT library, and HS256 is two lines of its crypto. */
import { hmac } from "k6/crypto";
import { b64encode } from "k6/encoding";
import http, { type Params } from "k6/http";

import type { Plan } from "./plan.ts";

const TOKEN_LIFE_SEC = 24 * 3_600;

export function signToken(plan: Plan, user: string): string {
  const expires = Math.floor(Date.now() / 1_000) + TOKEN_LIFE_SEC;
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { sub: user, aud: plan.audience, exp: expires },
  ];
  const signed = parts.map((part) => b64encode(JSON.stringify(part), "rawurl")).join(".");
  return `${signed}.${hmac("sha256", plan.secret, signed, "base64rawurl")}`;
}

/** For a request of this user; `name` stands for the address in the figures of k6. */
export function authorized(plan: Plan, user: string, name: string): Params {
  return { headers: { authorization: `Bearer ${signToken(plan, user)}` }, tags: { name } };
}

/** Throws where the edge sells none. */
export async function buyTicket(url: string, token: string): Promise<string> {
  const response = await http.asyncRequest("POST", `${url}/v1/tickets`, null, {
    headers: { authorization: `Bearer ${token}` },
    tags: { name: "tickets" },
  });
  if (response.status !== 200) throw new Error(`no ticket: ${response.status_text}`);
  return response.json("ticket") as string;
}
