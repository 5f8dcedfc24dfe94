import { afterEach, describe, expect, it } from "vitest";

import { loadSocketServer } from "../../src/edge/sockets/server.ts";
import { createLog } from "../../src/ops/log.ts";

const arch = Object.getOwnPropertyDescriptor(process, "arch") as PropertyDescriptor;
afterEach(() => Object.defineProperty(process, "arch", arch));

/** A machine for which uWebSockets.js has no binary. */
function onAnotherMachine(): void {
  Object.defineProperty(process, "arch", { ...arch, value: "s390x" });
}

function recording(): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { log: createLog({ level: "info", format: "json", name: "edge", destination }), lines };
}

describe("choice of the transport", () => {
  it("[OP25] auto takes uWebSockets.js where its binary loads, ws is taken when asked for", async () => {
    const { log, lines } = recording();
    const auto = await loadSocketServer("auto", log);
    const ws = await loadSocketServer("ws", log);
    expect([auto.adapter, auto.fallbackReason]).toEqual(["uws", null]);
    expect([ws.adapter, ws.fallbackReason]).toEqual(["ws", null]);
    expect(lines).toEqual([]);
  });

  it("[OP25] auto falls back to ws with a warning that says why", async () => {
    onAnotherMachine();
    const { log, lines } = recording();
    const { adapter, fallbackReason } = await loadSocketServer("auto", log);
    expect(adapter).toBe("ws");
    expect(fallbackReason).toContain(
      `uWebSockets.js has no binary for ${process.platform} s390x on Node v`,
    );
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "warn", reason: fallbackReason });
  });

  it("[OP25] uws that does not load is refused with the reason and a way out", async () => {
    onAnotherMachine();
    await expect(loadSocketServer("uws", recording().log)).rejects.toThrow(
      /has no binary for .* s390x .*choose the transport ws or auto/,
    );
  });
});
