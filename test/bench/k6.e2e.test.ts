/** Every k6 scenario works, from the command line to the table. Only completeness decides. */
import { spawn } from "node:child_process";

import { beforeAll, describe, expect, it } from "vitest";

import { SCENARIO_NAMES } from "../../bench/k6/plan.ts";

/** Go builds k6 the first time. */
const BUILD_MS_MAX = 15 * 60_000;
/** The exit code of bin/k6-tool.mjs where k6 neither is nor can be built. */
const NO_WAY = 3;
const USAGE = 2;

interface Exit {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const SECRET = "only-for-tests-only-for-tests-only-for-tests";

function node(...words: readonly string[]): Promise<Exit> {
  const env = { ...process.env, AUTH_SECRET: SECRET };
  const child = spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  return new Promise((resolve) => {
    child.once("close", (code) => resolve({ code, out, err }));
  });
}

describe("npm run bench:k6", () => {
  let hasK6 = false;
  beforeAll(async () => {
    const { code, err } = await node("bin/k6-tool.mjs");
    if (code === NO_WAY) process.stderr.write(`\nNOT TESTED, the k6 scenarios: ${err}\n`);
    else expect(err.replaceAll(/^·.*$/gm, "").trim()).toBe("");
    hasK6 = code === 0;
  }, BUILD_MS_MAX);

  it.each(SCENARIO_NAMES)("runs %s and finds everything there", async (scenario) => {
    if (!hasK6) return;
    const words = scenario.endsWith("-storm") ? ["--edges", "2"] : [];
    const { code, out, err } = await node("bin/k6.mjs", scenario, "--smoke", ...words);
    expect({ code, err: err.replaceAll(/^·.*$/gm, "").trim() }).toEqual({ code: 0, err: "" });
    expect(out).toContain("missing 0   doubled 0   holes 0   unseen 0   ghosts 0   errors 0");
    const counted = scenario === "presence-storm" ? "chat_seen" : "chat_delivered";
    expect(out).toContain(`✓ ${counted} count>0`);
    expect(out).not.toContain("✗");
  });

  it("fails when a threshold does", async () => {
    if (!hasK6) return;
    const sizes = ["--vus", "1", "--sockets", "2", "--rooms", "1", "--duration", "1s"];
    const { code, out } = await node("bin/k6.mjs", "large-room", ...sizes, "--p95", "1");
    expect(code).toBe(99);
    expect(out).toContain("✗ chat_delivery_ms p(95)<1");
    expect(out).toContain("✓ chat_missing count==0");
  });

  it.each([
    [["large-rooms"], "no such scenario: large-rooms"],
    [["soak", "--minutes", "3"], "Unknown option '--minutes'"],
  ])("refuses %j with the list of what there is", async (words, problem) => {
    const { code, out, err } = await node("bin/k6.mjs", ...words);
    expect({ code, out }).toEqual({ code: USAGE, out: "" });
    expect(err).toContain(problem);
    for (const name of SCENARIO_NAMES) expect(err).toContain(name);
  });

  it("says so when there is no engine at the address", async () => {
    if (!hasK6) return;
    const { code, err } = await node("bin/k6.mjs", "soak", "--url", "http://127.0.0.1:9");
    expect({ code, err }).toEqual({
      code: 1,
      err: "millrace: nothing answers at http://127.0.0.1:9\n",
    });
  });
});
