/** Changed messages in place of what was appended, for scripts that show entries. */
import type { ScriptLibrary } from "../redis/script.ts";
import { BLOCK_SIZE } from "../streams/blocks.ts";

export const FOLDED: ScriptLibrary = {
  file: new URL("./folded.lua", import.meta.url),
  constants: { BLOCK_SIZE },
};
