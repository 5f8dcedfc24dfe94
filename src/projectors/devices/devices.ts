/** The device projection: the anti-replay windows, one text each. */
import { WINDOW_TTL_MS, type DeviceWindow } from "../../domain/device-window.ts";
import type { Operations } from "../runtime/operations.ts";

/**
 * The key lives longer than the window it holds: by the log's clock a window
 * ends in `decide`, and a projector may be a day behind that clock.
 */
const KEY_TTL_MS = WINDOW_TTL_MS + 24 * 3_600_000;

export function writeWindow(operations: Operations, key: string, window: DeviceWindow): void {
  operations.set(key, window.pack(), KEY_TTL_MS);
}
