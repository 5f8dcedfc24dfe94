/**
 * Removes the binaries of uWebSockets.js that this machine cannot load; run in
 * the folder that has node_modules. Fails when that leaves none.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const { platform, arch, versions } = process;
const ours = `uws_${platform}_${arch}_${versions.modules}.node`;
const root = join("node_modules", "uWebSockets.js");

let kept = 0;
// In the order in which src/edge/server-uws.ts looks.
for (const folder of ["dist", "binaries"]) {
  for (const name of readdirSync(join(root, folder))) {
    if (!name.endsWith(".node")) continue;
    if (name === ours && kept === 0) kept++;
    else rmSync(join(root, folder, name));
  }
}
if (kept === 0) throw new Error(`uWebSockets.js has no ${ours}`);
