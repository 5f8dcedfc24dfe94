/** Where a data folder's unix sockets are, and the lock that lets one `start` run in it. */
import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { ConfigError } from "../config.ts";

/** The kernel's limit for a socket's path is 104 bytes on macOS and 108 on Linux, with a final 0. */
const SOCKET_PATH_BYTES_MAX = 100;
const LOCK_PROBE_MS = 2_000;

/**
 * The folder for the sockets of `dataDir`: the folder itself, or where its path
 * is too long, one in the temporary folder that is named after it. Either way
 * only this user can enter it.
 */
export async function socketFolder(dataDir: string): Promise<string> {
  const dir = resolve(dataDir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (Buffer.byteLength(join(dir, "redis.sock")) <= SOCKET_PATH_BYTES_MAX) return dir;
  const digest = createHash("sha256").update(dir).digest("hex").slice(0, 16);
  const short = join(tmpdir(), `millrace-${digest}`);
  await mkdir(short, { recursive: true, mode: 0o700 });
  // Anybody may write into the temporary folder: what was there before must be ours.
  const found = await lstat(short);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new ConfigError(`${short} belongs to somebody else; choose a shorter DATA_DIR`);
  }
  await chmod(short, 0o700);
  return short;
}

export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Held by a listening socket and not by a file with a process id: the kernel
 * lets go of it when the process dies, and process ids come round again.
 *
 * @throws ConfigError when another process holds it.
 */
export async function lockFolder(dataDir: string): Promise<FolderLock> {
  const path = join(await socketFolder(dataDir), "start.lock");
  for (const attempt of ["first", "after removing a dead lock"]) {
    const server = await listenOn(path);
    if (server) {
      return { release: () => new Promise((done) => server.close(() => done())) };
    }
    if (attempt !== "first" || (await isAnswered(path))) break;
    await rm(path, { force: true });
  }
  throw new ConfigError(
    `millrace runs in ${dataDir} already; stop it first, or give this one a DATA_DIR and a PORT of its own`,
  );
}

function listenOn(path: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(null) : reject(error),
    );
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(LOCK_PROBE_MS, () => settle(true));
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
