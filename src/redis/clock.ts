/** The server's clock, for scripts: leases run on it, whatever the clocks of their holders say. */
import type { ScriptLibrary } from "./script.ts";

export const CLOCK: ScriptLibrary = {
  file: new URL("./clock.lua", import.meta.url),
  constants: {},
};
