import type { ServerFrame } from "../protocol/frames.ts";
import type { UserId } from "../protocol/ids.ts";

/** Users who are on this edge, with one device or several. */
export interface UserDevices {
  has(user: UserId): boolean;
  /** Sends to every device of a user here; false when there is none. */
  tell(user: UserId, frame: ServerFrame): boolean;
}
