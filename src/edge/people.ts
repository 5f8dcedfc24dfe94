/** What an edge has for people in rooms, beside their messages: presence and typing. */
import type { Ingest } from "../ingest/ingest.ts";
import type { Log } from "../ops/log.ts";
import type { RoomId, UserId } from "../protocol/ids.ts";
import type { Keys } from "../streams/keys.ts";
import type { EdgeTally } from "./edge-tally.ts";
import type { Links } from "./links.ts";
import { PRESENCE_TIMES, type PresenceTimes } from "./presence-partition.ts";
import { PresenceViews } from "./presence-views.ts";
import { Presence } from "./presence.ts";
import type { SocketServer } from "./sockets/socket-port.ts";
import { Typing } from "./typing.ts";

export interface PeopleOptions {
  readonly edge: string;
  readonly keys: Keys;
  readonly links: Links;
  readonly ingest: Ingest;
  readonly publish: SocketServer["publish"];
  readonly tally: EdgeTally;
  /** Other than PRESENCE_TIMES. */
  readonly times: PresenceTimes | undefined;
  readonly log: Log;
}

export class People {
  readonly presence: Presence;
  readonly views: PresenceViews;
  readonly typing: Typing;

  constructor(options: PeopleOptions) {
    const { edge, keys, links, ingest, publish, tally, log } = options;
    const { redis } = links;
    const times = options.times ?? PRESENCE_TIMES;
    this.presence = new Presence({ redis, keys, ingest, edge, times, log });
    this.views = new PresenceViews({ redis, keys, publish, tally, log });
    this.typing = new Typing({
      publish: (message) => redis.publish(keys.typing(), message),
      audience: (room) => this.views.audience(room),
      tally,
      log,
    });
    links.typing.onMessage = (message) => this.typing.heard(message);
  }

  /** A membership has ended, and every session of the user was told. */
  left(room: RoomId, user: UserId): void {
    this.presence.doubt(room, user);
    this.typing.stopped(room, user);
  }

  stop(): void {
    this.presence.stop();
    this.views.stop();
    this.typing.stop();
  }
}
