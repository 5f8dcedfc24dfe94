#!/usr/bin/env node
/**
 * Finds redis-server or valkey-server, or installs one with the system's
 * package manager: asks on a terminal, goes ahead without one or with --yes, and
 * where it cannot, says exactly what to type.
 */
import { spawnSync } from "node:child_process";
import { createInterface } from "node:readline/promises";
import { pathToFileURL } from "node:url";

import { fail, SetUpError, step } from "./set-up.mjs";

const BINARIES = ["redis-server", "valkey-server"];

/** Tried in this order; `root` for those that change the system. */
const MANAGERS = [
  {
    command: "apt-get",
    root: true,
    commands: [
      ["apt-get", "update"],
      ["apt-get", "install", "-y", "--no-install-recommends", "redis-server"],
    ],
  },
  { command: "dnf", root: true, commands: [["dnf", "install", "-y", "/usr/bin/redis-server"]] },
  { command: "apk", root: true, commands: [["apk", "add", "redis"]] },
  { command: "pacman", root: true, commands: [["pacman", "-Sy", "--noconfirm", "valkey"]] },
  { command: "brew", root: false, commands: [["brew", "install", "redis"]] },
];

/** Resolves when a server can be run, throws SetUpError with what to type when not. */
export async function ensureRedis({ yes }) {
  if (findRedis() !== null) return;
  const manager = MANAGERS.find(({ command }) => runs(command));
  if (!manager) {
    throw new SetUpError(
      `neither ${BINARIES.join(" nor ")} was found, nor a package manager that is known here: ` +
        "install Redis 7 or Valkey, or set REDIS_URL",
    );
  }
  const sudo = manager.root && process.getuid?.() !== 0;
  const terminal = process.stdin.isTTY && process.stderr.isTTY;
  const typed = manager.commands.map((words) => [...(sudo ? ["sudo"] : []), ...words].join(" "));
  const toType = `type this, or set REDIS_URL to a Redis of yours:\n  ${typed.join(" && ")}`;
  if (terminal && !yes && !(await agreed(typed))) {
    throw new SetUpError(`a Redis server is needed; ${toType}`);
  }
  step(`installing Redis with ${manager.command}`);
  for (const words of manager.commands) {
    // Without a terminal nobody can type a password.
    const full = sudo ? ["sudo", ...(terminal ? [] : ["-n"]), ...words] : words;
    const [command, ...args] = full;
    const { status, stdout, stderr } = spawnSync(command, args, {
      stdio: [terminal ? "inherit" : "ignore", "pipe", "pipe"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      encoding: "utf8",
    });
    if (status === 0) continue;
    const lastWords = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-5).join("\n  ");
    throw new SetUpError(`${words.join(" ")} failed:\n  ${lastWords}\n${toType}`);
  }
  if (findRedis() === null)
    throw new SetUpError(`Redis was installed but is not on PATH; ${toType}`);
}

/** The name of the server that can be run, or null. */
export function findRedis() {
  return BINARIES.find((binary) => runs(binary)) ?? null;
}

function runs(command) {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

async function agreed(typed) {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(
    `Millrace needs a Redis server and finds none. Install it now?\n  ${typed.join("\n  ")}\n[Y/n] `,
  );
  terminal.close();
  return /^(y|yes|)$/i.test(answer.trim());
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await ensureRedis({ yes: process.argv.includes("--yes") });
    process.stdout.write(`${findRedis()}\n`);
  } catch (error) {
    fail(error);
  }
}
