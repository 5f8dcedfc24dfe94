import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { clientFrame, serverFrame } from "../../src/protocol/frames.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../../src/protocol/version.ts";

/**
 * Clients in the field speak a version, so a frame must not change under it.
 * When this fails: raise PROTOCOL_VERSION, add the new hash, and go through the
 * list at the top of frames.ts. Hashes of versions that were given out stay.
 */
const HASHES: Readonly<Record<number, string>> = {
  1: "50b9cafaedee0ef5c62095f978bece3c139c47be505efe09a520f6329fb383d0",
  2: "f778b49bbf438980a3a2be612e4f217b2d27fee10beabb07ecfc40e583af50ff",
  3: "952444a1a7a5702257aba18c38bd8d8c059a11b7f74f9690c696ad688334b84c",
};

it("[PV4] the frames of this protocol version are what they were", () => {
  const hash = createHash("sha256").update(clientFrame.spec).update(serverFrame.spec).digest("hex");
  expect(hash).toBe(HASHES[PROTOCOL_VERSION]);
});

it("[PV4] the sub-protocols carry the version", () => {
  expect(SUBPROTOCOL).toEqual({
    binary: `millrace.${PROTOCOL_VERSION}`,
    json: `millrace.${PROTOCOL_VERSION}.json`,
  });
});
