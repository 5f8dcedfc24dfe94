/** What sessions share on one edge. */
import type { Ingest } from "../ingest/ingest.ts";
import type { Log } from "../ops/log.ts";
import type { AckLevel } from "../protocol/frames.ts";
import type { Authenticator } from "./auth.ts";
import type { EdgeTally } from "./edge-tally.ts";
import type { People } from "./people.ts";
import type { RoomReader } from "./room-reader.ts";
import type { RoomTails } from "./room-tails.ts";

export interface EdgeContext {
  /** Incarnation of this edge: new with every start. */
  readonly edge: string;
  readonly ack: AckLevel;
  readonly beatMs: number;
  readonly authenticator: Authenticator;
  readonly ingest: Ingest;
  readonly reader: RoomReader;
  readonly tails: RoomTails;
  readonly people: People;
  readonly tally: EdgeTally;
  readonly log: Log;
}
