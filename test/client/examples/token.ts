import { SignJWT } from "jose"; // any library for JWTs will do

/** To be answered to the page of the user who is logged in. */
export function chatToken(user: string, secret: string): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user)
    .setAudience("millrace")
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secret));
}
