/**
 * Removes the binaries of uWebSockets.js that this machine does not load; run in
 * the folder that has node_modules. Fails when that leaves none.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";

const { platform, arch, versions } = process;
const name = `uws_${platform}_${arch}_${versions.modules}.node`;
const entry = createRequire(join(process.cwd(), "entry.js")).resolve("uWebSockets.js");
const root = join("node_modules", "uWebSockets.js");

// The places in which src/edge/sockets/server-uws.ts looks, in its order.
const places = [join(dirname(entry), name), join(dirname(entry), "..", "binaries", name)];
const kept = places.find((place) => existsSync(place));
if (kept === undefined) throw new Error(`uWebSockets.js has no ${name}`);
for (const path of readdirSync(root, { recursive: true, encoding: "utf8" })) {
  if (path.endsWith(".node") && relative(kept, join(process.cwd(), root, path)) !== "") {
    rmSync(join(root, path));
  }
}
