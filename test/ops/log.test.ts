import { describe, expect, it } from "vitest";

import { readableLine } from "../../src/ops/log-line.ts";
import { createLog, withoutPassword } from "../../src/ops/log.ts";

function logged(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  write(createLog({ level: "info", format: "json", name: "edge", destination }));
  return lines.join("");
}

describe("log", () => {
  it("[OP3] secrets are blanked by the name of their field, also when nested", () => {
    const text = logged((log) =>
      log.info(
        { token: "s1", frame: { token: "s2" }, req: { headers: { authorization: "s3" } } },
        "hello",
      ),
    );
    expect(text).not.toMatch(/s[123]"/);
    expect(text.match(/\[redacted\]/g)).toHaveLength(3);
  });

  it("[OP3] what a library hangs on an error is left out: with Redis it is the whole command", () => {
    const error = Object.assign(new Error("OOM"), { command: { args: ["what ann said"] } });
    const text = logged((log) => log.error({ err: error }, "refused"));
    expect(text).toContain("OOM");
    expect(text).not.toContain("what ann said");
    expect(logged((log) => log.error({ err: "thrown text" }, "odd"))).toContain("thrown text");
  });

  it("[OP3] the password of an address is blanked", () => {
    expect(withoutPassword("redis://app:pa:ss@host:6379/0")).toBe("redis://app:***@host:6379/0");
    expect(withoutPassword("rediss://:secret@host")).toBe("rediss://:***@host");
    expect(withoutPassword("redis://127.0.0.1:6379")).toBe("redis://127.0.0.1:6379");
    expect(withoutPassword("unix:///var/a@b.sock")).toBe("unix:///var/a@b.sock");
  });
});

describe("readable line", () => {
  const plain = { color: false, source: true };

  it("shows role, level, message and fields in one line", () => {
    const line = logged((log) => log.warn({ room: "general", lag: { ms: 7 } }, "behind"));
    expect(readableLine(line, plain)).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} warn {2}edge: behind room=general lag=\{"ms":7\}$/,
    );
  });

  it("puts an error's stack below its line", () => {
    const line = logged((log) => log.error({ err: new Error("broken") }, "failed"));
    const [first, second] = readableLine(line, plain).split("\n");
    expect(first).toMatch(/failed$/);
    expect(second).toBe("  Error: broken");
  });

  it("leaves lines alone that are not records", () => {
    for (const text of ["plain words", "{cut off", '{"other":1}', "{}", ""]) {
      expect(readableLine(text, plain)).toBe(text);
    }
  });

  it("does not let a value steer the terminal", () => {
    const line = logged((log) => log.info({ user: "\u001B[2Jx" }, "a\u001B[31mb"));
    expect(readableLine(line, plain)).not.toContain("\u001B");
  });
});
